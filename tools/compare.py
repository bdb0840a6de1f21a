#!/usr/bin/env python3
"""Compare methods on the same clips: run what is missing, then write tables, plot and metafile rows.

tools/compare.py configs/compare/features.py --corpus data/real
tools/compare.py configs/compare/penn_action.py --jobs 2
tools/compare.py configs/compare/penn_action.py --executor slurm --jobs 8 --gpus 4 --partition gpu
tools/compare.py configs/compare/penn_action.py --no-run --metafile metafile.yml --readme README.md
"""

import argparse
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_cfg_options_argument, add_overwrite_argument, load_config, run_tool
from vpd_mm.errors import UserError, counted

TABLES = ('results.csv', 'predictions.csv', 'confusion.csv')


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__)
    parser.add_argument('configs', nargs='+', metavar='config', help='comparisons, one or several of configs/compare/')
    parser.add_argument('--corpus', metavar='DIR', help='folder of the corpus (default: that of the config)')
    parser.add_argument('--work-dir', help='folder of runs and tables (default: work_dirs/<config name>)')
    parser.add_argument('--only', nargs='+', default=[], metavar='METHOD', help='only these rows')
    parser.add_argument('--skip-missing', action='store_true', help='leave out methods whose inputs are missing')
    parser.add_argument('--no-run', action='store_true', help='only write the tables of what is finished')
    parser.add_argument('--metafile', type=Path, help='put its rows into a metafile.yml, the plot beside it')
    parser.add_argument('--readme', type=Path, help='put its table between <!-- compare:NAME --> and <!-- /compare -->')
    add_overwrite_argument(parser)
    add_cfg_options_argument(parser)
    return parser


def main(argv=None):
    from vpd_mm.experiments.jobs import add_job_arguments

    parser = make_parser()
    add_job_arguments(parser)
    args = parser.parse_args(argv)
    if args.work_dir and len(args.configs) > 1:
        raise UserError(f'--work-dir {args.work_dir}: holds one comparison, found {len(args.configs)} configs')
    failed = [error for config in args.configs for error in compare(config, args)]
    if failed:
        raise UserError(f'{counted(len(failed), "run")} failed; the first: {failed[0]}')


def compare(config: str, args: argparse.Namespace) -> list[str]:
    """Run and report one comparison; returns the error lines of failed runs."""
    import pandas as pd

    from vpd_mm.engine.config import read_config
    from vpd_mm.experiments import DEFAULTS, RunStore, add_to_table, fit_ks, plan_runs, read_spec
    from vpd_mm.experiments.jobs import run_with_progress
    from vpd_mm.experiments.store import check_table
    from vpd_mm.files import check_output

    suffix, top = Path(args.corpus).resolve().name if args.corpus else '', [*read_config(DEFAULTS), 'work_dir']
    cfg = load_config(argparse.Namespace(**{**vars(args), 'config': config}), suffix, top)
    cfg.corpus = args.corpus or cfg.get('corpus')
    spec, work_dir, failed = read_spec(cfg, args.only), Path(cfg.work_dir), {}
    for name in TABLES:
        check_table(work_dir / name, args.overwrite)
    written = [work_dir / 'report.md', work_dir / 'accuracy_over_k.png']
    written += [metafile_plot(args.metafile, spec)] if args.metafile else []
    for path in written:
        check_output(path, overwrite=args.overwrite)
    models = []
    if args.no_run and not Path(spec.corpus).exists():
        print(f'{spec.corpus}: no such corpus; tables are written from the metafile alone')
    else:
        spec, note = fit_ks(spec)
        if note:
            print(f'{note} (ks = [...] in the config selects others)')
        plan, store = plan_runs(spec), RunStore.of_tool(work_dir)
        if plan.problems and not (args.skip_missing or args.no_run):
            count = counted(len(plan.problems), 'method')
            raise UserError(f'{count} cannot run ({plan.why()}); make what they need or --skip-missing')
        failed = {} if args.no_run else run_with_progress(plan, store, args)
        results = store.to_frame(plan.runs)
        if args.no_run:  # results of earlier runs stay, also where their inputs are gone
            earlier = add_to_table(work_dir / 'results.csv', results)
            results = pd.concat([results, earlier[earlier['method'].isin(plan.problems)]], ignore_index=True)
        models = write_report(spec, plan, results, store, work_dir, args.overwrite)
    write_metafile(read_spec(cfg), models, args)
    return list(failed.values())


def write_report(spec, plan, results, store, work_dir: Path, overwrite: bool) -> list[dict]:
    """Write tables, report.md and the plot of what is finished; returns metafile rows."""
    from vpd_mm.experiments import confusion_of, predictions_of, summarize, tables, write_table
    from vpd_mm.files import atomic_write

    summary = summarize(results)
    plot = work_dir / 'accuracy_over_k.png'
    drawn = tables.draw_section(plot, spec, summary)
    predictions = predictions_of(plan.runs, store)
    for name, table in zip(TABLES, (results, predictions, confusion_of(predictions)), strict=True):
        write_table(work_dir / name, table, overwrite)
    text = tables.report_text(spec, plan, summary, plot.name if drawn else '')
    with atomic_write(work_dir / 'report.md', 'w') as f:
        f.write(text)
    print(text)
    seconds = results[results['kind'] != 'ensemble'].drop_duplicates('key')['seconds']
    print(f'{counted(len(seconds), "run")} took {seconds.sum() / 60:.0f} minutes in all, one after the other')
    print(f'wrote {work_dir}: {", ".join((*TABLES, "report.md"))}' + (f', {plot.name}' if drawn else ''))
    return tables.metafile_rows(spec, summary, str(work_dir / 'results.csv'))


def write_metafile(spec, models: list[dict], args: argparse.Namespace) -> None:
    """Update the metafile, the plot beside it and the README; ``spec`` has the rows that --only leaves out."""
    from vpd_mm.experiments import tables

    if args.metafile:
        models = tables.merge_metafile(args.metafile, models, spec, args.overwrite)
        tables.draw_section(metafile_plot(args.metafile, spec), spec, tables.read_metafile_rows(models))
    if args.readme:
        tables.update_readme(args.readme, spec.name, tables.readme_tables(models))


def metafile_plot(metafile: Path, spec) -> Path:
    return metafile.with_name(f'accuracy_{spec.name}.png')


if __name__ == '__main__':
    run_tool(main)
