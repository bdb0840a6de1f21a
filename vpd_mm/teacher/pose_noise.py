"""What a pose estimator makes of a true pose: confidences, noise that goes with them, joints that it loses."""

from collections.abc import Sequence

import numpy as np

from ..errors import UserError


class PoseNoise:
    """Random confidences, joint noise, dropped joints.

    Left and right are never exchanged: the embedding must tell a pose from its mirror image.

    Args:
        jitter: Least and largest standard deviation of a pose's joints with score 1, in trunk lengths, drawn a pose;
            a joint of score s has (3 - 2 s) times that.
        score: Least and largest score of a joint that is not dropped.
        sure: Share of poses whose joints all have score 1 (hand-annotated ones).
        drop: Probability that a joint is dropped: score 0 or nearly so, amid the others or far off.
    """

    def __init__(
        self,
        jitter: Sequence[float] = (0.0, 0.08),
        score: Sequence[float] = (0.3, 1.0),
        sure: float = 0.2,
        drop: float = 0.05,
    ) -> None:
        for name, (low, high) in (('jitter', tuple(jitter)), ('score', tuple(score))):
            if not 0 <= low <= high <= 1:
                raise UserError(f'PoseNoise: {name} must be two rising numbers in 0 to 1, found {(low, high)}')
        if not 0 <= drop < 1 or not 0 <= sure <= 1:
            raise UserError(f'PoseNoise: drop must lie in 0 to 1, less than 1, sure in 0 to 1, found {drop}, {sure}')
        self.jitter, self.score, self.sure, self.drop = tuple(jitter), tuple(score), sure, drop

    def __call__(
        self, points: np.ndarray, trunk: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Spoil poses.

        Args:
            points: (N, 13, 2) true places.
            trunk: (N,) length of the trunk in the picture, as if seen from the side, in the points' unit.

        Returns:
            points (N, 13, 2), scores (N, 13) in [0, 1]; at least five joints of a pose are not dropped.
        """
        num, joints = points.shape[:2]
        scores = rng.uniform(self.score[0], self.score[1], (num, joints))
        scores[rng.random(num) < self.sure] = 1
        sd = rng.uniform(self.jitter[0], self.jitter[1], (num, 1)) * (3 - 2 * scores) * trunk[:, None]
        noisy = points + sd[..., None] * rng.standard_normal(points.shape)
        luck = rng.random((num, joints))
        lost = (luck < self.drop) & (luck.argsort(axis=1).argsort(axis=1) < joints - 5)
        kept = ~lost[..., None]
        middle = (noisy * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
        astray = noisy + 0.5 * trunk[:, None, None] * rng.standard_normal(points.shape)
        elsewhere = np.where(rng.random((num, joints, 1)) < 0.3, middle, astray)
        low = np.where(rng.random((num, joints)) < 0.5, 0, rng.uniform(0, 0.2, (num, joints)))
        return np.where(kept, noisy, elsewhere), np.where(lost, low, scores)
