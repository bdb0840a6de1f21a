"""Skeleton clips and the streams of graph networks."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from vpd_mm.baselines.pose_clip_dataset import to_skeleton
from vpd_mm.baselines.skeleton_transforms import PARENTS
from vpd_mm.errors import UserError
from vpd_mm.structures import PoseSequence


def poses(frames: list[int]) -> PoseSequence:
    """x of joint j in frame t is 100 t + j, y is 0; the score of frame t is t / 10."""
    keypoints = np.zeros((len(frames), 17, 2), np.float32)
    keypoints[..., 0] = 100 * np.array(frames)[:, None] + np.arange(17)
    scores = np.repeat(np.array(frames, np.float32)[:, None] / 10, 17, axis=1)
    return PoseSequence(np.array(frames), keypoints, scores)


def test_joints_are_selected_and_interpolated():
    clip = to_skeleton(poses([2, 3, 5, 9]), np.array([3.0, 3.5, 4.0, 6.0]))
    assert clip['keypoint'].shape == (1, 4, 13, 2)
    np.testing.assert_allclose(clip['keypoint'][0, :, 1, 0], [305, 355, 405, 505], atol=1e-3)  # repeated: 9 is outside
    np.testing.assert_allclose(clip['keypoint_score'][0, :, 12], [0.3, 0.35, 0.4, 0.5], atol=1e-6)
    assert to_skeleton(poses([2, 9]), np.array([4.0, 5.0])) is None


def stream(name: str, joints: np.ndarray) -> np.ndarray:
    init_default_scope('vpd_mm')
    feats = joints.reshape(*joints.shape[:2], -1)
    return Compose([dict(type='SkeletonStream')])({'feats': feats, 'stream': name})['keypoint'][:, 0]


def test_streams_by_hand():
    joints = np.random.default_rng(0).normal(size=(2, 3, 13, 2)).astype(np.float32)
    np.testing.assert_array_equal(stream('joint', joints), joints)
    bones = stream('bone', joints)
    assert not bones[:, :, 0].any()
    np.testing.assert_allclose(bones[:, :, 5], joints[:, :, 5] - joints[:, :, 3])  # left wrist from left elbow
    np.testing.assert_allclose(bones[:, :, 12], joints[:, :, 12] - joints[:, :, 10])  # right ankle from right knee
    motion = stream('joint-motion', joints)
    np.testing.assert_allclose(motion[:, 0], joints[:, 1] - joints[:, 0])
    assert not motion[:, 2].any()
    np.testing.assert_allclose(stream('bone-motion', joints)[:, 1], bones[:, 2] - bones[:, 1])
    with pytest.raises(UserError, match='stream must be one of'):
        stream('limb', joints)


def test_bones_follow_the_graph_of_the_configs():
    from pathlib import Path

    from mmengine.config import Config

    path = Path(__file__).parents[2] / 'configs/baselines/_base_/vpd13.py'
    assert sorted(map(tuple, Config.fromfile(path).layout.inward)) == sorted(enumerate(PARENTS))[1:]
