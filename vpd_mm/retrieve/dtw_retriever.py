"""Exact nearest neighbours of sequences under DTW."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from . import dtw_kernel as kernel
from .dtw import PATTERNS, pack_sequences, run_in_threads
from .dtw_torch import DeviceGallery

VIEWS = ('original', 'every', 'joined')
#: Why some neighbours come last.
NO_PATH = (
    'more than about 1.5 times longer or shorter than the query, thus compared by symmetric2, which has no limits of '
    'slope, and ranked after all others whatever the distance'
)


class Neighbours(NamedTuple):
    """inds (Q, k) int64 gallery items, nearest first; distances (Q, k) float64.

    The last ranks of a query with less than k candidates have -1 and infinity.  counts (Q, 4) int64: pairs of views in
    all, those that got a lower bound (the others differ too much in length to be among the first k), those that were
    compared, and those that were compared to the end.
    """

    inds: np.ndarray
    distances: np.ndarray
    counts: np.ndarray


def step_patterns(query: np.ndarray, items: Sequence[np.ndarray]) -> list[str]:
    """Return the step pattern by which ``DTWRetriever`` ranks each item (T, ...) for a query (T, ...)."""
    return [PATTERNS[0 if kernel.has_path(len(query), len(item)) else 1] for item in items]


class DTWRetriever:
    """Exact k nearest gallery items of each query (paper 4.1, 4.2).

    Distances are of symmetricP2.  Items to which it has no path (one clip is longer than about 1.5 times the other)
    come after all others, ranked by symmetric2: distances of the two step patterns are not compared.  At equal distance
    the item that comes first in the gallery is the nearer one.

    On the CPU, candidates are visited in the order of a lower bound (distance to the other sequence's bounding box),
    the search ends when that bound exceeds the k-th best, and a comparison stops as soon as every path must exceed it.
    Memory: the packed gallery (4 bytes per float32 number) and O(Q k).

    Args:
        gallery: G arrays (T, V, D), all of one V and D.
        names: Names of the gallery items for error messages.
        device: 'cpu' for numba; 'cuda', 'cuda:1', ... for torch, which computes every pair.
        num_threads: CPU threads; None: all cores of this process.
        views: What is compared: 'original': view 0 of the query with each view of an item, the nearest counts, so that
            mirror images match; 'every': each view with each view; 'joined': the views of a frame as one vector, so
            that mirror images differ.
        fallback: Without it, the last items without a symmetricP2 path fill the ranks that remain, at
            infinite distance (published code).

    Raises:
        UserError: unknown ``views``, an empty gallery, or a sequence that is empty, not finite or of another shape.
    """

    def __init__(
        self,
        gallery: Sequence[np.ndarray],
        names: Sequence[str] | None = None,
        device: str = 'cpu',
        num_threads: int | None = None,
        views: str = 'original',
        fallback: bool = True,
    ) -> None:
        if views not in VIEWS:
            raise UserError(f'views must be one of {", ".join(VIEWS)}, found {views!r}')
        self.num_threads, self.views, self.fallback = num_threads, views, fallback
        names = names or [f'gallery[{i}]' for i in range(len(gallery))]
        for item, name in zip(gallery, names, strict=True):
            if item.ndim != 3 or item.shape[1] != gallery[0].shape[1]:
                raise UserError(f'{name}: must be a (T, V, D) array with the same V as the others, found {item.shape}')
        entries = [entry for item in gallery for entry in self._entries_of(item)]
        self.num_views = len(entries) // max(1, len(gallery))
        self._pack = pack_sequences(entries, 'gallery', [name for name in names for _ in range(self.num_views)])
        self._on_device = DeviceGallery(entries, device) if device != 'cpu' else None

    def _entries_of(self, clip: np.ndarray) -> list[np.ndarray]:
        """The sequences (T, D'), of which one is compared at a time."""
        if self.views == 'joined':
            return [clip.reshape(len(clip), -1)]
        return [clip[:, view] for view in range(clip.shape[1])]

    def __len__(self) -> int:
        return len(self._pack.lengths) // self.num_views

    def search(
        self,
        queries: Sequence[np.ndarray],
        k: int,
        exclude: Sequence[int | np.ndarray] | np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ) -> Neighbours:
        """Find the k nearest gallery items of each query.

        Args:
            queries: Q arrays (T, V, D); of views='original' only view 0 is used.
            k: Neighbours per query.
            exclude: (Q,) gallery item, or array of items, to leave out of a query's result (itself); -1: none.
            names: Names of the queries for error messages.

        Raises:
            UserError: k is below 1 or above the candidates of every query, or a query is empty, not finite or of
                another D.
        """
        num_views = self.num_views if self.views == 'every' else 1
        entries = [self._entries_of(query)[:num_views] for query in queries]
        if any(len(views) < num_views for views in entries):
            raise UserError(f'queries: must have the {num_views} views of the gallery')
        names = names and [name for name in names for _ in range(num_views)]
        query_pack = pack_sequences([e for views in entries for e in views], 'queries', names, self._pack.dims)
        items = [np.setdiff1d(left_out, -1) for left_out in (-np.ones(len(queries)) if exclude is None else exclude)]
        candidates = len(self) - min(map(len, items))
        if not 1 <= k <= candidates:
            raise UserError(f'k must be 1 to {candidates}, the number of gallery candidates, found {k}')
        inds, distances = np.full((len(queries), k), -1), np.full((len(queries), k), np.inf)
        counts = np.zeros((len(queries), 4), np.int64)
        counts[:, 0] = [num_views * self.num_views * (len(self) - len(left_out)) for left_out in items]

        def excluded(q: int) -> np.ndarray:
            return np.isin(np.arange(len(self)), items[q])

        def search_one(q: int) -> None:
            results = excluded(q), self.fallback, inds[q], distances[q], counts[q, 1:]
            kernel.search_one(query_pack, q, num_views, self._pack, self.num_views, *results)

        if self._on_device is None:
            run_in_threads(search_one, len(queries), self.num_threads)
            return Neighbours(inds, distances, counts)
        counts[:, 1:] = counts[:, :1]
        for q, views in enumerate(entries):
            rows = np.stack([self._on_device.distances(view) for view in views])
            row = rows.reshape(num_views, len(self), self.num_views).min(axis=(0, 2))
            path = kernel.has_path(len(views[0]), self._pack.lengths[:: self.num_views])
            if not self.fallback:
                row[~path] = np.inf
            order = np.lexsort((row, ~path))
            order = order[~excluded(q)[order]]
            count = k if self.fallback else min(k, path[order].sum())
            order = np.append(order[:count], order[count:][max(0, len(order) - k) :])
            inds[q, : len(order)], distances[q, : len(order)] = order, row[order]
        return Neighbours(inds, distances, counts)
