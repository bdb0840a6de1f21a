"""Exact nearest neighbours of sequences under DTW."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from . import dtw_kernel as kernel
from .dtw import check_same_dims, in_threads, pack_sequences, pattern_code


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
        pattern: 'symmetricP2' (symmetric2 where it has no path) or 'symmetric2'; distances are divided by n + m.
        names: Names of the gallery items for error messages.
        device: 'cpu' for numba; 'cuda', 'cuda:1', ... for torch, which computes every pair.
        num_threads: CPU threads; None: all cores of this process.

    Raises:
        UserError: an empty gallery, or a sequence that is empty, not finite or of another shape.
    """

    def __init__(
        self,
        gallery: Sequence[np.ndarray],
        pattern: str = 'symmetricP2',
        names: Sequence[str] | None = None,
        device: str = 'cpu',
        num_threads: int | None = None,
    ) -> None:
        self.code = pattern_code(pattern)
        self.device, self.num_threads = device, num_threads
        self.num_views = _num_views(gallery, 'gallery', names)
        entries = [item[:, view] for item in gallery for view in range(self.num_views)]
        entry_names = None if names is None else [name for name in names for _ in range(self.num_views)]
        self._pack = pack_sequences(entries, 'gallery', entry_names)
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
        _num_views(queries, 'queries', names)
        query_pack = pack_sequences([query[:, 0] for query in queries], 'queries', names)
        check_same_dims(query_pack, self._pack)
        excluded = np.full(len(queries), -1) if exclude is None else np.asarray(exclude)
        candidates = len(self) - bool((excluded >= 0).any())
        if not 1 <= k <= candidates:
            raise UserError(f'k must be 1 to {candidates}, the number of gallery candidates, found {k}')
        inds, distances = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))

        def search_one(q: int) -> None:
            kernel.search_one(query_pack, q, self._pack, self.num_views, self.code, excluded[q], inds[q], distances[q])

        if self.device == 'cpu':
            for _ in in_threads(search_one, len(queries), self.num_threads):
                pass
        else:
            for q, query in enumerate(queries):
                inds[q], distances[q] = self._all_pairs(query[:, 0], k, int(excluded[q]))
        return Neighbours(inds, distances)

    def _all_pairs(self, query: np.ndarray, k: int, exclude: int) -> tuple[np.ndarray, np.ndarray]:
        from .dtw_torch import one_to_many  # torch is slow to import and not needed on the CPU

        distances = one_to_many(query, self._entries, self.code, True, self.device)
        distances = distances.reshape(len(self), self.num_views).min(axis=1)
        if exclude >= 0:
            distances[exclude] = np.inf
        inds = np.argsort(distances, kind='stable')[:k]
        return inds, distances[inds]


def vote(inds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Classify by k nearest neighbours.

    Args:
        inds: (Q, k) gallery items, nearest first.
        labels: (G,) classes of the gallery, from 0.

    Returns:
        (Q,) the most frequent class among the k neighbours; of equally frequent classes the one with the nearest item.
    """
    neighbours = np.asarray(labels)[inds]
    votes = (neighbours[:, :, None] == neighbours[:, None, :]).sum(axis=2)  # for the class of each neighbour
    return neighbours[np.arange(len(neighbours)), votes.argmax(axis=1)]  # argmax takes the first, the nearest


def _num_views(sequences: Sequence[np.ndarray], what: str, names: Sequence[str] | None) -> int:
    """Check (T, V, D) arrays and return V."""
    for i, sequence in enumerate(sequences):
        if getattr(sequence, 'ndim', 0) != 3 or sequence.shape[1] != sequences[0].shape[1]:
            name = names[i] if names is not None else f'{what}[{i}]'
            given = getattr(sequence, 'shape', type(sequence).__name__)
            raise UserError(f'{name}: must be a (T, V, D) array with the same V as the others, found {given}')
    return sequences[0].shape[1] if len(sequences) else 1
