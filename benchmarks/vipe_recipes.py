"""VIPE*: train recipes side by side for the same time on one GPU, and evaluate them on unseen synthetic poses.

python tools/benchmark.py vipe-recipes --out runs/vipe --seconds 270 [packed published ...]
"""

import json
import math
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from rich.table import Table

from vpd_mm.engine.checkpoint_packer import pack_checkpoint
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.paths import find_config
from vpd_mm.engine.run import build_runner
from vpd_mm.errors import UserError
from vpd_mm.files import MARK, check_output, open_output, read_bytes, read_json

from .vipe import evaluate

PACKED = 'configs/teacher/vipe_fc512_240e_synthetic.py'
PUBLISHED = 'configs/teacher/vipe_fc1024_500e_synthetic.py'
_DATA = 'train_dataloader.dataset.'
_SAMPLING = {_DATA + 'negatives': True, _DATA + 'twins': False, _DATA + 'projected': 0.5}
_PAPER_LOSS = {'model.decode_weight': 1.0, 'model.encoder.plain': False}
#: Name to (config, overrides).  All train on the poses of ``PACKED``; all but 'published' have its size and schedule.
RECIPES: dict[str, tuple[str, dict]] = {
    'packed': (PACKED, {}),
    'published': (PUBLISHED, {}),
    'published-small': (PACKED, {**_PAPER_LOSS, **_SAMPLING}),
    'published-twins': (PACKED, {**_PAPER_LOSS, _DATA + 'projected': 0.5}),
    'decode-0.03': (PACKED, {'model.decode_weight': 0.03, 'model.encoder.plain': False}),
    'decode-0.1': (PACKED, {'model.decode_weight': 0.1, 'model.encoder.plain': False}),
    'decode-0.1-projected': (
        PACKED,
        {'model.decode_weight': 0.1, 'model.encoder.plain': False, _DATA + 'projected': 0.25},
    ),
}


class TimedSchedule(Hook):
    """Stop after ``seconds``; ``cosine``: 100 steps of warm-up, then a cosine over that time."""

    def __init__(self, seconds: float, cosine: bool) -> None:
        self.seconds, self.cosine = seconds, cosine
        self.start = math.nan

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 0:
            self.start, self.rates = time.monotonic(), [g['lr'] for g in runner.optim_wrapper.param_groups]
        if self.cosine:
            done = min((time.monotonic() - self.start) / self.seconds, 1)
            factor = min((runner.iter + 1) / 100, 1) * (1 + math.cos(math.pi * done)) / 2
            for group, rate in zip(runner.optim_wrapper.param_groups, self.rates, strict=True):
                group['lr'] = rate * factor

    def after_train_epoch(self, runner) -> None:
        if time.monotonic() - self.start >= self.seconds:
            runner.train_loop.stop_training = True


def recipe_config(name: str, batch_size: int, poses: int) -> Config:
    """Return the config of a recipe without its schedule; ``poses`` is the number of each of its two sources."""
    config, overrides = RECIPES[name]
    cfg = Config.fromfile(find_config(config))
    cfg.train_dataloader.dataset.sources = Config.fromfile(find_config(PACKED)).train_dataloader.dataset.sources
    for entry in cfg.train_dataloader.dataset.sources:
        entry.source.num = poses
    cfg.merge_from_dict(overrides)
    if config == PACKED:
        cfg.train_dataloader.batch_size = batch_size
    cfg.train_dataloader.sampler.num_samples = 50 * cfg.train_dataloader.batch_size
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=10**6, val_interval=10**6)
    cfg.param_scheduler = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False)
    cfg.default_hooks.logger.interval = 100
    cfg.log_level = 'WARNING'
    return cfg


def train(name: str, work: Path, args: tuple[float, int, int, int | None]) -> None:
    """Train one recipe; writes ``packed.pth`` (encoder) and ``metrics.json`` into ``work``."""
    seconds, batch_size, poses, test_poses = args
    torch.set_num_threads(1)
    init_default_scope('vpd_mm')
    cfg = recipe_config(name, batch_size, poses)
    cfg.work_dir, cfg.experiment_name = str(work), name
    runner = build_runner(cfg)
    runner.register_hook(TimedSchedule(seconds, cosine='custom_hooks' in cfg), 'VERY_HIGH')
    runner.train()
    runner.save_checkpoint(str(work), 'last.pth')
    pack_checkpoint(work / 'last.pth', work / 'packed.pth', 16 << 20, 'encoder.')
    metrics: dict = {'iterations': runner.iter, 'batch_size': cfg.train_dataloader.batch_size, 'seconds': seconds}
    cfg.dump(work / 'recipe.py')
    for split in ('val', 'test'):
        values = evaluate(str(work / 'recipe.py'), str(work / 'packed.pth'), test_poses, split)
        metrics |= {f'{split}/{key}': round(value, 4) for key, value in values.items()}
    (work / 'metrics.json').write_text(json.dumps(metrics))
    print(name, metrics, flush=True)


def run(argv: Sequence[str] | None = None) -> int:
    parser = ToolParser(__doc__, prog='benchmark.py vipe-recipes')
    parser.add_argument('recipes', nargs='*', help=f'default: all of {", ".join(RECIPES)}')
    parser.add_argument('--out', type=Path, required=True, help='folder of the checkpoints and metrics.json')
    parser.add_argument('--seconds', type=float, default=270, help='of each training')
    parser.add_argument('--batch-size', type=int, default=512, help="of all but 'published'")
    parser.add_argument('--poses', type=int, default=16000, help='in motion, and as many in no motion')
    parser.add_argument('--test-poses', type=int, help='default: 500 of validation, 2000 of test')
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)
    names = args.recipes or list(RECIPES)
    if unknown := [name for name in names if name not in RECIPES]:
        raise UserError(f'no recipe {unknown[0]!r}; there are {", ".join(RECIPES)}')
    for path in [args.out / f'{name}.pth' for name in names] + [args.out / 'metrics.json']:
        check_output(path, overwrite=args.overwrite)
    options = (args.seconds, args.batch_size, args.poses, args.test_poses)
    metrics = {}
    with tempfile.TemporaryDirectory(prefix='vipe_') as scratch:
        work = {name: Path(scratch) / name for name in names}
        processes = [get_context('spawn').Process(target=train, args=(name, work[name], options)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        for name in names:
            if (work[name] / 'metrics.json').is_file():
                metrics[name] = read_json(work[name] / 'metrics.json', 'run it again')
                with open_output(args.out / f'{name}.pth', overwrite=args.overwrite) as f:
                    f.write(read_bytes(work[name] / 'packed.pth'))
    with open_output(args.out / 'metrics.json', 'w', overwrite=args.overwrite) as f:
        json.dump({**metrics, 'comment': MARK}, f, indent=1)
    table = Table('recipe', 'steps', *[f'{s} {k}' for s in ('val', 'test') for k in ('hit@1', 'chirality')])
    for name, values in metrics.items():
        shown = [f'{values[f"{s}/{k}"]:.3f}' for s in ('val', 'test') for k in ('hit@1', 'chirality')]
        table.add_row(name, str(values['iterations']), *shown)
    PlainConsole().print(table)
    return 0 if len(metrics) == len(names) else 1
