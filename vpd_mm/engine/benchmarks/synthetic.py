"""The synthetic sport: how fast it renders on one core, and what its films hold."""

import tempfile
import time
from collections.abc import Sequence

from ..cli import ToolParser

#: Frames a second and core at 256x256 with 8 moments a frame, encoding included.
GOAL_FPS = 60


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where the speed misses its goal."""
    parser = ToolParser(__doc__, prog='benchmark.py synthetic')
    parser.add_argument('--films', type=int, default=4, help='films to render')
    parser.add_argument('--seed', type=int, default=0, help='of the sport')
    args = parser.parse_args(argv)
    speed, wall_speed, statistics = measure(args.films, args.seed)
    reached = speed >= GOAL_FPS
    print(f'{"rendered and encoded, frames/s":34s} {speed:.1f} (CPU time), {wall_speed:.1f} (wall time)')
    for name, value in statistics.items():
        print(f'{name:34s} {value}')
    print(f'at least {GOAL_FPS} frames/s and core: {"reached" if reached else "MISSED"}')
    return 0 if reached else 1


def measure(films: int = 4, seed: int = 0) -> tuple[float, float, dict[str, str]]:
    """Frames a second of CPU time of one process (others do not count), of wall time, and what the films hold."""
    import cv2

    from ...synthetic.corpus import SportRecipe, make_sport
    from ...synthetic.statistics import sport_statistics

    recipe, threads = SportRecipe(seed), cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            make_sport(f'{folder}/warm', 1, 0, 0, recipe)
            wall, start = time.perf_counter(), time.process_time()
            corpus = make_sport(f'{folder}/films', films, 0, 0, recipe)
            seconds, wall = time.process_time() - start, time.perf_counter() - wall
            frames = sum(v.num_frames for v in corpus.videos().values())
            statistics = sport_statistics(corpus)
    finally:
        cv2.setNumThreads(threads)
    return frames / seconds, frames / wall, statistics
