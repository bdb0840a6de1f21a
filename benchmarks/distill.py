"""Speed of distillation: data loader, and training and extraction relative to the bare network."""

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.table import Table
from torch.utils.data import DataLoader

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.corpus import crop_codec as codec
from vpd_mm.corpus.crop_writer import CropWriter
from vpd_mm.corpus.shard import CROP, frame_key, read_value, videos_of_shards
from vpd_mm.distill.crop_batch import collate_crops
from vpd_mm.distill.crop_dataset import HANDOVERS
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.cpu_autocast import cpu_has_bfloat16
from vpd_mm.engine.paths import find_config
from vpd_mm.registry import DATASETS, MODELS
from vpd_mm.structures import FeatureSequence

#: Goals: rate of the loader as a share of that of bare JPEG decoding and as a multiple of the published one, share of
#: waiting, share of the bare forward pass.
GOALS = {'decoding': 0.7, 'published': 10.0, 'waiting': 0.05, 'extraction': 0.95}
#: What was measured, the number, the goal, and whether it is met.
Row = tuple[str, str, str, bool]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns 1 where a goal is missed."""
    parser = ToolParser(__doc__)
    parser.add_argument('--corpus', help='a corpus with crops and teacher/joints (default: a generated one)')
    parser.add_argument(
        '--config', default='configs/distill/resnet34_2d-vpd_1000e.py', help='of the loader tests at 128 px'
    )
    parser.add_argument(
        '--small',
        default='configs/distill/resnet18_2d-vpd_40e_real.py',
        help='of the CPU training and the loader tests at 64 px',
    )
    parser.add_argument('--seconds', type=float, default=10.0, help='of each measurement')
    args = parser.parse_args(argv)
    cv2.setNumThreads(0)  # as in a training
    with TemporaryDirectory() as folder:
        corpus = Corpus.open(args.corpus) if args.corpus else make_corpus(Path(folder) / 'corpus')
        configs = [args.config, args.small]
        rows = measure_loaders(configs, corpus, Path(folder) / 'png', args.seconds)
        profiles = [profile_sample(config, corpus) for config in configs]
        profiles += [measure_handovers(config, corpus) for config in configs]
        rows.append(measure_training(args.small, corpus, args.seconds))
        rows.append(measure_extraction(args.small, corpus, args.seconds))
    table = Table('what', 'measured', 'goal', 'met', title=f'distill, {torch.get_num_threads()} thread(s)')
    for name, measured, goal, met in rows:
        table.add_row(name, measured, goal, 'yes' if met else 'no')
    for each in (*profiles, table):
        PlainConsole().print(each)
    return 0 if all(row[3] for row in rows) else 1


def make_corpus(root: Path, num_frames: int = 400, size: int = 128) -> Corpus:
    """Make a corpus of blurred noise that is as costly to decode as real crops (the table prints their size)."""
    rng = np.random.default_rng(0)
    corpus = Corpus.create(root)
    for name in ('a', 'b', 'c'):
        writer = CropWriter(corpus.crops_dir / f'shard-{name}.lmdb')
        with writer, writer.video(name, size=size, flow={'method': 'made', 'clip': 20.0}) as video:
            for frame in range(num_frames):
                rgb = cv2.GaussianBlur(rng.integers(0, 256, (size, size, 3), dtype=np.uint8), (9, 9), 0)
                flow = cv2.GaussianBlur(rng.normal(0, 60, (size, size, 2)).astype(np.float32), (63, 63), 0)
                mask = np.zeros((size, size), bool)
                mask[size // 4 : -size // 4, size // 3 : -size // 3] = True
                video.add(frame, (0, 0, size), rgb, flow, mask)
        feats = rng.normal(0, 0.3, (num_frames, 2, 26)).astype(np.float32)
        sequence = FeatureSequence(np.arange(num_frames), feats, np.ones(num_frames, np.float32))
        sequence.save(corpus.teacher_dir('joints') / f'{name}.npz')
    return corpus


def config_of(name: str, corpus: Corpus) -> Config:
    """Read a distillation config for a corpus without splits."""
    cfg = Config.fromfile(find_config(name))
    init_default_scope('vpd_mm')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.update(corpus=str(corpus.root), splits=None)
    return cfg


def speed_of(step: Callable[[], int], seconds: float, device: str = 'cpu') -> float:
    """Return items per second of ``step``, which returns its number of items, after a warm-up.

    A GPU warms up for half of the time of a measurement: after three steps of ResNet-34 an H200 had not reached its
    clock, so that training from disk, which was measured later, seemed faster than the bare network.
    """
    finished = torch.cuda.synchronize if device.startswith('cuda') else lambda: None
    warm = time.perf_counter() + (seconds / 2 if device.startswith('cuda') else 0)
    for number in itertools.count(1):
        step()
        finished()
        if number >= 3 and time.perf_counter() >= warm:
            break
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        count += step()
    finished()
    return count / (time.perf_counter() - start)


def measure_loaders(configs: Sequence[str], corpus: Corpus, folder: Path, seconds: float) -> list[Row]:
    """Compare the loader in one process with bare JPEG decoding and with the published way, in CPU time.

    The three take turns, so that other load affects all; the shares are medians over the rounds.
    """
    from benchmarks.published_loader import PublishedCrops, write_png_crops

    rows, store = [], CropStore(corpus.crops_dir)
    paths = write_png_crops(store, folder, 300)
    images = read_jpegs(store)
    parts = itertools.cycle([images[i : i + 100] for i in range(0, len(images), 100)])
    for config in configs:
        cfg = config_of(config, corpus)
        size, batch_size = cfg.crop_size, cfg.train_dataloader.batch_size
        sampler = dict(cfg.train_dataloader.sampler, num_samples=10**7)
        loader = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False, sampler=sampler)
        ours = iter(Runner.build_dataloader(loader, seed=0))
        published = iter(DataLoader(PublishedCrops(paths, size, np.zeros((len(paths), 2, 52))), batch_size))
        steps = {
            'bare': lambda: decode(next(parts)),
            'ours': lambda batches=ours: len(next(batches)['inputs']),  # type: ignore[misc]
            'published': lambda batches=published: len(next(batches)['img']),  # type: ignore[misc]
        }
        rounds = [{name: cpu_speed_of(step, seconds / 15) for name, step in steps.items()} for _ in range(5)]
        bare, rate, old = (float(np.median([speeds[name] for speeds in rounds])) for name in steps)
        share, ratio = (
            float(np.median([speeds['ours'] / speeds[name] for speeds in rounds])) for name in ('bare', 'published')
        )
        name = f'loader at {size} px, {rate:.0f} samples/s'
        of_bare, of_old = f'{name}: of bare JPEG decoding ({bare:.0f}/s)', f'{name}: to published way ({old:.0f}/s)'
        rows.append((of_bare, f'{share:.0%}', f'>= {GOALS["decoding"]:.0%}', share >= GOALS['decoding']))
        rows.append((of_old, f'{ratio:.1f} x', f'>= {GOALS["published"]:.0f} x', ratio >= GOALS['published']))
    return rows


def read_jpegs(store: CropStore, num_frames: int = 1200) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the JPEG of crop and flow of frames of all videos, in random order, into memory.

    They are so many that the branch prediction of a processor does not adapt to them.
    """
    shards, images = videos_of_shards(store.directory), []
    frames = [(video, int(i)) for video in store.videos() for i in store.header(video).frame_inds]
    for chosen in np.random.default_rng(0).permutation(len(frames))[:num_frames]:
        video, frame = frames[chosen]
        rgb, flow, _ = codec.unpack_record(read_value(shards[video], frame_key(CROP, video, frame)) or b'')
        images.append((np.frombuffer(rgb, np.uint8), np.frombuffer(flow, np.uint8)))
    return images


