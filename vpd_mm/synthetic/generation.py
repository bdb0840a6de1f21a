"""Shared parts of the generators: checked options, the recipe file of a folder, worker processes."""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import cv2

from ..errors import UserError
from ..structures import atomic_write


def check_seed(seed: object) -> None:
    """Check that a seed is a whole number, 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f'seed must be a whole number, 0 or more, found {seed!r}')


def check_counts(counts: dict[str, int], largest: int, unit: str, workers: int) -> None:
    """Check the numbers of items of each split and the number of worker processes."""
    for name, count in counts.items():
        if not isinstance(count, int) or not 0 <= count <= largest:
            raise UserError(f'{name} must be a whole number of {unit} from 0 to {largest}, found {count!r}')
    if not any(counts.values()):
        raise UserError(f'nothing to make: {", ".join(counts)} are all 0 {unit}')
    if not isinstance(workers, int) or workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers!r}')


def check_recipe(path: Path, recipe: dict) -> None:
    """Check that a folder was made with this recipe.

    Raises:
        UserError: its recipe file is damaged or holds another recipe.
    """
    try:
        stored = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as e:
        raise UserError(f'{path}: no valid JSON ({e}); delete the folder or pass another --out') from e
    if stored != recipe:
        raise UserError(f'{path}: was made with {stored}, asked for {recipe}; pass the same numbers or another --out')


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path, 'w') as f:
        json.dump(content, f, indent=1, sort_keys=True)
        f.write('\n')


def run_jobs(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """Yield ``function(*job)`` of every job, computed in ``workers`` processes, in order of completion."""
    if workers == 1 or len(jobs) < 2:
        yield from (function(*job) for job in jobs)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(workers, len(jobs)), context, cv2.setNumThreads, (1,)) as pool:
        futures = [pool.submit(function, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
