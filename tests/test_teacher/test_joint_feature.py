from pathlib import Path

import numpy as np
import pytest

from vpd_mm.structures import PoseSequence
from vpd_mm.teacher import JointFeature, flip_joints, frame_scores, normalize_joints
from vpd_mm.teacher.joint_feature import VPD_JOINTS

#: Pose 0 has all four torso joints on one point: the published code leaves it in pixels (101, 138), we give zeros.
GOLDEN = np.load(Path(__file__).resolve().parents[1] / 'data' / 'golden_poses.npz', allow_pickle=False)


def sequence(keypoints, scores=None):
    n = len(keypoints)
    scores = np.ones((n, 17), np.float32) if scores is None else scores
    return PoseSequence(np.arange(n), keypoints.astype(np.float32), scores.astype(np.float32))


def test_features_equal_the_published_code():
    pose = GOLDEN['pose_in'][1:]
    joints = normalize_joints(pose[:, VPD_JOINTS, :2])
    np.testing.assert_allclose(joints, GOLDEN['pose_norm'][1:, :, :2], atol=1e-12)
    np.testing.assert_allclose(flip_joints(joints), GOLDEN['pose_norm_flip'][1:, :, :2], atol=1e-12)


def test_feature_has_both_views_and_the_mean_score():
    pose = GOLDEN['pose_in']
    feature = JointFeature()(sequence(pose[..., :2], pose[..., 2]))
    assert feature.feats.shape == (24, 2, 26)
    assert not feature.feats[0].any()
    np.testing.assert_allclose(feature.feats[1:, 0].reshape(23, 13, 2), GOLDEN['pose_norm'][1:, :, :2], atol=1e-5)
    np.testing.assert_allclose(feature.feats[1:, 1].reshape(23, 13, 2), GOLDEN['pose_norm_flip'][1:, :, :2], atol=1e-5)
    np.testing.assert_allclose(feature.scores, GOLDEN['pose_norm'][..., 2].mean(1) + 0.5, atol=1e-6)


def test_mirrored_image_gives_the_flipped_view():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 200, (5, 17, 2))
    mirrored = keypoints[:, [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]] * [-1, 1] + [199, 0]
    seen, other = (JointFeature()(sequence(k)).feats for k in (keypoints, mirrored))
    np.testing.assert_allclose(other[:, 0], seen[:, 1], atol=1e-5)
    np.testing.assert_allclose(other[:, 1], seen[:, 0], atol=1e-5)


def test_double_flip_is_identity_and_scale_and_position_are_normalized():
    rng = np.random.default_rng(1)
    joints = rng.normal(size=(4, 13, 2))
    np.testing.assert_array_equal(flip_joints(flip_joints(joints)), joints)
    np.testing.assert_allclose(normalize_joints(joints), normalize_joints(joints * 7 + [30, -4]), atol=1e-12)


def test_torso_of_size_zero_gives_zeros():
    assert not JointFeature()(sequence(np.full((1, 17, 2), 50.0))).feats.any()


def test_confidence_ignores_eyes_and_ears():
    scores = np.zeros((1, 17))
    scores[:, [1, 2, 3, 4]] = 1
    assert frame_scores(sequence(np.zeros((1, 17, 2)), scores)) == pytest.approx(0)
