"""Motion capture of an athlete, and what a camera sees of it."""

import numpy as np

from vpd_mm.importers.projection import project
from vpd_mm.structures import PoseSequence

#: 80 px per unit at depth 6, looking along y.
CAMERA = np.array([[480.0, 320, 0, 0], [0, 240, -480, 480], [0, 1, 0, 6]])


def moving_joints(frames):
    """Joints (T, 12, 3), 5..16 of COCO-17, of an athlete who runs, bends and turns, at times in frames (T,)."""
    body = np.random.default_rng(0).normal(0, 0.3, (12, 3)) + np.repeat([[0, 0, 1.4], [0, 0, 0.7]], 6, axis=0)
    cos, sin, (x, y, z) = np.cos(0.08 * frames[:, None]), np.sin(0.08 * frames[:, None]), body.T
    turned = np.stack([x * cos - y * sin, x * sin + y * cos, np.broadcast_to(z, (len(frames), 12))], axis=-1)
    swing = 0.25 * np.sin(0.4 * frames[:, None, None] + np.arange(36).reshape(12, 3))
    return turned + swing + 0.06 * frames[:, None, None] * [1, 0.3, 0] - [1, 0, 0]


def seen_by_camera(joints, scores=1.0):
    """Poses of joints (T, 12, 3) in the image of CAMERA, without nose, eyes and ears."""
    keypoints, all_scores = np.zeros((len(joints), 17, 2), np.float32), np.zeros((len(joints), 17), np.float32)
    keypoints[:, 5:], all_scores[:, 5:] = project(CAMERA, joints), scores
    return PoseSequence(np.arange(len(joints)), keypoints, all_scores)
