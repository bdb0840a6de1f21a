"""Speed of a GPU: training and extraction relative to the bare network, DTW, and few-shot recognition."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from rich.table import Table

from benchmarks import bigru
from benchmarks.distill import config_of, make_corpus, speed_of
from benchmarks.dtw import random_walks
from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.distill.gpu_augmentation import decode_crops
from vpd_mm.engine.cli import ToolParser, num_cores
from vpd_mm.engine.console import PlainConsole
from vpd_mm.errors import UserError
from vpd_mm.features.feature_extractor import FeatureExtractor
from vpd_mm.registry import MODELS
from vpd_mm.retrieve.dtw_retriever import DTWRetriever

#: Goals: share of the bare network, and pairs/s.
SHARE, PAIRS = 0.9, 1e6


class Row(NamedTuple):
    """A line of the table: what was measured, its speed with the unit, the share of the bare network, the goal."""

    what: str
    speed: float
    unit: str
    share: float | None = None
    goal: float | None = None

    @property
    def reached(self) -> bool:
        """True if the share, or the speed where there is none, reaches the goal."""
        return self.goal is None or (self.speed if self.share is None else self.share) >= self.goal

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the line as text."""
        share = '' if self.share is None else f'{self.share:.1%}'
        goal = '' if self.goal is None else f'{self.goal:.0%}' if self.share is not None else f'{self.goal:,.0f}'
        return (
            self.what,
            f'{self.speed:,.0f} {self.unit}',
            share,
            goal,
            ('' if not goal else 'yes' if self.reached else 'no'),
        )


#: State of the crops that loaders hand over, see CropDataset.
HANDOVERS = {'augmented': '', 'decoded': ', augmented on the device', 'encoded': ', decoded on the device'}


class Mode(NamedTuple):
    """Number format, memory format and compilation of the network."""

    name: str
    amp: bool
    channels_last: bool
    compiled: bool


MODES = (
    Mode('fp32', False, False, False),
    Mode('AMP', True, False, False),
    Mode('AMP, channels_last', True, True, False),
    Mode('AMP, channels_last, compiled', True, True, True),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where a goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py gpu')
    parser.add_argument('--corpus', help='a corpus with crops and teacher/joints (default: a generated one)')
    parser.add_argument('--config', default='configs/distill/resnet34_2d-vpd_1000e.py', help='of the student')
    parser.add_argument('--seconds', type=float, default=5.0, help='of each measurement')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=(100, 512), help='of the training')
    parser.add_argument('--gallery', type=int, default=10000, help='clips of the DTW search')
    args = parser.parse_args(argv)
    if not torch.cuda.is_available():
        raise UserError('benchmark.py gpu: torch finds no GPU; python tools/check_env.py says what is installed')
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus.open(args.corpus) if args.corpus else make_corpus(Path(folder) / 'corpus')
        rows = []
        for row in chain(
            *(
                training(
                    args.config, corpus, n, mode, args.seconds, 'cuda', HANDOVERS if mode.compiled else ['augmented']
                )
                for n in args.batch_sizes
                for mode in MODES
            ),
            crops_alone(args.config, corpus, args.batch_sizes[0], args.seconds),
            extraction(args.config, corpus, args.seconds),
            dtw(args.gallery, args.seconds),
            recognition(Path(folder) / 'clips', args.seconds),
        ):
            print(' | '.join(row.cells()), flush=True)
            rows.append(row)
    device = f'{torch.cuda.get_device_name()}, {num_cores()} cores, torch {torch.__version__}'
    title = f'{device}, {time.perf_counter() - start:.0f} s'
    table = Table('what', 'speed', 'of the bare network', 'goal', 'reached', title=title)
    for row in rows:
        table.add_row(*row.cells())
    PlainConsole().print(table)
    return int(not all(row.reached for row in rows))


def training(
    config: str,
    corpus: Corpus,
    batch_size: int,
    mode: Mode,
    seconds: float,
    device: str = 'cuda',
    handovers: Iterable[str] = ('augmented',),
) -> Iterator[Row]:
    """Measure training steps on one batch that stays on the device, then on augmented crops from disk."""
    cfg = config_of(config, corpus)
    model = MODELS.build(dict(cfg.model, channels_last=mode.channels_last)).to(device).train()
    if mode.compiled:
        model.student.compile()
    kind = 'AmpOptimWrapper' if mode.amp else 'OptimWrapper'
    optimizer = build_optim_wrapper(model, dict(cfg.optim_wrapper, type=kind))

    def step(data: dict) -> int:
        with optimizer.optim_context(model):
            loss = model(**data, mode='loss')['loss']
        optimizer.update_params(loss)
        return len(data['inputs'])

    what, bare = f'training, batch {batch_size}, {mode.name}', 0.0
    for handover in handovers:
        batches = batches_of(cfg, batch_size, handover, device)
        if not bare:
            fixed = model.data_preprocessor(next(batches), training=True)
            bare = speed_of(lambda data=fixed: step(data), seconds, device)  # type: ignore[misc]
            yield Row(f'{what}: bare', bare, 'samples/s')
        disk = speed_of(
            lambda crops=batches: step(model.data_preprocessor(next(crops), training=True)),  # type: ignore[misc]
            seconds,
            device,
        )
        yield Row(f'{what}: from disk{HANDOVERS[handover]}', disk, 'samples/s', disk / bare, SHARE)


