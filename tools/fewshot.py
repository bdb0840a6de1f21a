#!/usr/bin/env python3
"""Few-shot recognition: train on k actions a class, five fixed subsets each; goes on where it was stopped."""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, load_config, run_tool
from vpd_mm.errors import UserError


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='a recognition config')
    parser.add_argument('--corpus', help='folder of the corpus; default: that of the config')
    parser.add_argument('--features', help='features/<run>, teacher/<name> or a bare name; a+b puts them together')
    parser.add_argument('--k', nargs='+', default=['4', '8', '16', '32', '64', 'all'], help='actions a class, or all')
    parser.add_argument('--subsets', type=int, default=5, help='fixed subsets for each k')
    parser.add_argument('--seeds', type=int, default=1, help='seeds for each subset')
    parser.add_argument('--all-seeds', type=int, default=3, help='seeds with all training actions')
    parser.add_argument('--protocol', choices=('default', 'paper'), default='default', help='where the model is chosen')
    parser.add_argument('--allow-short', action='store_true', help='a class with fewer than k actions gives all it has')
    parser.add_argument('--allow-missing', action='store_true', help='leave out actions without features')
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side, a process each')
    parser.add_argument('--work-dir', help='default work_dirs/<config name>')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields')
    args = parser.parse_args(argv)
    args.launcher, args.local_rank = 'none', 0
    cfg = load_config(args)

    from rich.console import Console
    from rich.table import Table

    from vpd_mm.experiments.few_shot_grid import GridRun, run_grid, summarize
    from vpd_mm.features.corpus_config import adapt_config, datasets_of

    runs = []
    for k in args.k:
        if k != 'all' and not (k.isdigit() and int(k) > 0):
            raise UserError(f'--k {k}: must be a number above 0 or all')
        few = k != 'all'
        for subset in range(args.subsets if few else 1):
            runs += [GridRun(int(k) if few else None, subset, s) for s in range(args.seeds if few else args.all_seeds)]
    corpus = args.corpus or next(datasets_of(cfg, 'test')).corpus
    cfg = adapt_config(cfg, corpus, features=args.features, allow_missing=args.allow_missing)
    console = Console()
    name = Path(args.config).stem
    rows = run_grid(
        cfg,
        name,
        runs,
        Path(cfg.work_dir if args.work_dir else Path('work_dirs') / name),
        args.protocol,
        args.jobs,
        args.allow_short,
        lambda r: console.print(f'k={r.k} subset {r.subset} seed {r.seed}: top1 {r.top1:.2f} ({r.seconds:.0f} s)'),
    )
    lines = summarize(rows)
    columns = ('features', 'protocol', 'k', 'runs', 'top1_mean', 'top1_sd', 'top5_mean', 'mean1_mean', 'mean1_sd')
    table = Table(*columns, title=f'{name} on {corpus}')
    for line in lines:
        table.add_row(*(str(line[column]) for column in columns))
    console.print(table)


if __name__ == '__main__':
    run_tool(main)
