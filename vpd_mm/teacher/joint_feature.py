"""Normalized 2D joints, the teacher of 2D-VPD (paper 3.1)."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ..structures import VPD_JOINTS, FeatureSequence, PoseSequence

Joints = TypeVar('Joints', bound=Any)

#: Permutation of the 13 joints that swaps left and right.
FLIP_ORDER = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)
#: Rows of the 13 joints, left first.
SHOULDERS, HIPS = (1, 2), (7, 8)


def frame_scores(poses: PoseSequence) -> np.ndarray:
    """Return the confidence (T,) float32 of each frame: the mean score of its 13 joints.

    For VIPE* the published code takes the mean of all 17; with one gate, both teachers have the same frames, and poses
    without eyes and ears (score 0) can pass it.
    """
    return poses.scores[:, VPD_JOINTS].mean(axis=1)


def torso_sizes(keypoints: np.ndarray) -> np.ndarray:
    """Return the largest distance (...) among shoulders and hips of (..., 13, 2)."""
    torso = keypoints[..., SHOULDERS + HIPS, :]
    return np.linalg.norm(torso[..., :, None, :] - torso[..., None, :, :], axis=-1).max(axis=(-2, -1))


def normalize_joints(keypoints: np.ndarray) -> np.ndarray:
    """Move the hip midpoint of (..., 13, 2) px to the origin and scale the torso to size 0.5; one of size 0 to 0."""
    centered = keypoints - keypoints[..., HIPS, :].mean(axis=-2, keepdims=True)
    size = torso_sizes(centered)[..., None, None]
    return np.divide(0.5 * centered, size, out=np.zeros_like(centered), where=size != 0)


def flip_joints(joints: Joints) -> Joints:
    """Mirror an array or tensor of joints (..., 13, C): swap left and right, negate channel 0 (normalized x)."""
    flipped = joints[..., list(FLIP_ORDER), :]
    flipped[..., 0] *= -1
    return flipped


def fill_unseen(poses: PoseSequence) -> PoseSequence:
    """Replace the positions of joints with score 0, which would distort the torso size; scores stay 0.

    A joint is interpolated in time between frames that have it; a joint that no frame has gets the mean of the
    frame's other joints.  The published code has no such joints: its pose estimator finds each of them.
    """
    keypoints = poses.keypoints.copy()
    frames = np.arange(len(poses))
    seen = poses.scores[:, VPD_JOINTS] > 0
    # The mean over no joint is (0, 0).
    total = np.where(seen[..., None], keypoints[:, VPD_JOINTS], 0).sum(axis=1)
    mean = total / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    for i, joint in enumerate(VPD_JOINTS):
        known = np.flatnonzero(seen[:, i])
        columns = [np.interp(frames, known, column) for column in keypoints[known, joint].T] if len(known) else mean.T
        keypoints[:, joint] = np.stack(columns, axis=1)
    return replace(poses, keypoints=keypoints)


class JointFeature:
    """Convert a PoseSequence to a FeatureSequence of normalized 2D joints.

    The feature has V = 2 views (original, flipped) and D = 26: (x, y) of 13 joints, joint by joint, x to the right, y
    down.  The score of a frame is its mean joint score.

    Example:
        >>> poses = PoseSequence(np.arange(3), np.random.rand(3, 17, 2).astype('f4'), np.ones((3, 17), 'f4'))
        >>> JointFeature()(poses).feats.shape
        (3, 2, 26)
    """

    dims = 2 * len(VPD_JOINTS)

    def __call__(self, poses: PoseSequence) -> FeatureSequence:
        joints = normalize_joints(poses.keypoints[:, VPD_JOINTS].astype(np.float64))
        views = np.stack([joints, flip_joints(joints)], axis=1)
        feats = views.reshape(len(poses), 2, self.dims).astype(np.float32)
        return FeatureSequence(poses.frame_inds, feats, np.clip(frame_scores(poses), 0, 1))
