"""Cameras fitted to joints: the ground truth of a known camera comes back, wrong joints and poor fits do not pass."""

import numpy as np
import pytest
from mocap import moving_joints, seen_by_camera

from vpd_mm.importers.projection import fit_camera, joint_distances
from vpd_mm.structures import PoseSequence


def test_camera_and_delay_come_back_from_joints_of_which_a_quarter_is_wrong():
    rng = np.random.default_rng(0)
    joints, frames = moving_joints(np.arange(43.0)), np.arange(40.0)
    moved = moving_joints(frames - 1.4)  # the capture starts 1.4 frames after the video
    poses = seen_by_camera(moved)
    poses.keypoints[:, 5:] += rng.normal(0, 1, (40, 12, 2))
    wrong = rng.random((40, 12)) < 0.25
    poses.keypoints[:, 5:][wrong] += rng.normal(0, 60, (wrong.sum(), 2))
    poses.keypoints[:, 9] = 0  # a joint without confidence does not count
    poses.scores[:, 9] = 0.2
    ground_truth, fit = fit_camera('v', joints, poses, 40)
    assert fit.problem == ''
    assert fit.delay == pytest.approx(1.4, abs=0.05)
    assert 0.5 < fit.residual_px < 3
    assert fit.error < 0.02
    assert fit.joints == 38 * 11
    assert ground_truth.frame_inds.tolist() == list(range(2, 40))
    assert ground_truth.scores[0].tolist() == [0] * 5 + [1] * 12
    expected = seen_by_camera(moved).keypoints[2:]
    assert np.linalg.norm(ground_truth.keypoints - expected, axis=-1)[:, 5:].mean() < 1
    assert joint_distances(ground_truth.keypoints, expected).mean() < 0.02


def test_left_out_with_too_few_joints_or_a_poor_fit():
    joints, rng = moving_joints(np.arange(23.0)), np.random.default_rng(1)
    ground_truth, fit = fit_camera(
        'v', joints, seen_by_camera(joints[:20], np.where(np.arange(20)[:, None] < 4, 1, 0.4)), 20
    )
    assert ground_truth is None
    assert fit.problem == '48 joints with a score of 0.5 or more, needs 60'
    noise = seen_by_camera(joints[:20])
    noise.keypoints[:, 5:] += rng.normal(0, 150, (20, 12, 2))
    ground_truth, fit = fit_camera('v', joints, noise, 20)
    assert ground_truth is None
    assert 'torsos, at most' in fit.problem
    assert fit_camera('v', joints, PoseSequence(*(a[:0] for a in vars(noise).values())), 20)[1].joints == 0


def test_distances_ignore_place_and_size_and_are_relative_to_the_torso():
    keypoints = np.zeros((1, 17, 2))
    keypoints[0, 5:7], keypoints[0, 11:13] = [[0, 0], [30, 0]], [[0, 40], [30, 40]]  # torso 50
    other = keypoints.copy()
    other[0, 16] += [5, 0]
    assert joint_distances(keypoints, 3 * keypoints + 7).max() == pytest.approx(0)
    assert joint_distances(keypoints, other)[0].tolist() == pytest.approx([0] * 11 + [0.1])
