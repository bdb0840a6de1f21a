"""VIPE*: training speed, size, embedding speed, and retrieval of poses across cameras by the packed model."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from rich.table import Table
from torch.utils.data import default_collate

from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.paths import find_config
from vpd_mm.registry import DATASETS, METRICS, MODELS

#: Goals: poses/s of one core, hit@1 relative to 2D joints, share of poses whose mirror image lies farther than another
#: view.
GOALS = {'poses': 4000.0, 'gain': 2.0, 'chirality': 0.9}
Row = tuple[str, str, str, bool]


def run(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py vipe')
    parser.add_argument('--config', default='configs/teacher/vipe_fc1024_500e_synthetic.py', help='of the speed test')
    parser.add_argument('--model', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='to evaluate (default: the packed)')
    parser.add_argument('--seconds', type=float, default=5.0, help='of each measurement')
    parser.add_argument('--poses', type=int, help='number of poses to retrieve (default: those of the config)')
    args = parser.parse_args(argv)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    init_default_scope('vpd_mm')
    try:
        rows = measure_speed(Config.fromfile(find_config(args.config)), args.seconds)
        config, checkpoint = args.model or _packed()
        rows += measure_retrieval(config, checkpoint, args.poses)
    finally:
        torch.set_num_threads(threads)
    table = Table('what', 'measured', 'goal', 'met', title='vipe, 1 thread, processor time')
    for name, measured, goal, met in rows:
        table.add_row(name, measured, goal, 'yes' if met else 'NO')
    PlainConsole().print(table)
    return 0 if all(row[3] for row in rows) else 1


def _packed() -> tuple[str, str]:
    from vpd_mm.synthetic.checkpoints import packed_model

    return packed_model('vipe')


def _rate(step, seconds: float) -> float:
    """Return items per CPU second of ``step``, which returns its number of items; the first call is not counted."""
    step()
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        count += step()
    return count / (time.process_time() - start)


def measure_speed(cfg: Config, seconds: float) -> list[Row]:
    """Measure data and training, the size of the encoder, and the encoder alone."""
    loader_cfg = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False)
    loader_cfg['sampler'] = dict(loader_cfg['sampler'], num_samples=10**7)
    for source in loader_cfg['dataset'].sources:
        source.source.num = 2000
    batches = iter(Runner.build_dataloader(loader_cfg, seed=0))
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)

    def data() -> int:
        return len(next(batches)['inputs'])

    def train() -> int:
        batch = next(batches)
        model.train_step(batch, optimizer)
        return len(batch['inputs'])

    inputs = torch.randn(1000, 13, 3)

    @torch.inference_mode()
    def embed() -> int:
        return len(model.encoder(inputs))

    made = _rate(data, seconds)
    model.train()
    trained = _rate(train, seconds)
    model.eval()
    poses = _rate(embed, seconds)
    weights = sum(parameter.numel() for parameter in model.encoder.parameters())
    return [
        ('pairs of views made', f'{made:.0f}/s', '', True),
        (f'training, batch {len(next(batches)["inputs"])}, data included', f'{trained:.0f} pairs/s', '', True),
        ('encoder', f'{weights:,} parameters, {4 * weights / 1e6:.1f} MB', '', True),
        ('poses embedded', f'{poses:.0f}/s', f'>= {GOALS["poses"]:.0f}', poses >= GOALS['poses']),
    ]


def measure_retrieval(config: str, checkpoint: str, num_poses: int | None) -> list[Row]:
    """Measure hit@k and chirality on the test set of the config, with new athletes, motions and cameras."""
    metrics = evaluate(config, checkpoint, num_poses)
    ks = [name for name in metrics if name.startswith('hit@')]
    rows: list[Row] = [
        (f'cross-view {k}', f'{metrics[k]:.3f} (2D joints {metrics[f"joints_{k}"]:.3f})', '', True) for k in ks
    ]
    gain, chirality = metrics['gain'], metrics['chirality']
    rows.append(('hit@1 beside 2D joints', f'{gain:.2f} x', f'>= {GOALS["gain"]:g} x', gain >= GOALS['gain']))
    name = f'mirror image farther than another view, {metrics["chiral_share"]:.0%} of poses'
    rows.append((name, f'{chirality:.1%}', f'>= {GOALS["chirality"]:.0%}', chirality >= GOALS['chirality']))
    rows.append(('the same, of all poses', f'{metrics["chirality_all"]:.1%}', '', True))
    packed = Path(checkpoint).stat().st_size / 1e6
    rows.append((f'file of {Path(config).stem}', f'{packed:.1f} MB', '<= 8 MB', packed <= 8))
    return rows


def evaluate(config: str, checkpoint: str, num_poses: int | None = None, split: str = 'test') -> dict[str, float]:
    """Return the metrics of a model on the test or validation set of its config."""
    from vpd_mm.teacher import load_encoder

    cfg = Config.fromfile(find_config(config))
    if num_poses is not None:
        cfg[f'{split}_dataloader'].dataset.sources[0].source.num = num_poses
    model = MODELS.build(cfg.model).eval()
    model.encoder = load_encoder(cfg, checkpoint)
    dataset, metric = DATASETS.build(cfg[f'{split}_dataloader'].dataset), METRICS.build(cfg.test_evaluator)
    for start in range(0, len(dataset), 500):
        batch = default_collate(dataset.__getitems__(np.arange(start, min(start + 500, len(dataset))).tolist()))
        with torch.inference_mode():
            metric.process(batch, model(**batch, mode='predict'))
    return metric.compute_metrics(metric.results)
