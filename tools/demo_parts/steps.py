"""Helpers of both demonstrations: timed steps, trainings that resume, results that are computed once."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from rich.console import Console

from vpd_mm.engine.paths import newest_best
from vpd_mm.engine.progress import OnProgress, progress_bar
from vpd_mm.engine.resume import config_digest, sole_training
from vpd_mm.engine.run import build_runner
from vpd_mm.errors import UserError
from vpd_mm.structures import atomic_write


class Steps:
    """Show the steps of a run and add up their seconds, over all calls of the command, in ``seconds.json``.

    Args:
        root: Folder of the run; ``demo.json`` in it records ``identity``.
        identity: Everything that decides the results.
        console: Progress is printed here.

    Raises:
        UserError: the folder belongs to another run, or to no demonstration.
    """

    def __init__(self, root: Path, identity: dict, console: Console) -> None:
        path = root / 'demo.json'
        if root.is_file() or (root.is_dir() and any(root.iterdir()) and not path.is_file()):
            raise UserError(f'{root}: is not empty and holds no demonstration (no demo.json); pass another --out')
        made = once(path, lambda: identity)
        if made != identity:
            raise UserError(f'{root}: was made with {made}, not with {identity}; delete it or pass another --out')
        self.root, self.console = root, console
        self.seconds: dict[str, float] = once(root / 'seconds.json', dict)

    @contextmanager
    def __call__(self, name: str, text: str) -> Iterator[OnProgress]:
        start = time.monotonic()
        self.console.print(f'{text} ...', highlight=False)
        try:
            with progress_bar(text, console=self.console) as on_progress:
                yield on_progress
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 1)
            write_json(self.root / 'seconds.json', self.seconds)
        self.console.print(f'{text}: {time.monotonic() - start:.0f} s', highlight=False)


class ProgressHook(Hook):
    """Call ``on_progress`` after every iteration of a training."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.on_progress(runner.iter + 1, runner.max_iters)


def epoch_options(epochs: int) -> dict:
    """Config options of a training of ``epochs`` epochs with a cosine schedule."""
    cosine = dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True)
    return {'log_level': 'WARNING', 'train_cfg.max_epochs': epochs, 'param_scheduler': [cosine]}


def train(cfg: Config, work_dir: Path, on_progress: OnProgress) -> Path:
    """Train, resume a stopped training or skip a finished one; returns the best checkpoint.

    The digest of the config is part of the folder's name: other settings never reuse a checkpoint.
    """
    work_dir = work_dir.with_name(f'{work_dir.name}-{config_digest(cfg)}')

    def run() -> dict:
        with sole_training(work_dir) as resume:
            cfg.work_dir, cfg.experiment_name, cfg.resume = str(work_dir), work_dir.name, resume
            runner = build_runner(cfg)
            runner.register_hook(ProgressHook(on_progress))
            runner.train()
        best = newest_best(work_dir) or Path((work_dir / 'last_checkpoint').read_text(encoding='utf-8').strip())
        return {'checkpoint': best.name}

    return work_dir / once(work_dir.with_suffix('.json'), run)['checkpoint']


def measure(cfg: Config, checkpoint: Path) -> dict[str, float]:
    """Metrics of a checkpoint on the test part of its config; computed once."""

    def run() -> dict:
        cfg.work_dir, cfg.load_from, cfg.resume = str(checkpoint.parent / 'test'), str(checkpoint), False
        cfg.experiment_name = f'{checkpoint.parent.name}-test'
        return {name.partition('/')[2]: float(value) for name, value in build_runner(cfg).test().items()}

    return once(checkpoint.parent / 'test.json', run)


def training_curves(work_dir: Path) -> dict[str, tuple[list, list]]:
    """Loss and validation error over the epochs, from the logs of mmengine; nothing without a log."""
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for log in logs for line in log.read_text(encoding='utf-8').splitlines()]
    errors = {row['step']: row['distill/sq_error'] for row in rows if 'distill/sq_error' in row}
    losses = {row['step']: row['loss'] for row in rows if 'loss' in row}
    scale = max(errors, default=1) / max(losses, default=1)
    return {
        'training': ([step * scale for step in losses], list(losses.values())),
        'validation': (list(errors), list(errors.values())),
    }


@contextmanager
def terminal(log_path: Path) -> Iterator[Console]:
    """Give a console on the terminal; all other output, also that of child processes, goes to ``log_path``."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        with log_path.open('ab') as log, os.fdopen(os.dup(1), 'w') as out:
            for number in saved:
                os.dup2(log.fileno(), number)
            yield Console(file=out, soft_wrap=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)


def once(path: Path, compute: Callable[[], dict]) -> dict:
    """Read the JSON of ``path``; if there is none, compute and write it first."""
    if not path.is_file():
        write_json(path, compute())
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as e:
        raise UserError(f'{path}: no valid JSON ({e}); delete the file and run again') from e


def write_json(path: Path, content: dict) -> None:
    with atomic_write(path, 'w') as f:
        json.dump(content, f, indent=1)
        f.write('\n')
