"""Poses of the athlete."""

from dataclasses import dataclass

import numpy as np

from .frame_sequence import FrameSequence

NUM_COCO_JOINTS = 17
#: The 13 joints of VPD within COCO-17: nose, then 5..16 (shoulders, elbows, wrists, hips, knees, ankles; left first).
VPD_JOINTS = (0, *range(5, 17))


@dataclass(frozen=True, eq=False)
class PoseSequence(FrameSequence):
    """COCO-17 poses of one athlete in one video; frames without a pose are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        keypoints: (T, 17, 2) float32, (x, y) in pixels of the full frame.
        scores: (T, 17) float32 in [0, 1]; 0 = not detected.

    Raises:
        UserError: a shape, dtype, order or value is invalid.
    """

    frame_inds: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    KIND = 'PoseSequence/1'
    SHAPES = {'keypoints': (NUM_COCO_JOINTS, 2), 'scores': (NUM_COCO_JOINTS,)}
