"""Recipes, recipe files and worker processes of the generators."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import ClassVar

import cv2

from ..engine.progress import OnProgress
from ..errors import UserError
from ..files import read_json


@dataclass(frozen=True)
class Recipe:
    """Seed (0 or more) and size (128 to 1024 px) of images."""

    seed: int = 0
    width: int = 256
    height: int = 256

    #: Whether the sizes must be even, as for videos.
    EVEN: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number('seed', self.seed, 0)
        check_number('width', self.width, 128, 1024, self.EVEN)
        check_number('height', self.height, 128, 1024, self.EVEN)


def check_number(name: str, value: object, low: int, high: int | None = None, even: bool = False) -> None:
    """Check that an option is a whole (or even) number from ``low`` to ``high``."""
    if type(value) is not int or value < low or (high is not None and value > high) or (even and value % 2):
        limits = f'{low} or more' if high is None else f'from {low} to {high}'
        raise UserError(f'{name} must be {"an even" if even else "a whole"} number, {limits}; found {value!r}')


def check_counts(counts: dict[str, int], largest: int, workers: int) -> None:
    """Check the numbers of items of each split and the number of worker processes."""
    for name, count in counts.items():
        check_number(name, count, 0, largest)
    if not any(counts.values()):
        raise UserError(f'nothing to make: {", ".join(counts)} are all 0')
    check_number('workers', workers, 1)


def check_recipe(path: Path, recipe: dict) -> None:
    """Check that the recipe file of a folder holds this recipe."""
    stored = read_json(path, 'delete the folder or pass another --out')
    if stored != recipe:
        raise UserError(f'{path}: was made with {stored}, asked for {recipe}; pass the same numbers or another --out')


def run_jobs(
    function: Callable[..., int], jobs: Sequence[tuple], workers: int, on_progress: OnProgress, done: int, total: int
) -> None:
    """Run ``function(*job)``, which returns the number of items it made, in ``workers`` processes."""
    on_progress(done, total)
    with ExitStack() as stack:
        results: Iterable[int] = starmap(function, jobs)
        if workers > 1 and len(jobs) > 1:
            context = multiprocessing.get_context('spawn')
            pool = ProcessPoolExecutor(min(workers, len(jobs)), context, cv2.setNumThreads, (1,))
            stack.callback(pool.shutdown, cancel_futures=True)
            results = (future.result() for future in as_completed([pool.submit(function, *job) for job in jobs]))
        for num in results:
            done += num
            on_progress(done, total)
