"""What VIPE* says of a turned athlete: an embedding cannot be turned, the pose that it is made from can."""

import os

import numpy as np

from ..engine.config import read_config
from ..engine.paths import find_weights
from ..registry import TASK_UTILS
from ..teacher.joint_feature import VPD_JOINTS
from ..teacher.vipe_feature import VipeFeature, load_encoder, mirror_views, pose_inputs


@TASK_UTILS.register_module()
class TurnedVipe:
    """VI-VPD's targets for :class:`AthleteRotation`.

    Args:
        config, checkpoint: A VIPE config and its weights, those that made the teacher's features.

    Raises:
        UserError: as :func:`load_encoder`.
    """

    def __init__(self, config: str | os.PathLike, checkpoint: str | os.PathLike) -> None:
        self.feature = VipeFeature(load_encoder(read_config(config), find_weights(str(checkpoint))))

    @property
    def dims(self) -> int:
        return self.feature.dims

    def __call__(
        self, joints: np.ndarray, scores: np.ndarray, turns: tuple[np.ndarray, np.ndarray], motion: bool
    ) -> np.ndarray:
        """Targets of the turned poses.

        Args:
            joints: (2, 17, 2) px of the frame and of the one before; each frame may have its own origin and scale.
            scores: (2, 17).
            turns: (2, 2) matrices that turn the frame and the one before.
            motion: Also give the change.

        Returns:
            (2, D) or (2, 2 D) float32 [p_t ; p_t - p_(t-1)], views [as seen, flipped].
        """
        turned = np.stack([pose @ turn.T for pose, turn in zip(joints[:, VPD_JOINTS], turns, strict=True)])
        seen = pose_inputs(turned, scores[:, VPD_JOINTS])
        now, before = self.feature.embed(np.stack([seen, mirror_views(seen)], axis=1))
        return np.concatenate([now, now - before], axis=-1) if motion else now
