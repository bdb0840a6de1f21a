#!/usr/bin/env python3
"""Compare methods on the same clips: run what is missing, then write tables, plot and metafile rows.

tools/compare.py configs/compare/penn_action.py --jobs 2
tools/compare.py configs/compare/penn_action.py --print-jobs sbatch --gpus 4
tools/compare.py configs/compare/penn_action.py --no-run --metafile metafile.yml --readme README.md
"""

import argparse
import os
import sys
import threading
from pathlib import Path

from vpd_mm.engine.cli import LAUNCHERS, ToolParser, launcher_rank, load_config, run_tool
from vpd_mm.errors import UserError


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a comparison of configs/compare/')
    parser.add_argument('--work-dir', help='runs and tables go here; default work_dirs/<config name>')
    parser.add_argument('--jobs', type=int, default=1, help='runs side by side, a process each; 0: in this process')
    parser.add_argument('--only', nargs='+', default=[], metavar='METHOD', help='only these rows')
    parser.add_argument('--skip-missing', action='store_true', help='leave out methods whose inputs are missing')
    parser.add_argument('--no-run', action='store_true', help='only write the tables of what is finished')
    parser.add_argument('--print-jobs', choices=('torchrun', 'sbatch'), help='print a command for each missing run')
    parser.add_argument('--gpus', type=int, default=1, help='GPUs of each training that --print-jobs prints')
    parser.add_argument('--partition', default='', help='Slurm partition of --print-jobs sbatch')
    parser.add_argument('--metafile', type=Path, help='put its rows into a metafile.yml, the plot beside it')
    parser.add_argument('--readme', type=Path, help='put its table between <!-- compare:NAME --> and <!-- /compare -->')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields')
    parser.add_argument('--run', nargs='+', metavar='KEY', help='do these runs, as --print-jobs says')
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='how the processes of --run were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
    return parser


def main(argv=None):
    args = make_parser().parse_args(argv)
    if args.child:
        threading.Thread(target=end_with_parent, daemon=True).start()
    if args.jobs < 0 or args.gpus < 1:
        raise UserError('--jobs must be 0 or more and --gpus 1 or more')
    cfg = load_config(args)

    from vpd_mm.experiments.comparison import read_comparison
    from vpd_mm.experiments.comparison_plan import Plan
    from vpd_mm.experiments.run_store import RunStore

    plan = Plan(read_comparison(cfg, args.only))
    store = RunStore(Path(cfg.work_dir) / 'runs')
    if args.run:
        return do_runs(plan, store, args)
    if plan.faults and not args.skip_missing:
        why = '; '.join(f'{name}: {fault}' for name, fault in plan.faults.items())
        raise UserError(f'{len(plan.faults)} methods cannot run ({why}); make what they need or pass --skip-missing')
    missing = [run for run in plan.distinct().values() if run.key not in store]
    if args.print_jobs:
        from vpd_mm.experiments.comparison_jobs import job_lines

        print(*job_lines(missing, command_of(args, cfg), args.print_jobs, args.gpus, args.partition), sep='\n')
        return 0
    failed = {} if args.no_run else run_here(plan, store, missing, args, cfg)
    write_report(plan, store, Path(cfg.work_dir), read_comparison(cfg), args)
    if failed:
        first = next(iter(failed.values())).removeprefix('error: ')
        raise UserError(f'{len(failed)} of {len(missing)} runs failed; the first: {first}')
    return 0


def end_with_parent() -> None:
    """Wait for the other end of stdin to close, which it does when the parent ends, however it ends."""
    sys.stdin.buffer.read()
    os._exit(1)


def command_of(args, cfg):
    from vpd_mm.experiments.comparison_jobs import Command

    return Command(args.config, cfg.work_dir, tuple(args.cfg_options))


def do_runs(plan, store, args) -> int:
    from vpd_mm.experiments.comparison_run import execute

    runs, rank = plan.distinct(), launcher_rank()[0] if args.launcher != 'none' else 0
    for key in args.run:
        if key not in runs:
            why = '; '.join(plan.faults.values())
            raise UserError(f'--run {key}: no run of {args.config} has this key' + (f' ({why})' if why else ''))
        execute(runs[key], plan.comparison, store, args.launcher, rank)
    return 0


def run_here(plan, store, missing, args, cfg) -> dict[str, str]:
    """Run what is missing, with a bar that says how long the rest takes."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from vpd_mm.experiments.comparison_jobs import run_missing, seconds_left

    runs = plan.distinct()
    todo = {run.key: run for run in missing}
    seconds = {key: store[key]['seconds'] for key in runs if key in store}
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console()
    with Progress(*columns, TextColumn('left {task.fields[left]}'), console=console) as bar:
        task = bar.add_task('', total=len(runs), completed=len(runs) - len(todo), left='?')

        def show(text: str) -> None:
            left = seconds_left(list(todo.values()), seconds, plan.runs, args.jobs)
            bar.update(task, description=text, completed=len(runs) - len(todo), left=clock(left))

        def ended(run, error: str) -> None:
            del todo[run.key]
            if error:
                console.print(f'[red]failed[/red] {run.name}: {error}', soft_wrap=True, highlight=False)
            else:
                found = store[run.key]
                seconds[run.key] = found['seconds']
                number = f'AP@0.5 {found["AP@0.5"]:.4f}' if 'AP@0.5' in found else f'top1 {found["top1"]:.2f}'
                console.print(f'{run.name}: {number} ({found["seconds"]:.0f} s)', highlight=False)
            show('')

        return run_missing(
            missing, plan.comparison, store, command_of(args, cfg), args.jobs, lambda run: show(run.name), ended
        )


def clock(seconds: float | None) -> str:
    if seconds is None:
        return '?'
    return f'{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}'


def write_report(plan, store, work_dir: Path, whole, args) -> None:
    """Tables, plot and rows of what is finished; ``whole`` is the comparison with the rows that --only leaves out."""
    from vpd_mm.experiments import report, report_metafile
    from vpd_mm.experiments.report_tables import report_text
    from vpd_mm.structures import atomic_write
    from vpd_mm.visualize.plots import draw_accuracy

    rows, detections = report.collect_rows(plan, store), report.detection_rows(plan, store)
    report.write_results(work_dir / 'results.csv', rows)
    report.write_csv(work_dir / 'detection.csv', detections)
    picture = work_dir / 'accuracy_over_k.png'
    first, title = plan.comparison.sections[0], whole.title
    table = first.name == 'table'
    drawn = table and draw_accuracy(picture, title, first, report.cells_of(plan, rows, first))
    text = report_text(plan, rows, detections, picture.name if drawn else '')
    with atomic_write(work_dir / 'report.md', 'w') as f:
        f.write(text)
    print(text)
    done = [store[key]['seconds'] for key in plan.distinct() if key in store]
    print(f'{len(done)} runs took {sum(done) / 60:.0f} minutes in all, one after the other')
    print(f'wrote {work_dir}/results.csv, report.md' + (f', {picture.name}' if drawn else ''))
    models = report_metafile.metafile_rows(plan, rows, detections, str(work_dir / 'results.csv'))
    if args.metafile:
        models = report_metafile.merge_metafile(args.metafile, models, whole)
        picture = args.metafile.with_name(f'accuracy_{whole.name}.png')
        if table:
            first = whole.sections[0]
            draw_accuracy(picture, title, first, report_metafile.metafile_cells(models, first))
    if args.readme:
        report_metafile.update_readme(args.readme, whole.name, report_metafile.readme_tables(models))


if __name__ == '__main__':
    run_tool(main)
