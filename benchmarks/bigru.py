"""Time of one epoch of few-shot recognition, in this package and as published, with one thread."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.paths import find_config
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.registry import MODELS
from vpd_mm.structures import Action, FeatureSequence, save_actions, save_classes

#: Goal of the README: speed-up.
GOAL = 5.0
NUM_CLASSES, CLIPS_A_CLASS, DIMS, BATCH = 15, 16, 26, 50
#: Frames of Penn Action's clips at 5 % steps, from the shortest to the longest.
PENN_FRAMES = (18, 30, 34, 37, 40, 43, 45, 48, 50, 53, 56, 60, 64, 68, 73, 78, 85, 95, 112, 147, 657)
CONFIGS = {
    'full length': 'configs/recognize/bigru.py',
    '32 frames, velocities, changed joints': 'configs/recognize/bigru_fast.py',
}


class PackedBaseline(nn.Module):
    """The published recognizer, built from standard PyTorch modules."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)
        self.gru = nn.GRU(DIMS, 128, 2, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(
            nn.BatchNorm1d(256),
            nn.Dropout(0.5),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.BatchNorm1d(256),
            nn.Dropout(0.5),
            nn.Linear(256, NUM_CLASSES),
        )

    def forward(self, feats: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.dropout(feats), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, padding_value=-1e9)
        return self.head(states.amax(1))


def make_corpus(root: Path, seed: int = 0) -> Corpus:
    """Make 16 clips a class with the lengths of Penn Action and random features."""
    rng = np.random.default_rng(seed)
    corpus = Corpus.create(root)
    count = NUM_CLASSES * CLIPS_A_CLASS
    shares = (rng.permutation(count) + 0.5) / count
    frames = np.interp(shares, np.linspace(0, 1, len(PENN_FRAMES)), PENN_FRAMES).round().astype(int)
    corpus.add_videos([VideoInfo(f'v{i:03d}', '', 25.0, int(n), 64, 64) for i, n in enumerate(frames)])
    corpus.actions_path.parent.mkdir()
    save_classes(corpus.classes_path, [f'class{i}' for i in range(NUM_CLASSES)])
    actions = [Action(f'v{i:03d}', f'v{i:03d}', 0, int(n), i % NUM_CLASSES, 'train') for i, n in enumerate(frames)]
    save_actions(corpus.actions_path, actions)
    for i, n in enumerate(frames):
        feats = rng.normal(0, 0.3, (n, 2, DIMS)).astype(np.float32)
        sequence = FeatureSequence(np.arange(n), feats, np.ones(n, np.float32))
        sequence.save(corpus.teacher_dir('joints') / f'v{i:03d}.npz')
    return corpus


def published_epochs(corpus: Corpus) -> Iterator[Callable[[], None]]:
    """Yield epochs of shuffled batches of 50, padded to their longest sequence and packed."""
    sequences, labels = [], []
    for i, name in enumerate(corpus.videos()):
        feats = FeatureSequence.load(corpus.teacher_dir('joints') / f'{name}.npz').feats
        sequences += [torch.from_numpy(feats[:, view].copy()) for view in range(2)]
        labels += [i % NUM_CLASSES] * 2
    targets = torch.tensor(labels)
    model = PackedBaseline().train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def epoch() -> None:
        for picked in torch.randperm(len(sequences)).split(BATCH):
            batch = [sequences[i] for i in picked]
            lengths = torch.tensor([len(sequence) for sequence in batch])
            logits = model(pad_sequence(batch, batch_first=True), lengths)
            loss = nn.functional.cross_entropy(logits, targets[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    while True:
        yield epoch


def our_epochs(config: str, corpus: Corpus, device: str = 'cpu') -> Iterator[Callable[[], None]]:
    """Yield epochs of a recognition config, with its data set, sampler, transforms and model."""
    cfg = adapt_config(Config.fromfile(find_config(config)), str(corpus.root))
    init_default_scope(cfg.default_scope)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    model = MODELS.build(cfg.model).to(device).train()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)

    def epoch() -> None:
        loader.batch_sampler.sampler.set_epoch(loader.batch_sampler.sampler.epoch + 1)
        for batch in loader:
            model.train_step(batch, optimizer)

    while True:
        yield epoch


def measure(corpus: Corpus, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each epoch of each method; they alternate, so that other load affects all of them."""
    methods = {'published': published_epochs(corpus)}
    methods |= {name: our_epochs(config, corpus) for name, config in CONFIGS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, epochs in methods.items():
            epoch = next(epochs)
            start = time.process_time()
            epoch()
            seconds[name].append(time.process_time() - start)
    return seconds


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a method, return 1 where the goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py bigru')
    parser.add_argument('--rounds', type=int, default=3, help='epochs of each method; the median counts')
    args = parser.parse_args(argv)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            seconds = measure(make_corpus(Path(folder) / 'corpus'), args.rounds)
    finally:
        torch.set_num_threads(threads)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    for name, value in medians.items():
        times = medians['published'] / value
        print(f'{name}: {value:.2f} s an epoch of {2 * NUM_CLASSES * CLIPS_A_CLASS} sequences, {times:.1f} x')
    best = medians['published'] / min(medians.values())
    print(f'goal: {GOAL:g} x, reached {best:.1f} x: {"yes" if best >= GOAL else "NO"}')
    return int(best < GOAL)
