"""Where to put joints that nobody saw."""

from dataclasses import replace

import numpy as np

from ..structures import PoseSequence
from .joint_feature import VPD_JOINTS


def fill_unseen(poses: PoseSequence) -> PoseSequence:
    """Place joints of score 0: in time between frames that have them; where none has, amid the seen joints.

    An estimator puts a joint that it does not see anywhere, and the torso's
    size, which every joint is divided by, must not depend on that.  Scores
    stay as they are.
    """
    keypoints = poses.keypoints.copy()
    frames = np.arange(len(poses))
    seen = poses.scores[:, VPD_JOINTS] > 0
    anywhere = np.any(seen, axis=1, keepdims=True)
    total = np.where(seen[..., None], keypoints[:, VPD_JOINTS], 0).sum(axis=1)
    middle = total / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    for i, joint in enumerate(VPD_JOINTS):
        good = np.flatnonzero(seen[:, i])
        for axis in range(2):
            if len(good):
                keypoints[:, joint, axis] = np.interp(frames, good, keypoints[good, joint, axis])
            else:
                keypoints[:, joint, axis] = np.where(anywhere[:, 0], middle[:, axis], 0)
    return replace(poses, keypoints=keypoints.astype(np.float32))