def decode(images: list[tuple[np.ndarray, np.ndarray]]) -> int:
    """Decode crop and flow of all frames; return the number of frames."""
    for rgb, flow in images:
        cv2.imdecode(rgb, cv2.IMREAD_COLOR_RGB)
        cv2.imdecode(flow, cv2.IMREAD_GRAYSCALE)
    return len(images)


def cpu_speed_of(step: Callable[[], int], seconds: float) -> float:
    """Return items per second of CPU time of this process, after a warm-up."""
    step()
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        count += step()
    return count / spent


def profile_sample(config: str, corpus: Corpus, num_samples: int = 2000) -> Table:
    """Measure the CPU time of the stages of a sample, in batches as a DataLoader asks for them.

    ``item`` is what is before the transforms, ``collate`` what is after them, ``decoding`` a part of ``StackFlow``,
    which computes all pixels.  The time of a stage includes that of reading the clock, about 1 us.
    """
    cfg = config_of(config, corpus)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    stages = [('item', lambda results: results)]
    for transform in dataset.pipeline.transforms:  # one that only draws numbers has the transform as an argument
        stages.append((type(getattr(transform, 'args', [transform])[0]).__name__, transform))
    times: dict[str, list[float]] = {name: [] for name in (*(name for name, _ in stages), 'decoding', 'collate')}
    last = [0.0]

    def add_time(name: str) -> None:
        times[name][-1] += (now := time.process_time()) - last[0]
        last[0] = now

    def timed(name: str, transform: Callable, results: dict) -> dict:
        results = transform(results)
        add_time(name)
        return results

    def timed_decoding(decode: Callable, *args, **kwargs) -> object:
        add_time('StackFlow')
        image = decode(*args, **kwargs)
        add_time('decoding')
        return image

    for name in ('crop', 'flow_code'):
        setattr(dataset.store, name, partial(timed_decoding, getattr(dataset.store, name)))
    dataset.pipeline = Compose([partial(timed, *stage) for stage in stages])
    rng, size, draws = np.random.default_rng(0), cfg.train_dataloader.batch_size, itertools.count()
    for _ in range(1 + num_samples // size):
        for values in times.values():
            values.append(0.0)
        items = [(index, next(draws)) for index in rng.integers(len(dataset), size=size).tolist()]
        last[0] = time.process_time()
        samples = dataset.__getitems__(items)
        collate_crops(samples)
        add_time('collate')
    means = {name: 1e6 * np.array(values[1:]) / size for name, values in times.items()}  # the first is a warm-up
    table = Table('stage', 'mean us', 'median us', title=f'one sample at {cfg.crop_size} px, CPU time, over batches')
    for name, values in [*means.items(), ('all', np.sum(list(means.values()), axis=0))]:
        table.add_row(name, f'{np.mean(values):.0f}', f'{np.median(values):.0f}')
    return table


def measure_handovers(config: str, corpus: Corpus, num_batches: int = 5, batch_size: int = 100) -> Table:
    """Measure the CPU time of a batch in the loader, and on a device that is this CPU, for each handover of crops."""
    cfg = config_of(config, corpus)
    preprocessor = MODELS.build(cfg.model).data_preprocessor
    datasets = [DATASETS.build(dict(cfg.train_dataloader.dataset, handover=handover)) for handover in HANDOVERS]
    indices = np.random.default_rng(0).integers(len(datasets[0]), size=(num_batches, batch_size)).tolist()
    times = np.zeros((num_batches, len(HANDOVERS), 2))
    for i, batch in enumerate(indices):
        for j, dataset in enumerate(datasets):
            start = time.process_time()
            data = collate_crops(dataset.__getitems__([(index, i * batch_size + n) for n, index in enumerate(batch)]))
            loaded = time.process_time()
            preprocessor(data, training=True)
            times[i, j] = loaded - start, time.process_time() - loaded
    table = Table('handover', 'loader', 'device', title=f'{batch_size} crops of {cfg.crop_size} px, ms of CPU')
    for handover, medians in zip(HANDOVERS, np.median(times, axis=0), strict=True):
        table.add_row(handover, *(f'{1000 * median:.0f}' for median in medians))
    return table


def measure_training(config: str, corpus: Corpus, seconds: float) -> Row:
    """Measure the share of the time of CPU training that is spent waiting for data."""
    cfg = config_of(config, corpus)
    model = MODELS.build(cfg.model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    sampler = dict(cfg.train_dataloader.sampler, num_samples=10**7)
    loader = Runner.build_dataloader(dict(cfg.train_dataloader, sampler=sampler), seed=0)
    batches, waited, total, samples = iter(loader), 0.0, 0.0, 0
    next(batches)
    while total < seconds:
        start = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - start
        data = model.data_preprocessor(batch, training=True)
        with torch.autocast('cpu', torch.bfloat16, enabled=cpu_has_bfloat16()):
            loss = model(**data, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += time.perf_counter() - start
        samples += len(batch['inputs'])
    share = waited / total
    name = f'CPU training ({samples / total:.0f} samples/s), waiting for data'
    return name, f'{share:.1%}', f'< {GOALS["waiting"]:.0%}', share < GOALS['waiting']


def measure_extraction(config: str, corpus: Corpus, seconds: float) -> Row:
    """Measure frames per second of feature extraction, relative to the bare forward pass with the same batch size."""
    from vpd_mm.features.feature_extractor import FeatureExtractor

    cfg = config_of(config, corpus)
    extractor = FeatureExtractor(MODELS.build(cfg.model), cfg.test_dataloader.dataset.pipeline, batch_size=64)
    store = CropStore(corpus.crops_dir)
    videos = store.videos()[:3]
    batch = next(batch for _, batch in extractor.batches(store, videos) if batch is not None)

    def bare() -> int:
        with torch.inference_mode():
            extractor.model(batch, mode='tensor')
        return len(batch) // 2

    def extract() -> int:
        return sum(len(sequence) for _, sequence in extractor.extract_all(store, videos))

    # Alternate, so that other load affects both.
    rates: dict[str, list[float]] = {'bare': [], 'extract': []}
    for _ in range(3):
        rates['bare'].append(speed_of(bare, seconds / 6))
        rates['extract'].append(speed_of(extract, seconds / 6))
    bare_rate, rate = (float(np.median(rates[k])) for k in ('bare', 'extract'))
    name = f'extraction ({rate:.0f} frames/s), share of the bare forward pass'
    return name, f'{rate / bare_rate:.1%}', f'>= {GOALS["extraction"]:.0%}', rate / bare_rate >= GOALS['extraction']
