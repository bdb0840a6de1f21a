"""Normalised joints put back into the frame."""

import numpy as np
from demo_old.demo_overlay import box_margin, place_poses

from vpd_mm.structures import AthleteTrack, PoseSequence
from vpd_mm.teacher import JointFeature
from vpd_mm.teacher.joint_feature import VPD_JOINTS


def test_a_pose_goes_back_to_where_it_was():
    rng = np.random.default_rng(0)
    keypoints = rng.normal(300, 60, (6, 17, 2)).astype(np.float32)
    poses = PoseSequence(np.arange(6), keypoints, np.ones((6, 17), np.float32))
    joints = keypoints[:, VPD_JOINTS]
    pixels = 15.0
    boxes = np.concatenate([joints.min(axis=1) - pixels, joints.max(axis=1) + pixels], axis=1)
    track = AthleteTrack(np.arange(6), boxes.astype(np.float32), np.ones(6, np.float32))
    feats = JointFeature()(poses).feats[:, 0]
    for i in range(6):
        one = PoseSequence(poses.frame_inds[i : i + 1], keypoints[i : i + 1], poses.scores[i : i + 1])
        margin = box_margin(one, feats[i : i + 1], track)
        np.testing.assert_allclose(place_poses(feats[i : i + 1], boxes[i : i + 1], margin)[0], joints[i], atol=0.05)


def test_one_scale_for_x_and_y():
    joints = np.tile([[-1.0, -2.0], [1.0, 2.0]], (7, 1))[:13].reshape(1, 26)
    placed = place_poses(joints, np.array([[0.0, 0.0, 40.0, 40.0]]), 0.0)[0]
    # halves 1 and 2 against 20 and 20: the best scale is (20 + 40) / (1 + 4)
    np.testing.assert_allclose(np.ptp(placed, axis=0), (24, 48))
    np.testing.assert_allclose(placed.min(axis=0) + placed.max(axis=0), (40, 40))
