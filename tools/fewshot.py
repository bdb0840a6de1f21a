#!/usr/bin/env python3
"""Few-shot recognition: train on k actions a class, five fixed subsets each; resumes where it was stopped.

tools/fewshot.py configs/recognize/bigru_fast.py --corpus data/penn --features joints --k 16 all --jobs 2
"""

from pathlib import Path

from vpd_mm.engine.cli import (
    ToolParser,
    add_cfg_options_argument,
    add_corpus_arguments,
    add_epochs_argument,
    add_overwrite_argument,
    refuse_options,
    run_tool,
)
from vpd_mm.errors import UserError, counted

TABLES = ('results.csv', 'summary.csv', 'predictions.csv', 'confusion.csv')
#: Classes up to which the confusion is printed, not only written.
LARGEST_CONFUSION = 10


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='a recognition or baseline config')
    add_corpus_arguments(parser)
    add_epochs_argument(parser)
    fit = '(default: those of 4 8 16 32 64 all that every class has)'
    parser.add_argument('--k', nargs='+', default=[], help=f'training actions a class, or all {fit}')
    parser.add_argument('--subsets', type=int, default=5, help='fixed subsets for each k')
    parser.add_argument('--seeds', type=int, default=1, help='seeds for each subset')
    parser.add_argument('--all-seeds', type=int, default=3, help='seeds with all training actions')
    parser.add_argument('--allow-short', action='store_true', help='accept classes with fewer than k actions')
    parser.add_argument(
        '--allow-missing', action='store_true', help='leave out actions without features; the table counts them'
    )
    parser.add_argument('--work-dir', help='folder of runs and tables (default: work_dirs/<config name>)')
    add_overwrite_argument(parser)
    add_cfg_options_argument(parser)
    return parser


def main(argv=None):
    from vpd_mm.experiments.jobs import add_job_arguments, run_with_progress

    parser = make_parser()
    add_job_arguments(parser)
    args = parser.parse_args(argv)
    refuse_options(args, {'train_dataloader.dataset.ids_file': '--k'})

    from vpd_mm.corpus import Corpus
    from vpd_mm.engine.model_files import record_trained
    from vpd_mm.engine.tool_list import tool_command
    from vpd_mm.experiments import (
        Method,
        RunStore,
        add_to_table,
        confusion_of,
        few_shot_spec,
        fit_ks,
        plan_runs,
        predictions_of,
        summarize,
        write_table,
    )
    from vpd_mm.experiments.store import check_table
    from vpd_mm.features.clip_summary import infer_command
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
    spec, note = fit_ks(few_shot_spec(method, corpus, ks, **{name: getattr(args, name) for name in names}))
    if note:
        print(f'{note} (--k selects others)')
    plan = plan_runs(spec)
    for problem in plan.problems.values():
        raise UserError(problem)
    for name in TABLES:
        check_table(work_dir / name, args.overwrite)
    store = RunStore.of_tool(work_dir)
    failed = run_with_progress(plan, store, args)
    finished, predictions = store.to_frame(plan.runs), predictions_of(plan.runs, store)
    results, confusion = add_to_table(work_dir / 'results.csv', finished), confusion_of(predictions)
    for name, table in zip(TABLES, (results, summarize(results), predictions, confusion), strict=True):
        write_table(work_dir / name, table, args.overwrite)
    print_summary(summarize(finished), confusion, f'{method.name} on {corpus}')
    print(f'wrote {work_dir}: {", ".join(TABLES)}')
    if failed:
        raise UserError(f'{counted(len(failed), "run")} failed; the first: {next(iter(failed.values()))}')
    # the first model of the largest k: the best one is known only from the test clips
    run = max(plan.runs, key=lambda run: (run.k is None, run.k or 0, -run.subset, -run.seed))
    record_trained(work_dir, [store.root / store[run.key]['checkpoint']])
    on_video = infer_command(Corpus.open(corpus), run.features, '--recognizer', work_dir) if run.features else ''
    print('next:', on_video or tool_command('test', work_dir))


def print_summary(summary, confusion, title: str) -> None:
    """Print accuracies beside chance, the confusion at the largest k, and warnings."""
    import pandas as pd
    from rich.table import Table

    from vpd_mm.engine.console import PlainConsole
    from vpd_mm.experiments.predictions import INTERVAL_TEXT, share_of, test_set_text

    console, rows = PlainConsole(), [row for row in summary.to_dict('records') if share_of(row)]
    if not rows:
        return
    columns = {'runs': 'runs', 'top1_mean': 'top-1, %', 'top1_sd': 'sd', 'top5_mean': 'top-5, %'}
    columns['left_out'] = 'left out'
    columns = {name: text for name, text in columns.items() if name in summary and summary[name].notna().any()}
    table = Table('k', *columns.values(), '95 % interval', 'chance, %', title=title)
    for row in rows:
        cells = ('-' if pd.isna(row[name]) else str(round(row[name], 1)) for name in columns)
        share = share_of(row)
        table.add_row(str(row['k']), *cells, share.interval_text, f'{100 * share.chance:.1f}')
    console.print(table)
    last, names = rows[-1], [name for name in confusion if name.startswith('predicted_')]
    if len(names) <= LARGEST_CONFUSION:
        runs = f'sum of {last["runs"]} runs' if last['runs'] > 1 else 'of one run'
        console.print(f'k={last["k"]}: test clips by class (row) and predicted class (column), {runs}')
        table = Table('', *(name.removeprefix('predicted_') for name in names))
        for row in confusion[confusion['k'] == last['k']][['label', *names]].itertuples(index=False):
            table.add_row(*map(str, row))
        console.print(table)
    console.print(test_set_text(last), INTERVAL_TEXT, sep='\n', soft_wrap=True)
    for row in rows:
        if row['warning']:
            console.print(f'warning: k={row["k"]}: {row["warning"]}', style='yellow', soft_wrap=True)


if __name__ == '__main__':
    run_tool(main)
