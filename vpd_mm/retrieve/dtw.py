"""Dynamic time warping as in the paper (section 4.1): Euclidean local cost, Sakoe-Chiba slope constraint P = 2.

Distances equal dtw-python's ``dtw(cost, step_pattern=..., distance_only=True).normalizedDistance`` (its start cell
counts once).  Where symmetricP2 has no path (one sequence is longer than about 1.5 times the other), symmetric2
is used.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

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
    sequences: Sequence[np.ndarray], what: str = 'sequences', names: Sequence[str] | None = None
) -> SequencePack:
    """Check and pack (T, D) arrays; T may differ, D may not.

    Raises:
        UserError: no sequences, or one that is empty, not (T, D), of another D, not numeric, or not finite.
    """
    if not len(sequences):
        raise UserError(f'{what}: none given; DTW needs at least one sequence')
    dims = 0
    for i, sequence in enumerate(sequences):
        dims = check_sequence(sequence, names[i] if names is not None else f'{what}[{i}]', dims or None)
    small = all(s.dtype in (np.float32, np.float16) for s in sequences)
    lengths = np.array([len(s) for s in sequences], np.int64)
    even = dims + dims % 2
    ends = np.cumsum((lengths + kernel.PAD) * even)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    data = np.zeros(int(ends[-1]), np.float32 if small else np.float64)
    low, high = np.zeros((2, len(sequences), even), data.dtype)
    for i, (sequence, start, end) in enumerate(zip(sequences, starts, ends, strict=True)):
        data[start:end].reshape(even, -1)[:dims, : len(sequence)] = sequence.T
        low[i, :dims], high[i, :dims] = sequence.min(0), sequence.max(0)
    return SequencePack(data, starts, lengths, low, high, dims)


def check_sequence(sequence: np.ndarray, name: str, dims: int | None = None) -> int:
    """Check a (T, D) sequence and return D.

    Raises:
        UserError: it is empty, not (T, D), not numeric or not finite, or D is not ``dims``.
    """
    if not isinstance(sequence, np.ndarray) or sequence.dtype.kind not in 'fiu' or sequence.ndim != 2:
        given = f'{sequence.dtype} {sequence.shape}' if isinstance(sequence, np.ndarray) else type(sequence).__name__
        raise UserError(f'{name}: DTW needs a (T, D) array of numbers, found {given}')
    if not sequence.size:
        raise UserError(f'{name}: DTW needs at least one frame and one dimension, found shape {sequence.shape}')
    if dims is not None and sequence.shape[1] != dims:
        raise UserError(
            f'{name}: has D = {sequence.shape[1]}, the other sequences have D = {dims}; use one feature run'
        )
    if not np.isfinite(sequence).all():
        frame = int(np.argwhere(~np.isfinite(sequence))[0, 0])
        raise UserError(f'{name}: features hold NaN or infinity (first in row {frame}); extract them again')
    return sequence.shape[1]


def pattern_code(pattern: str, fallback: bool = True) -> int:
    """Number of a step pattern in the kernels."""
    if pattern not in PATTERNS:
        raise UserError(f'pattern must be one of {", ".join(PATTERNS)}, found {pattern!r}')
    if pattern == 'symmetric2':
        return kernel.SYMMETRIC2
    return kernel.FALLBACK if fallback else kernel.SYMMETRIC_P2


def dtw_distance(
    a: np.ndarray, b: np.ndarray, pattern: str = 'symmetricP2', normalize: bool = True, fallback: bool = True
) -> float:
    """Compute the DTW distance of two sequences.

    Args:
        a, b: (n, D) and (m, D), finite.
        pattern: 'symmetricP2' or 'symmetric2'.
        normalize: Divide the sum of the path by n + m.
        fallback: Use symmetric2 where symmetricP2 has no path; without it the distance is infinite there.

    Raises:
        UserError: an empty or non-finite sequence, another D, an unknown pattern.
    """
    return float(dtw_matrix([a], [b], pattern, normalize, fallback, num_threads=1)[0, 0])


def dtw_matrix(
    queries: Sequence[np.ndarray],
    gallery: Sequence[np.ndarray],
    pattern: str = 'symmetricP2',
    normalize: bool = True,
    fallback: bool = True,
    num_threads: int | None = None,
    device: str = 'cpu',
    dtype: Any = np.float64,
) -> np.ndarray:
    """Compute the DTW distance of every query to every gallery sequence.

    Args:
        queries, gallery: Q and G arrays (T, D).
        pattern, normalize, fallback: As of :func:`dtw_distance`.
        num_threads: CPU threads; None: all cores of this process.
        device: 'cpu' for numba; 'cuda', 'cuda:1', ... for torch.
        dtype: Of the result; float32 halves its size (10,000 x 10,000: 400 MB).

    Returns:
        (Q, G) distances; infinity only where ``fallback`` is off.
    """
    code = pattern_code(pattern, fallback)
    packed = pack_sequences(gallery, 'gallery')
    query_pack = pack_sequences(queries, 'queries')
    check_same_dims(query_pack, packed)
    out = np.empty((len(queries), len(gallery)), dtype)
    if device != 'cpu':
        from .dtw_torch import one_to_many  # torch is slow to import and not needed on the CPU

        for row, query in enumerate(queries):
            out[row] = one_to_many(query, gallery, code, normalize, device)
        return out

    def fill(q: int) -> None:
        row = out[q] if out.dtype in (np.float32, np.float64) else np.empty(len(gallery))
        kernel.one_to_many(query_pack, q, packed, code, normalize, row)
        out[q] = row

    for _ in in_threads(fill, len(queries), num_threads):
        pass
    return out


def check_same_dims(queries: SequencePack, gallery: SequencePack) -> None:
    """Raise UserError where the two differ in D."""
    if queries.dims != gallery.dims:
        raise UserError(f'queries have D = {queries.dims}, the gallery has D = {gallery.dims}; use one feature run')


def in_threads(work: Callable[[int], Any], count: int, num_threads: int | None = None) -> Iterator[Any]:
    """Yield ``work(0), ..., work(count - 1)`` in order, computed in threads; the kernels release the GIL."""
    threads = min(num_threads or len(os.sched_getaffinity(0)), count)
    if threads <= 1:
        yield from map(work, range(count))
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, range(count))
