"""The synthetic sport: rendering speed, statistics, quality of the packed models, upper bound."""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError

from . import oracle, teachers

#: Name of a number to its goal; the other numbers are printed without one.
GOALS = {
    # at 256x256 with 8 moments a frame, encoding included
    'rendered and encoded, frames/s and core': (60, 'at least'),
    **teachers.GOALS,
    'oracle: top-1 on true joints, %': (oracle.GOAL_TRUE_JOINTS, 'at least'),
}


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where one misses its goal."""
    parser = ToolParser(__doc__, prog='benchmark.py synthetic')
    parser.add_argument(
        '--videos',
        type=int,
        default=12,
        help='videos to render; the models are measured on as many new ones, of 6 seeds',
    )
    parser.add_argument('--films', dest='videos', type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument('--images', type=int, default=300, help='of the generic domain')
    parser.add_argument('--seed', type=int, default=1000, help='first seed of new videos and images; training had 0')
    parser.add_argument('--sport', type=Path, help='a prepared synthetic corpus, for the oracle and its test videos')
    parser.add_argument('--poses', default='teacher', help="the teacher's pose set in --sport")
    parser.add_argument('--jobs', type=int, default=1, help='processes of the oracle')
    argv = list(sys.argv[1:] if argv is None else argv)
    if any(argument.startswith('--films') for argument in argv):
        warnings.warn('--films is deprecated since 0.2, removed in 0.3; use --videos', DeprecationWarning, stacklevel=2)
    args = parser.parse_args(argv)
    for name in ('videos', 'images'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} must be 1 or more, found {getattr(args, name)}')
    if args.sport:
        teachers.list_test_spans(Corpus.open(args.sport))
    speed, wall_speed, statistics = measure(args.videos, args.seed)
    for name, value in statistics.items():
        print(f'{name:52s} {value}')
    print(f'{"rendered and encoded, frames/s, wall time":52s} {wall_speed:.1f}')
    numbers = {'rendered and encoded, frames/s and core': speed}
    numbers |= teachers.measure(args.images, args.videos, args.seed, args.sport)
    if args.sport:
        numbers |= oracle.oracle(args.sport, args.poses, jobs=args.jobs)
    else:
        print('the oracle (BiGRU on true joints) needs --sport: a corpus with training videos and poses')
    return report(numbers)


def report(numbers: dict[str, float]) -> int:
    """Print numbers with their goals; return 1 where one is missed."""
    missed = 0
    for name, value in numbers.items():
        goal, kind = GOALS.get(name, (None, ''))
        line = f'{name:52s} {value:8.3f}'
        if goal is not None:
            reached = value >= goal if kind == 'at least' else value <= goal
            missed += not reached
            line += f'   {kind} {goal:g}: {"reached" if reached else "MISSED"}'
        print(line)
    return 1 if missed else 0


def measure(videos: int = 4, seed: int = 0) -> tuple[float, float, dict[str, str]]:
    """Return frames per second of CPU time of this process, frames per second of wall time, and statistics."""
    import cv2

    from vpd_mm.synthetic.corpus import SportRecipe, make_sport, sport_statistics

    recipe, threads = SportRecipe(seed), cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            make_sport(f'{folder}/warm', 1, 0, 0, recipe)
            wall, start = time.perf_counter(), time.process_time()
            corpus = make_sport(f'{folder}/videos', videos, 0, 0, recipe)
            seconds, wall = time.process_time() - start, time.perf_counter() - wall
            frames = sum(v.num_frames for v in corpus.videos().values())
            statistics = sport_statistics(corpus)
    finally:
        cv2.setNumThreads(threads)
    return frames / seconds, frames / wall, statistics
