"""Dynamic time warping as in the paper (section 4.1): Euclidean local cost, Sakoe-Chiba slope constraint P = 2.

Distances equal dtw-python's ``dtw(cost, step_pattern=..., distance_only=True).normalizedDistance``: the sum of the path
(its start cell counts once) divided by n + m.  Where symmetricP2 has no path (one sequence is longer than about 1.5
times the other), symmetric2 is used.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..engine.cli import num_cores
from ..errors import UserError
from . import dtw_kernel as kernel

PATTERNS = ('symmetricP2', 'symmetric2')


class SequencePack(NamedTuple):
    """Sequences in the layout of ``dtw_kernel``: one flat array, padded, dims-major.

    Args:
        data: Flat float32 (all sequences float32 or float16) or float64.
        starts: (N,) int64 offset of each sequence in ``data``.
        lengths: (N,) int64 frames of each sequence.
        low, high: (N, D') bounding boxes; D' = D rounded up to even.
        dims: D.
    """

    data: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dims: int


def pack_sequences(
    sequences: Sequence[np.ndarray], what: str, names: Sequence[str] | None = None, dims: int | None = None
) -> SequencePack:
    """Check and pack (T, D) arrays; T may differ.

    Args:
        sequences: N arrays.
        what: Name of all sequences in errors.
        names: (N,) name of each sequence in errors.
        dims: D of the sequences to compare with.

    Raises:
        UserError: no sequences, or one that is empty, not (T, D), of another D, not numeric, or not finite.
    """
    if not len(sequences):
        raise UserError(f'{what}: none given; DTW needs at least one sequence')
    for i, sequence in enumerate(sequences):
        _check_sequence(sequence, names[i] if names is not None else f'{what}[{i}]', sequences[0])
    small = all(s.dtype in (np.float32, np.float16) for s in sequences)
    num_dims = sequences[0].shape[1]
    if dims not in (None, num_dims):
        raise UserError(f'{what} have D = {num_dims}, the gallery has D = {dims}; use one feature run')
    even = num_dims + num_dims % 2
    lengths = np.array([len(s) for s in sequences], np.int64)
    ends = np.cumsum((lengths + kernel.PAD) * even)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    data = np.zeros(int(ends[-1]), np.float32 if small else np.float64)
    low, high = np.zeros((2, len(sequences), even), data.dtype)
    for i, (sequence, start, end) in enumerate(zip(sequences, starts, ends, strict=True)):
        data[start:end].reshape(even, -1)[:num_dims, : len(sequence)] = sequence.T
        low[i, :num_dims], high[i, :num_dims] = sequence.min(0), sequence.max(0)
    return SequencePack(data, starts, lengths, low, high, num_dims)


def _check_sequence(sequence: np.ndarray, name: str, first: np.ndarray) -> None:
    if not isinstance(sequence, np.ndarray) or sequence.dtype.kind not in 'fiu' or sequence.ndim != 2:
        given = f'{sequence.dtype} {sequence.shape}' if isinstance(sequence, np.ndarray) else type(sequence).__name__
        raise UserError(f'{name}: DTW needs a (T, D) array of numbers, found {given}')
    if not sequence.size:
        raise UserError(f'{name}: DTW needs at least one frame and one dimension, found shape {sequence.shape}')
    if sequence.shape[1] != first.shape[1]:
        dims = f'D = {sequence.shape[1]}, the other sequences have D = {first.shape[1]}'
        raise UserError(f'{name}: has {dims}; use one feature run')
    finite = np.isfinite(sequence).all(axis=1)
    if not finite.all():
        raise UserError(f'{name}: features hold NaN or infinity (first in row {finite.argmin()}); extract them again')


def dtw_distance(a: np.ndarray, b: np.ndarray, pattern: str = 'symmetricP2', fallback: bool = True) -> float:
    """Compute the DTW distance of (n, D) and (m, D); arguments as of :func:`dtw_matrix`."""
    return float(dtw_matrix([a], [b], pattern, fallback, num_threads=1)[0, 0])


def dtw_matrix(
    queries: Sequence[np.ndarray],
    gallery: Sequence[np.ndarray],
    pattern: str = 'symmetricP2',
    fallback: bool = True,
    num_threads: int | None = None,
) -> np.ndarray:
    """Compute the DTW distance of every query to every gallery sequence.

    Args:
        queries, gallery: Q and G finite arrays (T, D).
        pattern: 'symmetricP2' or 'symmetric2'.
        fallback: Use symmetric2 where symmetricP2 has no path; without it the distance is infinite there.
        num_threads: CPU threads; None: all cores of this process.

    Returns:
        (Q, G) float64.

    Raises:
        UserError: an empty or non-finite sequence, another D, an unknown pattern.
    """
    if pattern not in PATTERNS:
        raise UserError(f'pattern must be one of {", ".join(PATTERNS)}, found {pattern!r}')
    code = kernel.SYMMETRIC2
    if pattern == 'symmetricP2':
        code = kernel.FALLBACK if fallback else kernel.SYMMETRIC_P2
    packed = pack_sequences(gallery, 'gallery')
    query_pack = pack_sequences(queries, 'queries', dims=packed.dims)
    out = np.empty((len(queries), len(gallery)))
    run_in_threads(lambda q: kernel.one_to_many(query_pack, q, packed, code, out[q]), len(queries), num_threads)
    return out


def run_in_threads(work: Callable[[int], object], count: int, num_threads: int | None = None) -> None:
    """Call ``work(0), ..., work(count - 1)`` in threads; the kernels release the GIL."""
    threads = min(num_threads or num_cores(), count)
    if threads == 1:
        for i in range(count):
            work(i)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))
