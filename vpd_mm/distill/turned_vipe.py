"""VIPE* targets of rotated athletes, embedded again from the rotated poses."""

import os

import numpy as np

from ..engine.config import read_config
from ..engine.paths import find_weights
from ..registry import TASK_UTILS
from ..teacher.joint_feature import VPD_JOINTS, flip_joints
from ..teacher.vipe_feature import VipeFeature, load_encoder, pose_inputs


@TASK_UTILS.register_module()
class TurnedVipe:
    """Compute VI-VPD targets for :class:`AthleteRotation`.

    Args:
        config, checkpoint: VIPE config and weights of the teacher's features.

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
        """Return targets (2, D) or (2, 2 D) float32 [p_t ; p_t - p_(t-1)], views [original, flipped].

        Args:
            joints: (2, 17, 2) px of frames t and t-1, each with any origin and scale.
            scores: (2, 17).
            turns: (2, 2) rotation matrices of frames t and t-1.
            motion: Include the change.
        """
        turned = np.stack([pose @ turn.T for pose, turn in zip(joints[:, VPD_JOINTS], turns, strict=True)])
        inputs = pose_inputs(turned, scores[:, VPD_JOINTS])
        now, before = self.feature.embed(np.stack([inputs, flip_joints(inputs)], axis=1))
        return np.concatenate([now, now - before], axis=-1) if motion else now
