"""The 2D-VPD teacher: normalised 2D joints (paper 3.1)."""

import numpy as np

from ..structures import FeatureSequence, PoseSequence
from ..structures.pose import VPD_JOINTS

#: Where each of the 13 joints goes when left and right are swapped.
FLIP_ORDER = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)
_SHOULDERS_AND_HIPS = (1, 2, 7, 8)
_HIPS = (7, 8)


def frame_scores(poses: PoseSequence) -> np.ndarray:
    """(T,) float32: a frame's confidence is the mean score of its 13 joints."""
    return poses.scores[:, VPD_JOINTS].mean(axis=1)


def normalize_joints(keypoints: np.ndarray) -> np.ndarray:
    """(..., 13, 2) pixels to (..., 13, 2): hips' midpoint at the origin, torso of size 0.5.

    The scale is 0.5 over the largest distance among shoulders and hips; a
    torso of no size (all four joints on one point) gives zeros, not NaN.
    """
    centred = keypoints - keypoints[..., _HIPS, :].mean(axis=-2, keepdims=True)
    torso = centred[..., _SHOULDERS_AND_HIPS, :]
    distances = np.linalg.norm(torso[..., :, None, :] - torso[..., None, :, :], axis=-1)
    size = distances.max(axis=(-2, -1))[..., None, None]
    return np.divide(0.5 * centred, size, out=np.zeros_like(centred), where=size > 0)


def flip_joints(joints: np.ndarray) -> np.ndarray:
    """Mirror normalised joints (..., 13, C): swap left and right, negate x (channel 0)."""
    flipped = joints[..., FLIP_ORDER, :].copy()
    flipped[..., 0] *= -1
    return flipped


class JointFeature:
    """PoseSequence to FeatureSequence of normalised 2D joints.

    The result has V = 2 views (as seen, flipped), D = 26: (x, y) of 13 joints,
    joint by joint; y points down, x to the right; scores are the frames'
    mean joint scores.
    """

    dims = 2 * len(VPD_JOINTS)

    def __call__(self, poses: PoseSequence) -> FeatureSequence:
        joints = normalize_joints(poses.keypoints[:, VPD_JOINTS].astype(np.float64))
        views = np.stack([joints, flip_joints(joints)], axis=1)
        feats = views.reshape(len(poses), 2, self.dims).astype(np.float32)
        return FeatureSequence(poses.frame_inds, feats, np.clip(frame_scores(poses), 0, 1))
