"""SquareCropper against published windows and at image borders."""

from pathlib import Path

import numpy as np
import pytest

from vpd_mm.athlete import SquareCropper
from vpd_mm.athlete.square_cropper import scale_to_side
from vpd_mm.errors import UserError

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_crops.npz'


def test_windows_equal_the_published_ones():
    with np.load(GOLDEN, allow_pickle=False) as golden:
        boxes, windows = golden['crop_box_xyxy'], golden['crop_left_top_side']
    assert len(boxes) == 40
    cropper = SquareCropper()
    assert [cropper.window(box) for box in boxes] == [tuple(w) for w in windows.tolist()]


def test_window_covers_both_boxes():
    cropper = SquareCropper()
    assert cropper.window((10, 20, 30, 60), (5, 25, 20, 70)) == cropper.window((5, 20, 30, 70))
    assert cropper.window((5.4, 20.2, 29.9, 69.5)) == cropper.window((5, 20, 30, 70))


def test_crop_keeps_positions_and_is_black_outside():
    image = np.full((60, 80, 3), 200, np.uint8)
    image[10:20, 5:15] = (250, 0, 0)
    crop = SquareCropper(40).cut(image, (-10, 0, 40))
    assert not crop[:, :10].any()
    assert (crop[:, 10:] > 0).any(axis=-1).all()
    np.testing.assert_array_equal(crop[12, 20], (250, 0, 0))
    np.testing.assert_array_equal(crop[25, 30], (200, 200, 200))
    assert not SquareCropper(16).cut(image, (100, -300, 32)).any()


def test_crop_is_resized_down_and_up():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 100
    small = SquareCropper(16).cut(image, (0, 0, 64))
    assert (small[:, :8] == 0).all()
    assert (small[:, 8:] == 100).all()
    large = SquareCropper(128).cut(image, (0, 0, 64))
    assert large.shape == (128, 128, 3)
    assert (large[:, :60] == 0).all()
    assert (large[:, 68:] == 100).all()


def test_mask_stays_bool():
    mask = np.zeros((64, 64), bool)
    mask[:, 32:] = True
    cut = SquareCropper(32).cut(mask, (0, 0, 64))
    assert cut.dtype == bool
    assert not cut[:, :16].any()
    assert cut[:, 16:].all()


def test_invalid_sizes_are_refused():
    for size in (0, 15, 5000):
        with pytest.raises(UserError, match='crop size'):
            SquareCropper(size)


@pytest.mark.parametrize(('shape', 'scaled'), [((100, 200), (50, 100)), ((200, 101), (99, 50)), ((30, 40), (30, 40))])
def test_scale_to_side_keeps_the_ratio(shape, scaled):
    assert scale_to_side(np.zeros((*shape, 3), np.uint8), 50).shape == (*scaled, 3)
