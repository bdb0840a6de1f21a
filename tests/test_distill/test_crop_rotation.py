"""CropRotation equals the view of a rotated athlete."""

import numpy as np
import pytest

from vpd_mm.distill import CropRotation
from vpd_mm.errors import UserError
from vpd_mm.structures import PoseSequence
from vpd_mm.teacher import JointFeature


class Turn:
    """Stub of a generator that returns one angle, degrees."""

    def __init__(self, angle):
        self.angle = angle

    def uniform(self, low, high):
        return self.angle


def test_quarter_turn_is_counter_clockwise():
    img = np.zeros((5, 5, 3), np.uint8)
    img[2, 4] = 200  # right of the middle
    flow = np.zeros((5, 5, 2), np.float32)
    flow[2, 4] = 3, 1
    turned = CropRotation().transform({'img': img, 'flow': flow, 'rng': Turn(90)})
    assert turned['img'][0, 2].tolist() == [200] * 3  # above it
    assert turned['img'].sum() == 600
    np.testing.assert_allclose(turned['flow'][0, 2], (1, -3), atol=1e-4)


def test_targets_equal_those_of_the_rotated_athlete():
    rng = np.random.default_rng(0)
    keypoints = rng.normal(64, 20, (1, 17, 2)).astype(np.float32)
    middle = 63.5
    angle = np.deg2rad(40)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # y down
    turned = ((keypoints - middle) @ turn.T + middle).astype(np.float32)
    feats = [
        JointFeature()(PoseSequence(np.arange(1), k, np.ones((1, 17), np.float32))).feats[0]
        for k in (keypoints, turned)
    ]
    targets = np.concatenate([feats[0], 0.1 * feats[0]], axis=1)
    img = np.zeros((128, 128, 3), np.uint8)
    rotated = CropRotation().transform({'img': img, 'targets': targets, 'rng': Turn(40)})['targets']
    np.testing.assert_allclose(rotated, np.concatenate([feats[1], 0.1 * feats[1]], axis=1), atol=1e-5)


def test_rotation_depends_on_prob_and_generator():
    img = np.arange(64, dtype=np.uint8).reshape(8, 8, 1).repeat(3, axis=2)
    same = CropRotation(prob=0).transform({'img': img, 'rng': np.random.default_rng(0)})['img']
    np.testing.assert_array_equal(same, img)
    one, two = (CropRotation().transform({'img': img, 'rng': np.random.default_rng(1)})['img'] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, img)


def test_targets_other_than_joints_are_refused():
    sample = {'img': np.zeros((8, 8, 3), np.uint8), 'targets': np.zeros((2, 128), np.float32)}
    with pytest.raises(UserError, match='only 2D joints'):
        CropRotation().transform({**sample, 'rng': np.random.default_rng(0)})
