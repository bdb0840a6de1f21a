"""Heatmaps as distributions: cross-entropy to train, the mass around the peak as the score.

VPD drops frames by their mean joint score (paper 3.2), which asks for scores on a scale.  A heatmap that is a
distribution over places has one: the probability that the joint lies about where it is said to be.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmpose.codecs import UDPHeatmap
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor, nn

from ..errors import UserError


@MODELS.register_module()
class SoftmaxHeatmapLoss(nn.Module):
    """Cross-entropy between target heatmaps, scaled to sum 1, and the soft-max of the output over all places.

    Args:
        loss_weight: Factor of the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
        """Mean over the joints that count.

        Args:
            output: (N, K, H, W) logits.
            target: (N, K, H, W), not negative.
            target_weights: (N, K); 0 = the joint is not labelled.
        """
        output = output.float()
        weights = target_weights * (target.flatten(2).sum(-1) > 0)
        places = target.flatten(2) / target.flatten(2).sum(-1, keepdim=True).clamp(min=1e-6)
        entropy = -(places * output.flatten(2).log_softmax(-1)).sum(-1)
        return self.loss_weight * (entropy * weights).sum() / weights.sum().clamp(min=1)


@KEYPOINT_CODECS.register_module()
class SoftmaxHeatmap(UDPHeatmap):
    """mmpose's UDP heatmap whose output is the logits of a distribution over places.

    Args:
        reach: The score is the probability within this many cells of the peak, in x and in y.
        score_table: Rows (that probability, score), both rising; linear between rows, constant beyond; empty: the
            probability is the score.  ``tools/calibrate_teacher.py`` makes one.
        **kwargs: Those of ``mmpose.UDPHeatmap``.

    Raises:
        UserError: the table does not rise, or a score is not in [0, 1].
    """

    def __init__(self, reach: int = 2, score_table: Sequence[Sequence[float]] = (), **kwargs) -> None:
        super().__init__(**kwargs)
        self.reach = reach
        self.score_table = np.asarray(score_table, float).reshape(-1, 2)
        masses, scores = self.score_table.T
        if (np.diff(masses) <= 0).any() or (np.diff(scores) < 0).any() or not ((scores >= 0) & (scores <= 1)).all():
            raise UserError(f'SoftmaxHeatmap: score_table must hold rising rows with scores 0 to 1, got {score_table}')

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """What UDPHeatmap gives, all joints at once, its Gaussians not cut off at three sigma.

        Args:
            keypoints: (1, K, 2) pixels of the input.
            keypoints_visible: (1, K); 0 = not labelled.

        Returns:
            ``heatmaps`` (K, H, W) float32 and ``keypoint_weights`` (1, K), 0 where a joint lies off the map.
        """
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], np.float32)
        centres = keypoints[0] / self.scale_factor
        width, height = self.heatmap_size
        inside = ((centres >= -0.5) & (centres < np.array(self.heatmap_size) - 0.5)).all(axis=1)
        # far from the map the exponent underflows to a map of zeros
        columns, rows = (
            np.exp(-((np.arange(n) - centres[:, axis, None]) ** 2) / (2 * self.sigma**2))
            for axis, n in enumerate((width, height))
        )
        heatmaps = (rows[:, :, None] * columns[:, None]).astype(np.float32)
        return {'heatmaps': heatmaps, 'keypoint_weights': (keypoints_visible * inside).astype(np.float32)}

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (K, H, W) to keypoints (1, K, 2) in pixels of the input and scores (1, K)."""
        num, height, width = encoded.shape
        logits = torch.from_numpy(np.ascontiguousarray(encoded, np.float32))
        places = logits.flatten(1).softmax(-1).reshape(num, height, width).numpy()
        keypoints, _ = super().decode(places.copy())
        scores = self._mass(places)
        if len(self.score_table):
            scores = np.interp(scores, *self.score_table.T)
        return keypoints, scores.astype(np.float32)[None]

    def _mass(self, places: np.ndarray) -> np.ndarray:
        """(K,) probability within reach of the peak."""
        num, height, width = places.shape
        rows, columns = np.unravel_index(places.reshape(num, -1).argmax(1), (height, width))
        near_row = abs(np.arange(height) - rows[:, None]) <= self.reach
        near_column = abs(np.arange(width) - columns[:, None]) <= self.reach
        return np.einsum('khw,kh,kw->k', places, near_row, near_column)


def fit_score_table(raw: np.ndarray, right: np.ndarray, rows: int = 12) -> list[tuple[float, float]]:
    """The table that turns raw scores into how often joints with such a score are right.

    Bins of equal size along the raw scores, made to rise by isotonic regression.

    Args:
        raw: (N,), of joints on pictures that did not train the network.
        right: (N,) bool.
        rows: Of the table; fewer where raw scores coincide.
    """
    from scipy.optimize import isotonic_regression

    bins = np.array_split(np.argsort(raw, kind='stable'), rows)
    at = np.array([raw[b].mean() for b in bins])
    share = isotonic_regression([right[b].mean() for b in bins], weights=[len(b) for b in bins]).x
    keep = np.concatenate([[True], np.diff(at.round(4)) > 0])
    return [(round(float(a), 4), round(float(s), 4)) for a, s in zip(at[keep], share[keep], strict=True)]
