"""Exact nearest neighbours of sequences under DTW."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from . import dtw_kernel as kernel
from .dtw import pack_sequences, run_in_threads
from .dtw_torch import one_to_many


class Neighbours(NamedTuple):
    """inds (Q, k) int64 gallery items, nearest first; distances (Q, k) float64."""

    inds: np.ndarray
    distances: np.ndarray


class DTWRetriever:
    """Exact k nearest gallery items of each query (paper 4.1, 4.2).

    The original view of a query (view 0) is compared with both views of a gallery item; the nearer view counts.  At
    equal distance the item that comes first in the gallery is the nearer one.

    On the CPU, candidates are visited in the order of a lower bound (distance to the other sequence's bounding box),
    the search ends when that bound exceeds the k-th best, and a comparison stops as soon as every path must exceed it.
    Memory: the packed gallery (4 bytes per float32 number) and O(Q k).

    Args:
        gallery: G arrays (T, V, D), all of one V and D.
        names: Names of the gallery items for error messages.
        device: 'cpu' for numba; 'cuda', 'cuda:1', ... for torch, which computes every pair.
        num_threads: CPU threads; None: all cores of this process.

    Raises:
        UserError: an empty gallery, or a sequence that is empty, not finite or of another shape.
    """

    def __init__(
        self,
        gallery: Sequence[np.ndarray],
        names: Sequence[str] | None = None,
        device: str = 'cpu',
        num_threads: int | None = None,
    ) -> None:
        self.device, self.num_threads = device, num_threads
        names = names or [f'gallery[{i}]' for i in range(len(gallery))]
        for item, name in zip(gallery, names, strict=True):
            if item.ndim != 3 or item.shape[1] != gallery[0].shape[1]:
                raise UserError(f'{name}: must be a (T, V, D) array with the same V as the others, found {item.shape}')
        self.num_views = gallery[0].shape[1] if len(gallery) else 1
        entries = [item[:, view] for item in gallery for view in range(self.num_views)]
        self._pack = pack_sequences(entries, 'gallery', [name for name in names for _ in range(self.num_views)])
        self._entries = entries if device != 'cpu' else []  # the CPU needs the pack only

    def __len__(self) -> int:
        return len(self._pack.lengths) // self.num_views

    def search(
        self,
        queries: Sequence[np.ndarray],
        k: int,
        exclude: Sequence[int] | np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ) -> Neighbours:
        """Find the k nearest gallery items of each query.

        Args:
            queries: Q arrays (T, V, D); only view 0 is used.
            k: Neighbours per query.
            exclude: (Q,) gallery item to leave out of a query's result (itself); -1: none.
            names: Names of the queries for error messages.

        Raises:
            UserError: k is below 1 or above the number of candidates, or a query is empty, not finite or of another D.
        """
        originals = [query[:, 0] for query in queries]
        query_pack = pack_sequences(originals, 'queries', names, self._pack.dims)
        excluded = np.full(len(queries), -1) if exclude is None else np.asarray(exclude)
        candidates = len(self) - bool((excluded >= 0).any())
        if not 1 <= k <= candidates:
            raise UserError(f'k must be 1 to {candidates}, the number of gallery candidates, found {k}')
        inds, distances = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))

        def search_one(q: int) -> None:
            kernel.search_one(query_pack, q, self._pack, self.num_views, excluded[q], inds[q], distances[q])

        if self.device == 'cpu':
            run_in_threads(search_one, len(queries), self.num_threads)
            return Neighbours(inds, distances)
        for q, query in enumerate(originals):
            row = one_to_many(query, self._entries, self.device).reshape(len(self), self.num_views).min(axis=1)
            if excluded[q] >= 0:
                row[excluded[q]] = np.inf
            inds[q] = np.argsort(row, kind='stable')[:k]
            distances[q] = row[inds[q]]
        return Neighbours(inds, distances)
