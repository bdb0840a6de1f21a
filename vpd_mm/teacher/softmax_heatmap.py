"""Training of the packed teacher by mmpose: heatmaps as probability distributions, and a faster box transform.

VPD selects frames by their mean joint score (paper 3.2), which requires scores that are probabilities.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmpose.codecs import UDPHeatmap
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.registry import KEYPOINT_CODECS, MODELS, TRANSFORMS
from torch import Tensor, nn

from ..errors import UserError

#: The raw score of a joint is the probability within this many cells of the peak in x and y.
REACH = 2


@MODELS.register_module()
class SoftmaxHeatmapLoss(nn.Module):
    """Cross-entropy between target heatmaps, scaled to sum 1, and the softmax of the output over all cells."""

    def forward(self, output: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
        """Return the mean loss over the joints with ``target_weights`` (N, K) above 0; maps are (N, K, H, W)."""
        target = target.flatten(2)
        sums = target.sum(-1)
        weights = target_weights * (sums > 0)
        probabilities = target / sums[..., None].clamp(min=1e-6)
        entropy = -(probabilities * output.float().flatten(2).log_softmax(-1)).sum(-1)
        return (entropy * weights).sum() / weights.sum().clamp(min=1)


@KEYPOINT_CODECS.register_module()
class SoftmaxHeatmap(UDPHeatmap):
    """mmpose's UDP heatmap for a network that predicts the logits of a distribution over the cells.

    Args:
        score_table: Increasing rows (raw score, score) for linear interpolation, constant beyond; empty: use the raw
            score.  Fitted by ``tools/calibrate_teacher.py``.
        **kwargs: Arguments of ``mmpose.UDPHeatmap``.

    Raises UserError: the table is not increasing, or a score is not in [0, 1].
    """

    def __init__(self, score_table: Sequence[Sequence[float]] = (), **kwargs) -> None:
        super().__init__(**kwargs)
        self.score_table = np.asarray(score_table, float).reshape(-1, 2)
        masses, scores = self.score_table.T
        if (np.diff(masses) <= 0).any() or (np.diff(scores) < 0).any() or not ((scores >= 0) & (scores <= 1)).all():
            raise UserError(f'SoftmaxHeatmap: score_table must hold rising rows with scores 0 to 1, got {score_table}')

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Encode joints (1, K, 2), input px, like UDPHeatmap but without truncating the Gaussians at three sigma.

        Returns:
            ``heatmaps`` (K, H, W) float32 and ``keypoint_weights`` (1, K), 0 for joints outside the map or not labeled.
        """
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], np.float32)
        centres = keypoints[0] / self.scale_factor
        width, height = self.heatmap_size
        inside = ((centres >= -0.5) & (centres < np.array(self.heatmap_size) - 0.5)).all(axis=1)
        # Far outside the map the exponential underflows to 0.
        columns, rows = (
            np.exp(-((np.arange(n) - centres[:, axis, None]) ** 2) / (2 * self.sigma**2))
            for axis, n in enumerate((width, height))
        )
        heatmaps = (rows[:, :, None] * columns[:, None]).astype(np.float32)
        return {'heatmaps': heatmaps, 'keypoint_weights': (keypoints_visible * inside).astype(np.float32)}

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode logits (K, H, W) to keypoints (1, K, 2) in px of the input and scores (1, K)."""
        num, height, width = encoded.shape
        logits = torch.from_numpy(np.ascontiguousarray(encoded, np.float32))
        probabilities = logits.flatten(1).softmax(-1).reshape(num, height, width).numpy()
        keypoints, _ = super().decode(probabilities.copy())
        rows, columns = np.unravel_index(probabilities.reshape(num, -1).argmax(1), (height, width))
        near_row = abs(np.arange(height) - rows[:, None]) <= REACH
        near_column = abs(np.arange(width) - columns[:, None]) <= REACH
        scores = np.einsum('khw,kh,kw->k', probabilities, near_row, near_column)
        if len(self.score_table):
            scores = np.interp(scores, *self.score_table.T)
        return keypoints, scores.astype(np.float32)[None]


def fit_score_table(raw: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """Fit a score table to raw scores (N,) of joints by isotonic regression over twelve bins of equal size.

    ``right`` (N,) is True for correct joints.  Returns rows (raw score, share of correct joints), fewer than twelve if
    raw scores coincide.
    """
    from scipy.optimize import isotonic_regression

    bins = np.array_split(np.argsort(raw, kind='stable'), 12)
    means = np.array([raw[b].mean() for b in bins])
    shares = isotonic_regression([right[b].mean() for b in bins], weights=[len(b) for b in bins]).x
    keep = np.concatenate([[True], np.diff(means.round(4)) > 0])
    return [(round(float(m), 4), round(float(s), 4)) for m, s in zip(means[keep], shares[keep], strict=True)]


@TRANSFORMS.register_module()
class QuickBBoxTransform(RandomBBoxTransform):
    """``mmpose.RandomBBoxTransform`` that draws its truncated normal by rejection, which is faster than SciPy."""

    @staticmethod
    def _truncnorm(low: float = -1.0, high: float = 1.0, size: tuple = ()) -> np.ndarray:
        values = np.random.standard_normal(size)
        while (outside := (values < low) | (values > high)).any():
            values = np.where(outside, np.random.standard_normal(size), values)
        return values.astype(np.float32)
