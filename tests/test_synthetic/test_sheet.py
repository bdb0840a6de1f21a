"""Contact sheets: hidden joints, crops, size of the files, foreign files."""

import cv2
import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.synthetic.corpus import SportRecipe
from vpd_mm.synthetic.sheet import MAX_BYTES, _jpeg, crop_square, draw_visible, write_sheets
from vpd_mm.visualize.skeleton import LEFT, RIGHT

#: With this seed few videos show all classes.
RECIPE = SportRecipe(seed=6, width=128, height=128, sub_frames=1)


def test_visible_joints_are_filled_and_hidden_joints_are_rings():
    keypoints = np.full((17, 2), np.nan)
    keypoints[9], keypoints[10], keypoints[15] = (80, 80), (240, 80), (80, 240)  # left wrist, right wrist, left ankle
    visibility = np.full(17, 2, np.uint8)
    visibility[15] = 1
    image = np.zeros((320, 320, 3), np.uint8)
    shown = draw_visible(image, keypoints, visibility)
    assert shown[80, 80].tolist() == list(LEFT)
    assert shown[80, 240].tolist() == list(RIGHT)
    assert shown[240, 80].max() < 40
    assert shown[237, 80].tolist() == pytest.approx(LEFT, abs=80)
    assert image.max() == 0


def test_a_square_crop_holds_the_box_and_returns_its_matrix():
    image = np.zeros((100, 100, 3), np.uint8)
    cv2.circle(image, (30, 60), 2, (255, 255, 255), -1)
    tile, matrix = crop_square(image, np.array([20.0, 40, 40, 80]), 50)
    assert tile.shape == (50, 50, 3)
    assert matrix @ (30, 60, 1) == pytest.approx([25, 25])
    assert tile[25, 25, 0] > 200
    assert (matrix @ (30, 40, 1))[1] == pytest.approx(25 - 20)


@pytest.mark.full
def test_six_sheets_are_replaced_by_a_rerun(tmp_path):
    (tmp_path / 'sport.jpg').write_bytes(_jpeg(np.zeros((8, 8, 3), np.uint8)))
    paths = write_sheets(tmp_path, RECIPE)
    assert sorted(p.name for p in paths) == sorted(
        f'{name}{suffix}.jpg' for name in ('sport', 'classes', 'generic') for suffix in ('', '_skeleton')
    )
    for path in paths:
        assert path.stat().st_size <= MAX_BYTES
    plain, drawn = (cv2.imread(str(tmp_path / f'sport{suffix}.jpg')) for suffix in ('', '_skeleton'))
    assert len(plain) < len(drawn)  # the legend
    drawn = drawn[: len(plain)]
    assert 0.005 < (np.abs(plain.astype(int) - drawn).max(axis=2) > 60).mean() < 0.4


def test_foreign_files_are_kept(tmp_path):
    (tmp_path / 'classes.jpg').write_bytes(b'my holidays')
    with pytest.raises(UserError, match=r'classes\.jpg: exists and was not written by this tool'):
        write_sheets(tmp_path, RECIPE)
    assert (tmp_path / 'classes.jpg').read_bytes() == b'my holidays'
