"""DTW in torch for CUDA devices: all pairs of a chunk advance row by row."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from .dtw_kernel import has_path

#: Largest local cost of a chunk in cells (pairs x rows x columns, float64): 1 GiB.
MAX_CELLS = 1 << 27
#: Sequences are padded together up to this multiple of the shortest.
_SPREAD = 1.2


class DeviceGallery:
    """Sequences (T, D) that stay on a device, ordered by length, and padded with those of similar length.

    Args:
        gallery: G arrays (T, D) of one D.
        device: Device of torch.
        max_cells: Largest number of local costs that are computed at once.
    """

    def __init__(self, gallery: Sequence[np.ndarray], device: str, max_cells: int = MAX_CELLS) -> None:
        self.device, self.max_cells = device, max_cells
        lengths = np.array([len(s) for s in gallery])
        self._order = np.argsort(lengths, kind='stable')
        self._lengths = lengths[self._order]
        self._groups: list[tuple[int, torch.Tensor]] = []  # number of sequences before it, (P, T, D)
        start = 0
        while start < len(gallery):
            end = int(np.searchsorted(self._lengths, self._lengths[start] * _SPREAD, 'right'))
            members = [torch.as_tensor(gallery[i]) for i in self._order[start:end]]
            self._groups.append((start, torch.nn.utils.rnn.pad_sequence(members, batch_first=True).to(device)))
            start = end

    def distances(self, query: np.ndarray) -> np.ndarray:
        """Compute (G,) float64 normalised distances of one (n, D) query to every sequence.

        Uses symmetricP2, and symmetric2 where that has no path.
        """
        n = len(query)
        a = torch.as_tensor(query, dtype=torch.float64, device=self.device)
        sums = torch.empty(len(self._order), dtype=torch.float64, device=self.device)
        ends = torch.as_tensor(self._lengths - 1, device=self.device)
        # by length, the sequences that have a path are one range
        cuts = np.flatnonzero(np.diff(has_path(n, self._lengths))) + 1
        for first, group in self._groups:
            step = max(1, self.max_cells // (n * group.shape[1]))
            last = first + len(group)
            edges = sorted({*range(first, last, step), last, *cuts[(cuts > first) & (cuts < last)].tolist()})
            for start, end in pairwise(edges):
                b = group[start - first : end - first, : self._lengths[end - 1]].double()
                # The matrix product form of cdist loses half of the digits where two frames are close.
                cost = torch.cdist(a.expand(len(b), -1, -1), b, compute_mode='donot_use_mm_for_euclid_dist')
                path_sums = _symmetric_p2 if has_path(n, self._lengths[start]) else _symmetric2
                sums[start:end] = path_sums(cost).gather(1, ends[start:end, None])[:, 0]
        out = np.empty(len(self._order))
        out[self._order] = sums.cpu().numpy() / (n + self._lengths)
        return out


def _symmetric_p2(cost: torch.Tensor) -> torch.Tensor:
    """Map (P, n, m) local costs to (P, m) sums of the paths that end in the last row."""
    none = torch.full_like(cost[:, 0], torch.inf)
    first = none.clone()
    first[:, 0] = cost[:, 0, 0]
    up1, up2, up3 = first, none, none
    for i in range(1, cost.shape[1]):
        here, above, above2 = cost[:, i], cost[:, i - 1], cost[:, max(i - 2, 0)]
        straight = _right(up1, 1) + 2 * here
        wide = _right(up2, 3) + 2 * (_right(above, 2) + _right(here, 1)) + here
        tall = _right(up3, 2) + 2 * (_right(above2, 1) + above) + here
        up1, up2, up3 = torch.minimum(straight, torch.minimum(wide, tall)), up1, up2
    return up1


def _symmetric2(cost: torch.Tensor) -> torch.Tensor:
    """Map (P, n, m) local costs to (P, m) sums of the paths that end in the last row.

    Within a row, ``g[j] = min(t[j], g[j-1] + d[j])`` is a running minimum once the row's prefix sum is subtracted.
    """
    row = cost[:, 0].cumsum(1)
    for i in range(1, cost.shape[1]):
        here = cost[:, i]
        prefix = here.cumsum(1)
        entered = torch.minimum(_right(row, 1) + 2 * here, row + here)
        row = (entered - prefix).cummin(1).values + prefix
    return row


def _right(x: torch.Tensor, by: int) -> torch.Tensor:
    """Shift columns to the right and fill with infinity."""
    return torch.nn.functional.pad(x, (by, 0), value=torch.inf)[:, : x.shape[1]]
