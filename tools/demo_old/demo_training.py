"""Configs of the project, cut to a scale, and run inside the demonstration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from demo_old.stage_runner import Moved
from vpd_mm.engine.paths import find_config, newest_best
from vpd_mm.engine.resume import sole_training
from vpd_mm.engine.run import build_runner


class MovedHook(Hook):
    """Tell how many steps of a training are done."""

    def __init__(self, moved: Moved) -> None:
        self.moved = moved

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.moved(runner.iter + 1, runner.max_iters)


def quiet_config(name: str, **fields) -> Config:
    """The config ``name`` of this project with ``fields`` (dotted keys) merged, silent on the terminal."""
    cfg = Config.fromfile(str(find_config(name)))
    cfg.merge_from_dict({'log_level': 'WARNING', **fields})
    return cfg


def with_epochs(cfg: Config, epochs: int) -> Config:
    """A copy that trains for so many epochs under one cosine."""
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    cfg.max_epochs = cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler = dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True)
    return cfg


def with_iters(cfg: Config, iters: int) -> Config:
    """A copy of an iteration-based config that trains for so many steps: warm-up, then one cosine."""
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    warmup, interval = max(iters // 7, 1), max(iters // 5, 1)
    cfg.train_cfg.update(max_iters=iters, val_interval=interval)
    cfg.default_hooks.checkpoint.interval = interval
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.04, begin=0, end=warmup, by_epoch=False),
        dict(type='CosineAnnealingLR', T_max=iters - warmup, begin=warmup, end=iters, by_epoch=False),
    ]
    return cfg


def train(cfg: Config, work_dir: Path, moved: Moved) -> Path:
    """Train to the end, or on from where it was stopped.

    Returns:
        The best checkpoint, or the last where the config chooses none.
    """
    cfg = prepared(cfg, work_dir)
    with sole_training(work_dir) as resume:
        cfg.resume = resume
        runner = build_runner(cfg)
        runner.register_hook(MovedHook(moved))
        runner.train()
    return newest_best(work_dir) or Path((work_dir / 'last_checkpoint').read_text(encoding='utf-8').strip())


def measure(cfg: Config, checkpoint: Path, work_dir: Path) -> dict[str, float]:
    """The numbers of the test part of a config."""
    cfg = prepared(cfg, work_dir)
    cfg.load_from, cfg.resume = str(checkpoint), False
    found = build_runner(cfg).test()
    return {name.partition('/')[2]: float(value) for name, value in found.items()}


def prepared(cfg: Config, work_dir: Path) -> Config:
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    cfg.work_dir, cfg.launcher = str(work_dir), 'none'
    # mmengine keeps visualizers by this name for the life of the process
    cfg.experiment_name = str(work_dir.resolve()).replace('/', '-')
    return cfg


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(count, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def stepped(moved: Moved, items: Sequence) -> Iterator:
    """The items, telling which one is at work."""
    for done, item in enumerate(items):
        moved(done, len(items))
        yield item
    moved(len(items), len(items))


__all__ = [
    'MovedHook',
    'measure',
    'prepared',
    'quiet_config',
    'stepped',
    'threads',
    'train',
    'with_epochs',
    'with_iters',
]
