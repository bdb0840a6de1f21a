"""Transforms of feature sequences."""

import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.features import AddVelocity, RandomJointAffine, RandomTimeCrop, ResampleFrames
from vpd_mm.teacher import flip_joints


def results(feats, seed=0):
    return {'feats': np.asarray(feats, np.float32), 'rng': np.random.default_rng(seed)}


def ramp(frames: int) -> np.ndarray:
    return np.arange(frames, dtype=np.float32)[None, :, None]


def test_resample_keeps_both_ends():
    out = ResampleFrames(5)(results(ramp(9)))['feats']
    assert out[0, :, 0].tolist() == [0, 2, 4, 6, 8]
    assert ResampleFrames(4)(results(ramp(1)))['feats'][0, :, 0].tolist() == [0, 0, 0, 0]


def test_velocity_is_the_change_since_the_previous_frame():
    out = AddVelocity(scale=2.0)(results([[[1.0], [4.0], [2.0]]]))['feats']
    assert out.tolist() == [[[1, 0], [4, 6], [2, -4]]]


def test_time_crop_removes_at_most_its_share():
    crop = RandomTimeCrop(0.2)
    for seed in range(20):
        out = crop(results(ramp(51), seed))['feats'][0, :, 0]
        assert 0 <= out[0] <= 10
        assert 40 <= out[-1] <= 50
        assert (np.diff(out) > 0).all()
    assert crop(results(ramp(1)))['feats'].shape == (1, 1, 1)


def test_rotation_keeps_lengths_and_the_hip_midpoint():
    joints = np.random.default_rng(1).normal(size=(2, 4, 13, 2))
    joints -= joints[:, :, (7, 8)].mean(2, keepdims=True)
    turn = RandomJointAffine(angle=0.5, scale=0, noise=0)
    out = turn(results(joints.reshape(2, 4, 26)))['feats'].reshape(2, 4, 13, 2)
    np.testing.assert_allclose(np.linalg.norm(out, axis=-1), np.linalg.norm(joints, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(out[:, :, (7, 8)].mean(2), 0, atol=1e-6)
    assert np.abs(out - joints).max() > 0.05


def test_zero_ranges_change_nothing_and_flips_commute_with_scale():
    joints = np.random.default_rng(1).normal(size=(1, 3, 13, 2)).astype(np.float32)
    same = RandomJointAffine(0, 0, 0, 0, 0)(results(joints.reshape(1, 3, 26)))['feats']
    np.testing.assert_allclose(same.reshape(joints.shape), joints, rtol=1e-6)
    stretch = RandomJointAffine(0, 0.3, 0, 0, 0)
    a = stretch(results(flip_joints(joints).reshape(1, 3, 26)))['feats'].reshape(joints.shape)
    b = flip_joints(stretch(results(joints.reshape(1, 3, 26)))['feats'].reshape(joints.shape))
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_other_features_than_joints_are_refused():
    with pytest.raises(UserError, match='d=64'):
        RandomJointAffine()(results(np.zeros((1, 3, 64))))
