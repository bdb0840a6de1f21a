#!/usr/bin/env python3
"""Few-shot recognition: train on k actions a class, five fixed subsets each; resumes where it was stopped.

tools/fewshot.py configs/recognize/bigru_fast.py --corpus data/penn --features joints --k 16 all --jobs 2
"""

import argparse
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_corpus_arguments, add_epochs_argument, add_overwrite_argument, run_tool
from vpd_mm.errors import UserError


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a recognition or baseline config')
    add_corpus_arguments(parser)
    add_epochs_argument(parser)
    parser.add_argument('--k', nargs='+', default=['4', '8', '16', '32', '64', 'all'], help='actions a class, or all')
    parser.add_argument('--subsets', type=int, default=5, help='fixed subsets for each k')
    parser.add_argument('--seeds', type=int, default=1, help='seeds for each subset')
    parser.add_argument('--all-seeds', type=int, default=3, help='seeds with all training actions')
    parser.add_argument('--allow-short', action='store_true', help='accept classes with fewer than k actions')
    parser.add_argument(
        '--allow-missing', action='store_true', help='leave out actions without features; the table counts them'
    )
    parser.add_argument('--work-dir', help='default: work_dirs/<config name>')
    add_overwrite_argument(parser)
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields')
    return parser


def main(argv=None):
    from vpd_mm.experiments.jobs import add_job_arguments, run_with_progress

    parser = make_parser()
    add_job_arguments(parser)
    args = parser.parse_args(argv)

    from vpd_mm.experiments import Method, RunStore, few_shot_spec, plan_runs, summarize, write_table
    from vpd_mm.experiments.store import check_table
    from vpd_mm.features.corpus_config import datasets_of, load_corpus_config

    for k in args.k:
        if k != 'all' and not (k.isdigit() and int(k) > 0):
            raise UserError(f'--k {k}: must be a number above 0 or all')
    cfg = load_corpus_config(args, args.allow_missing)
    work_dir = Path(cfg.work_dir)
    corpus = next(datasets_of(cfg, 'test')).corpus
    method = Method(Path(args.config).stem, config=args.config, cfg=cfg)
    names = ('subsets', 'seeds', 'all_seeds', 'protocol', 'allow_short', 'allow_missing')
    ks = [k if k == 'all' else int(k) for k in args.k]
    plan = plan_runs(few_shot_spec(method, corpus, ks, **{name: getattr(args, name) for name in names}))
    for problem in plan.problems.values():
        raise UserError(problem)
    for name in ('results.csv', 'summary.csv'):
        check_table(work_dir / name, args.overwrite)
    store = RunStore(work_dir / 'runs')
    failed = run_with_progress(plan, store, args)
    results = store.to_frame()
    write_table(work_dir / 'results.csv', results, args.overwrite)
    write_table(work_dir / 'summary.csv', summarize(results), args.overwrite)
    print_summary(summarize(store.to_frame(plan.runs)), f'{method.name} on {corpus}')
    if failed:
        raise UserError(f'{len(failed)} runs failed; the first: {next(iter(failed.values()))}')


def print_summary(summary, title: str) -> None:
    from rich.table import Table

    from vpd_mm.engine.console import PlainConsole

    columns = [
        name
        for name in ('features', 'protocol', 'k', 'runs', 'top1_mean', 'top1_sd', 'top5_mean', 'left_out')
        if name in summary
    ]
    table = Table(*columns, title=title)
    for row in summary[columns].round(2).itertuples(index=False):
        table.add_row(*map(str, row))
    PlainConsole().print(table)


if __name__ == '__main__':
    run_tool(main)
