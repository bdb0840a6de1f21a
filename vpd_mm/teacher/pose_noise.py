"""Simulated errors of a pose estimator."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.deprecation import renamed_arguments
from ..errors import UserError


class PoseNoise:
    """Add random scores, joint noise and dropped joints to poses.

    Left and right are never swapped, because the embedding must distinguish a pose from its mirror image.

    Args:
        jitter: Range of the standard deviation of joints with score 1, in trunk lengths, drawn once per pose; a joint
            of score s has (3 - 2 s) times that.
        score: Range of the score of joints that are not dropped.
        confident: Share of poses whose joints all have score 1 (as if annotated by hand).
        drop: Probability that a joint is dropped: its score is near 0, its position wrong.
        deprecated: Takes ``confident`` under its former name ``sure``.
    """

    def __init__(
        self,
        jitter: Sequence[float] = (0.0, 0.08),
        score: Sequence[float] = (0.3, 1.0),
        confident: float = 0.2,
        drop: float = 0.05,
        **deprecated: Any,
    ) -> None:
        confident = renamed_arguments('PoseNoise', deprecated, {'sure': 'confident'}).get('confident', confident)
        for name, (low, high) in (('jitter', tuple(jitter)), ('score', tuple(score))):
            if not 0 <= low <= high <= 1:
                raise UserError(f'PoseNoise: {name} must be two rising numbers in 0 to 1, found {(low, high)}')
        if not 0 <= drop < 1 or not 0 <= confident <= 1:
            raise UserError(f'PoseNoise: needs 0 <= drop < 1 and 0 <= confident <= 1, found {drop}, {confident}')
        self.jitter, self.score, self.confident, self.drop = tuple(jitter), tuple(score), confident, drop

    def __call__(
        self, points: np.ndarray, trunk: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return noisy points (N, 13, 2) and scores (N, 13) in [0, 1]; five or more joints per pose are not dropped.

        Args:
            points: (N, 13, 2) exact positions.
            trunk: (N,) length of the trunk seen from the side, in the unit of the points.
        """
        num, joints = points.shape[:2]
        scores = rng.uniform(self.score[0], self.score[1], (num, joints))
        scores[rng.random(num) < self.confident] = 1
        sd = rng.uniform(self.jitter[0], self.jitter[1], (num, 1)) * (3 - 2 * scores) * trunk[:, None]
        noisy = points + sd[..., None] * rng.standard_normal(points.shape)
        draw = rng.random((num, joints))
        dropped = (draw < self.drop) & (draw.argsort(axis=1).argsort(axis=1) < joints - 5)
        kept = ~dropped[..., None]
        mean = (noisy * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
        far = noisy + 0.5 * trunk[:, None, None] * rng.standard_normal(points.shape)
        wrong = np.where(rng.random((num, joints, 1)) < 0.3, mean, far)
        low = np.where(rng.random((num, joints)) < 0.5, 0, rng.uniform(0, 0.2, (num, joints)))
        return np.where(kept, noisy, wrong), np.where(dropped, low, scores)
