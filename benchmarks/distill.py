"""Speed of distillation: data loader, and training and extraction relative to the bare network."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.table import Table

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.corpus.crop_writer import CropWriter
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.cpu_autocast import cpu_has_bfloat16
from vpd_mm.engine.paths import find_config
from vpd_mm.registry import MODELS
from vpd_mm.structures import FeatureSequence

#: Goals: samples/s of one loader process, share of waiting, share of the bare forward pass.
GOALS = {'loader': 1000.0, 'waiting': 0.05, 'extraction': 0.95}


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns 1 where a goal is missed."""
    parser = ToolParser(__doc__)
    parser.add_argument('--corpus', help='a corpus with crops and teacher/joints (default: a generated one)')
    parser.add_argument('--config', default='configs/distill/resnet34_2d-vpd_1000e.py', help='of the loader test')
    parser.add_argument('--small', default='configs/distill/resnet18_2d-vpd_40e_real.py', help='of the CPU training')
    parser.add_argument('--seconds', type=float, default=10.0, help='of each measurement')
    args = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        corpus = Corpus.open(args.corpus) if args.corpus else make_corpus(Path(folder) / 'corpus')
        rows = [measure_loader(args.config, corpus, args.seconds)]
        rows.append(measure_training(args.small, corpus, args.seconds))
        rows.append(measure_extraction(args.small, corpus, args.seconds))
    table = Table('what', 'measured', 'goal', 'met', title=f'distill, {torch.get_num_threads()} thread(s)')
    for name, measured, goal, met in rows:
        table.add_row(name, measured, goal, 'yes' if met else 'no')
    PlainConsole().print(table)
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


def measure_loader(config: str, corpus: Corpus, seconds: float) -> tuple[str, str, str, bool]:
    """Measure fully augmented samples per second of one loader process."""
    cfg = config_of(config, corpus)
    loader_cfg = dict(cfg.train_dataloader, num_workers=1, prefetch_factor=4)
    loader_cfg['sampler'] = dict(loader_cfg['sampler'], num_samples=10**7)
    loader = Runner.build_dataloader(loader_cfg, seed=0)
    batches = iter(loader)
    rate = speed_of(lambda: len(next(batches)['inputs']), seconds)
    store = CropStore(corpus.crops_dir)
    headers = [store.header(video) for video in store.videos()]
    size = sum(header.num_bytes for header in headers) / sum(map(len, headers)) / 1000
    return (
        f'loader, 1 process, augmented, {size:.1f} KB a crop',
        f'{rate:.0f} samples/s',
        f'>= {GOALS["loader"]:.0f}',
        rate >= GOALS['loader'],
    )


def measure_training(config: str, corpus: Corpus, seconds: float) -> tuple[str, str, str, bool]:
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


def measure_extraction(config: str, corpus: Corpus, seconds: float) -> tuple[str, str, str, bool]:
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