def batches_of(cfg: Config, batch_size: int, handover: str, device: str) -> Iterator[dict]:
    """Return batches of the training from processes on all cores but one."""
    sampler = dict(cfg.train_dataloader.sampler, num_samples=10**7)
    dataset = dict(cfg.train_dataloader.dataset, handover=handover)
    workers = dict(num_workers=max(1, num_cores() - 1), pin_memory=device.startswith('cuda'), prefetch_factor=4)
    loader = dict(cfg.train_dataloader, sampler=sampler, dataset=dataset, batch_size=batch_size, **workers)
    return iter(Runner.build_dataloader(loader, seed=0))


def crops_alone(config: str, corpus: Corpus, batch_size: int, seconds: float, device: str = 'cuda') -> Iterator[Row]:
    """Measure the way of crops to the network without the network: loaders alone, augmentation, decoding."""
    cfg = config_of(config, corpus)
    preprocessor = MODELS.build(cfg.model).to(device).data_preprocessor
    for handover, where in HANDOVERS.items():
        batches = batches_of(cfg, batch_size, handover, device)
        first = next(batches)

        def load(batches: Iterator[dict] = batches) -> int:
            return len(next(batches)['data_samples']['index'])

        def decode(images: dict = first['inputs']) -> int:
            return len(decode_crops(images, torch.device(device)))

        def augment(data: dict = first) -> int:
            return len(preprocessor(data, training=True)['inputs'])

        yield Row(f'loader alone{where}', speed_of(load, seconds, device), 'samples/s')
        if handover == 'decoded':
            yield Row('copy and augmentation alone', speed_of(augment, seconds, device), 'samples/s')
        if handover == 'encoded':
            yield Row('decoding alone', speed_of(decode, seconds, device), 'samples/s')


def extraction(config: str, corpus: Corpus, seconds: float, device: str = 'cuda') -> Iterator[Row]:
    """Measure features of crops from disk, and the bare forward pass of both views."""
    cfg, store = config_of(config, corpus), CropStore(corpus.crops_dir)
    model = MODELS.build(dict(cfg.model, channels_last=True))
    pipeline = cfg.test_dataloader.dataset.pipeline
    extractor = FeatureExtractor(model, pipeline, device, batch_size=256, half=device != 'cpu')
    views = next(inputs for _, inputs in extractor.batches(store, store.videos()) if inputs is not None)

    def bare() -> int:
        with torch.inference_mode(), torch.autocast(torch.device(device).type):
            extractor.model(views, mode='tensor')
        return len(views) // 2

    bare_rate = speed_of(bare, seconds, device)
    yield Row('extraction, half precision: bare', bare_rate, 'frames/s')
    count, start = 0, 0.0
    for _, sequence in extractor.extract_all(store, chain.from_iterable(repeat(store.videos()))):
        if not start:  # the loaders have started
            start = time.perf_counter()
            continue
        count += len(sequence)
        if time.perf_counter() - start > 2 * seconds:
            break
    speed = count / (time.perf_counter() - start)
    yield Row('extraction, half precision: from disk', speed, 'frames/s', speed / bare_rate, SHARE)


def dtw(gallery: int, seconds: float, device: str = 'cuda') -> Iterator[Row]:
    """Measure the exact search of the ten nearest of ``gallery`` clips, two views each."""
    items = [np.stack([walk, -walk], axis=1) for walk in random_walks(gallery, np.random.default_rng(0))]
    retriever = DTWRetriever(items, device=device)
    queries = iter(range(10**9))

    def search() -> int:
        retriever.search([items[next(queries) % gallery]], 10)
        return 2 * gallery

    yield Row(
        f'DTW, 1 query at a time, {gallery:,} clips of two views',
        speed_of(search, seconds, device),
        'pairs/s',
        None,
        PAIRS,
    )


def recognition(folder: Path, seconds: float, device: str = 'cuda') -> Iterator[Row]:
    """Measure epochs of few-shot recognition (240 clips, both views), on the device and on one CPU core."""
    corpus = bigru.make_corpus(folder)
    for name, config in bigru.CONFIGS.items():
        for where in dict.fromkeys((device, 'cpu')):
            epochs = bigru.our_epochs(config, corpus, where)
            yield Row(
                f'BiGRU, {name}, {where}', 60 * speed_of(lambda e=epochs: next(e)() or 1, seconds, where), 'epochs/min'
            )
