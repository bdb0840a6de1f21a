"""DTW in torch for CUDA devices: all pairs of a chunk advance row by row."""

from collections.abc import Sequence

import numpy as np
import torch

from .dtw_kernel import has_path

#: Largest local cost of a chunk in cells (pairs x rows x columns, float64): 1 GiB.
MAX_CELLS = 1 << 27


def one_to_many(
    query: np.ndarray, gallery: Sequence[np.ndarray], device: str, max_cells: int = MAX_CELLS
) -> np.ndarray:
    """Compute (G,) float64 normalised distances of one (n, D) query to every (m, D) gallery sequence.

    Uses symmetricP2, and symmetric2 where that has no path.  Sequences of similar length share a chunk, which keeps
    padding short.
    """
    n = len(query)
    lengths = np.array([len(s) for s in gallery])
    slanted = has_path(n, lengths)
    out = np.empty(len(gallery))
    a = torch.as_tensor(query, dtype=torch.float64, device=device)
    for chosen, path_sums in ((slanted, _symmetric_p2), (~slanted, _symmetric2)):
        inds = np.flatnonzero(chosen)
        inds = inds[np.argsort(lengths[inds], kind='stable')]
        while len(inds):
            fits = np.arange(1, len(inds) + 1) * n * lengths[inds] <= max_cells
            chunk, inds = np.split(inds, [max(1, int(fits.sum()))])
            b = torch.nn.utils.rnn.pad_sequence([torch.as_tensor(gallery[i]) for i in chunk], batch_first=True)
            b = b.to(device=device, dtype=torch.float64)
            # The matrix product form of cdist loses half of the digits where two frames are close.
            cost = torch.cdist(a.expand(len(chunk), -1, -1), b, compute_mode='donot_use_mm_for_euclid_dist')
            ends = torch.as_tensor(lengths[chunk] - 1, device=device)
            out[chunk] = path_sums(cost).gather(1, ends[:, None])[:, 0].cpu().numpy()
    return out / (n + lengths)


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
