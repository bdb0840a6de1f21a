"""Overlay: position of the skeleton, boxes and text, targets of the frames, no display."""

import numpy as np
import pytest
from media import frame_number, frame_picture

from vpd_mm.errors import UserError
from vpd_mm.infer.overlay import Window, draw_answer, open_canvas
from vpd_mm.visualize.panels import BOX
from vpd_mm.visualize.skeleton import LEFT, RIGHT, place_joints


def test_joints_fill_the_box():
    joints = np.random.default_rng(0).normal(0, 0.3, (13, 2))
    box = np.array([100.0, 50, 140, 250])
    placed = place_joints(joints, box)
    low, high = placed.min(axis=0), placed.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, [120, 150])
    assert (high - low).max() == pytest.approx(0.85 * 200)
    scale = (high - low).max() / np.ptp(joints, axis=0).max()
    np.testing.assert_allclose(placed - placed[0], scale * (joints - joints[0]), atol=1e-9)
    assert np.isfinite(place_joints(np.zeros((13, 2)), box)).all()


def test_a_box_is_drawn_on_its_outline_only():
    rgb = np.full((101, 201, 3), 90, np.uint8)
    image = draw_answer(rgb, [(np.array([20.0, 40, 60, 90]), None)], [])
    assert image.shape[1] == 200
    assert image.shape[0] % 2 == 0
    assert len(image) > 100 + 20  # the legend
    changed = np.argwhere((image[:100] != 90).any(axis=2))
    assert changed.min(axis=0).tolist() == [40, 20]
    assert changed.max(axis=0).tolist() == [89, 60]
    assert image[40, 40].tolist() == list(BOX)
    assert (rgb == 90).all()


def test_large_frames_are_scaled_down_and_text_is_drawn():
    image = draw_answer(np.zeros((1440, 2560, 3), np.uint8), [], ['jump \u00fc'])
    assert image.shape[1] == 1280
    assert 720 < len(image) < 780
    assert image[:720].max() > 200


def test_joints_have_the_colour_of_their_side_and_labels_stand_at_the_box():
    joints = np.array([(0, -9)] + [(x, y) for y in (-7, -4, -1, 1, 5, 9) for x in (3, -3)]) / 10
    rgb = np.full((400, 400, 3), 90, np.uint8)
    box = np.array([100.0, 100, 300, 300])
    image = draw_answer(rgb, [(box, joints)], [], ['jump'])
    placed = place_joints(joints, box).round().astype(int)
    assert image[placed[11, 1], placed[11, 0]].tolist() == list(LEFT)
    assert image[placed[12, 1], placed[12, 0]].tolist() == list(RIGHT)
    assert (image[80:99, 105:130] == BOX).all(2).sum() > 100  # background of the label, above the box


def test_canvas_keeps_frames_and_writes_a_video(tmp_path):
    with open_canvas('f', 25, tmp_path, return_vis=True) as (paint, frames):
        paint(frame_picture(3), 0.0)
    assert frame_number(frames[0]) == 3
    assert (tmp_path / 'f.mp4').is_file()
    with open_canvas('t', 25) as nothing:
        assert nothing == (None, None)


def test_a_missing_display_is_an_error_of_one_line(monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(UserError, match='show: no display'):
        Window('t')
    monkeypatch.setenv('DISPLAY', ':none')
    monkeypatch.setenv('MPLBACKEND', 'agg')
    import matplotlib

    before = matplotlib.get_backend()
    matplotlib.use('agg')
    try:
        with pytest.raises(UserError, match='no window toolkit'):
            Window('t')
    finally:
        matplotlib.use(before)
