"""Exact nearest neighbours of sequences under DTW."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from . import dtw_kernel as kernel
from .dtw import SequencePack, check_same_dims, in_threads, pattern_code


class Neighbours(NamedTuple):
    """inds (Q, k) int64 gallery items, nearest first; distances (Q, k) float64."""

    inds: np.ndarray
    distances: np.ndarray


class DTWRetriever:
    """k nearest gallery items of each query, exact (paper 4.1, 4.2).

    Queries are taken as seen (their view 0) and compared with every view of a
    gallery item, as seen and flipped; the nearer view counts.  At equal
    distance the item that comes first in the gallery is the nearer one.

    On the CPU, candidates are visited by a lower bound (distance to the other
    sequence's bounding box), the rest is skipped once that bound exceeds the
    k-th best, and a comparison stops as soon as every path must exceed it.
    Memory: the packed gallery (4 bytes a number for float32) and O(Q k).

    Args:
        gallery: G arrays (T, V, D), all of one V and D.
        pattern: 'symmetricP2' (with symmetric2 where it has no path) or
            'symmetric2'; distances are divided by n + m.
        names: Of the gallery items, for error messages.
        device: 'cpu' = numba; 'cuda', 'cuda:1', ... = torch, which computes
            every pair.
        num_threads: CPU threads; None = every core this process may use.

    Raises:
        UserError: an empty gallery, or a sequence that is empty, not finite or
            of another shape; it is named.
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
        self.num_views = _views(gallery, 'gallery', names)
        self._entries = [item[:, view] for item in gallery for view in range(self.num_views)]
        entry_names = None if names is None else [name for name in names for _ in range(self.num_views)]
        self._pack = SequencePack.of(self._entries, 'gallery', entry_names)
        if device == 'cpu':
            self._entries = []  # the pack is enough

    def __len__(self) -> int:
        return len(self._pack) // self.num_views

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
            k: Neighbours a query.
            exclude: (Q,) gallery item that a query must not find (itself);
                -1 = none.
            names: Of the queries, for error messages.

        Raises:
            UserError: k is below 1 or larger than the gallery has candidates,
                or a query is empty, not finite or of another D.
        """
        _views(queries, 'queries', names)
        asked = SequencePack.of([query[:, 0] for query in queries], 'queries', names)
        check_same_dims(asked, self._pack)
        left_out = np.full(len(asked), -1) if exclude is None else np.asarray(exclude)
        candidates = len(self) - bool((left_out >= 0).any())
        if not 1 <= k <= candidates:
            raise UserError(f'k must be 1 to {candidates}, the number of gallery candidates, found {k}')
        found = Neighbours(np.empty((len(asked), k), np.int64), np.empty((len(asked), k)))
        if self.device == 'cpu':
            pack = self._pack

            def search_one(q: int) -> None:
                kernel.search_one(
                    asked.data, asked.starts[q], asked.lengths[q], asked.low[q], asked.high[q],
                    pack.data, pack.starts, pack.lengths, pack.low, pack.high,
                    self.num_views, pack.low.shape[1], self.code, True, left_out[q], found.inds[q], found.distances[q],
                )  # fmt: skip

            for _ in in_threads(search_one, len(asked), self.num_threads):
                pass
            return found
        for q, query in enumerate(queries):
            found.inds[q], found.distances[q] = self._all_pairs(query[:, 0], k, int(left_out[q]))
        return found

    def _all_pairs(self, query: np.ndarray, k: int, exclude: int) -> tuple[np.ndarray, np.ndarray]:
        from .dtw_torch import one_to_many  # torch takes seconds to import and the CPU engine does not need it

        distances = one_to_many(query, self._entries, self.code, True, self.device)
        distances = distances.reshape(len(self), self.num_views).min(axis=1)
        if exclude >= 0:
            distances[exclude] = np.inf
        inds = np.argsort(distances, kind='stable')[:k]
        return inds, distances[inds]


def vote(inds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """k-NN classification.

    Args:
        inds: (Q, k) gallery items, nearest first.
        labels: (G,) classes of the gallery, from 0.

    Returns:
        (Q,) the class that most of the k neighbours have; of classes with
        equally many, the one whose nearest member is nearest.
    """
    neighbours = np.asarray(labels)[inds]
    votes = (neighbours[:, :, None] == neighbours[:, None, :]).sum(axis=2)  # of each neighbour's class
    return neighbours[np.arange(len(neighbours)), votes.argmax(axis=1)]  # argmax takes the first, the nearest


def _views(sequences: Sequence[np.ndarray], what: str, names: Sequence[str] | None) -> int:
    """V of (T, V, D) arrays; raises UserError where one has another shape."""
    for i, sequence in enumerate(sequences):
        if getattr(sequence, 'ndim', 0) != 3 or sequence.shape[1] != sequences[0].shape[1]:
            name = names[i] if names is not None else f'{what}[{i}]'
            found = getattr(sequence, 'shape', type(sequence).__name__)
            raise UserError(f'{name}: must be a (T, V, D) array with the same V as the others, found {found}')
    return sequences[0].shape[1] if len(sequences) else 1
