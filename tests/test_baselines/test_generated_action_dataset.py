import numpy as np
import pytest

from vpd_mm.baselines import GeneratedActionDataset
from vpd_mm.errors import UserError


def test_the_seed_decides_the_clips():
    a, b, c = (GeneratedActionDataset([], num_clips=4, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(a[1]['keypoint'], b[1]['keypoint'])
    assert not np.array_equal(a[1]['keypoint'], c[1]['keypoint'])


def test_shapes_labels_and_independent_samples():
    data = GeneratedActionDataset([], num_clips=8, num_classes=4, num_frames=10, size=48, modality='RGB')
    assert [data[i]['label'] for i in range(8)] == [0, 1, 2, 3] * 2
    assert data[0]['array'].shape == (10, 48, 48, 3)
    data[0]['array'][:] = 0
    assert data[0]['array'].any()


def test_class_0_raises_the_left_wrist_on_the_right_of_the_image():
    keypoint = GeneratedActionDataset([], num_clips=1, num_frames=60)[0]['keypoint'][0]
    height = keypoint[:, :, 1]
    assert np.ptp(height[:, 9]) > 3 * np.ptp(height[:, 10])
    assert (keypoint[:, 9, 0] > keypoint[:, 10, 0]).all()


def test_wrong_arguments_are_refused():
    with pytest.raises(UserError, match='num_classes must be 2 to 6, found 9'):
        GeneratedActionDataset([], num_classes=9)
    with pytest.raises(UserError, match='modality'):
        GeneratedActionDataset([], modality='Sound')
