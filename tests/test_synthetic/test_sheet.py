"""Contact sheets: whose side is which, what a picture shows, and what somebody else made is left alone."""

import cv2
import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.synthetic.corpus import SportRecipe
from vpd_mm.synthetic.sheet import MAX_BYTES, _jpeg, crop_square, draw_skeleton, write_sheets

RECIPE = SportRecipe(seed=1, width=128, height=128, sub_frames=1)


def test_left_is_blue_right_is_orange_and_hidden_joints_are_rings():
    keypoints = np.full((17, 2), -50.0)
    keypoints[9], keypoints[10], keypoints[15] = (20, 20), (60, 20), (20, 60)  # left wrist, right wrist, left ankle
    visibility = np.full(17, 2)
    visibility[15] = 1
    shown = draw_skeleton(np.zeros((320, 320, 3), np.uint8), keypoints, visibility, scale=4)
    assert shown[82, 83, 2] > 200 > shown[82, 83, 0]
    assert shown[80, 240, 0] > 200 > shown[80, 240, 2]
    assert shown[242, 83].max() == 0
    assert shown[230:251, 70:91, 2].max() > 200


def test_a_square_holds_the_box_and_its_matrix_leads_there():
    image = np.zeros((100, 100, 3), np.uint8)
    cv2.circle(image, (30, 60), 2, (255, 255, 255), -1)
    tile, matrix = crop_square(image, np.array([20.0, 40, 40, 80]), 50)
    assert tile.shape == (50, 50, 3)
    assert matrix @ (30, 60, 1) == pytest.approx([25, 25])
    assert tile[25, 25, 0] > 200
    assert (matrix @ (30, 40, 1))[1] == pytest.approx(25 - 20)


def test_six_pictures_that_a_rerun_replaces_and_that_replace_nothing_of_others(tmp_path):
    (tmp_path / 'sport.jpg').write_bytes(_jpeg(np.zeros((8, 8, 3), np.uint8)))
    paths = write_sheets(tmp_path, RECIPE)
    assert sorted(p.name for p in paths) == sorted(
        f'{name}{suffix}.jpg' for name in ('sport', 'classes', 'generic') for suffix in ('', '_skeleton')
    )
    for path in paths:
        assert path.stat().st_size <= MAX_BYTES
    plain, drawn = (cv2.imread(str(tmp_path / f'sport{suffix}.jpg')) for suffix in ('', '_skeleton'))
    assert plain.shape == drawn.shape
    assert 0.005 < (np.abs(plain.astype(int) - drawn).max(axis=2) > 60).mean() < 0.4
    (tmp_path / 'classes.jpg').write_bytes(b'my holidays')
    with pytest.raises(UserError, match=r'classes\.jpg: is there and no sheet'):
        write_sheets(tmp_path, RECIPE)
    assert (tmp_path / 'classes.jpg').read_bytes() == b'my holidays'
