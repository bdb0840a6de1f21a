"""Where the skeleton lands, what a film holds, what happens without a display."""

import numpy as np
import pytest
from media import frame_number, frame_picture

from vpd_mm.athlete import VideoReader
from vpd_mm.errors import UserError
from vpd_mm.infer.overlay import Canvas, Film, Screen, draw_answer, place_joints


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


def test_drawn_where_it_is_and_nowhere_else():
    rgb = np.full((101, 201, 3), 90, np.uint8)
    picture = draw_answer(rgb, [(np.array([20.0, 40, 60, 90]), None)], [])
    assert picture.shape == (100, 200, 3)
    changed = np.argwhere((picture != 90).any(axis=2))
    assert changed.min(axis=0).tolist() == [40, 20]
    assert changed.max(axis=0).tolist() == [89, 60]
    assert (rgb == 90).all()
    large = draw_answer(np.zeros((1440, 2560, 3), np.uint8), [], ['jump \u00fc'])
    assert large.shape == (720, 1280, 3)
    assert large.max() > 200


def test_film_appears_when_it_is_finished(tmp_path):
    path = tmp_path / 'deep' / 'f.mp4'
    with Film(path, 25) as film:
        for i in range(6):
            film.write(frame_picture(i))
        assert not path.exists()
    assert [frame_number(rgb) for _, rgb in VideoReader(path)] == list(range(6))

    def broken():
        with Film(tmp_path / 'g.mp4', 25) as film:
            film.write(frame_picture(0))
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert [p.name for p in tmp_path.iterdir()] == ['deep']


def test_canvas_keeps_pictures_or_a_film(tmp_path):
    with Canvas(tmp_path / 'f.mp4', 25, 't', False, 0, True) as canvas:
        canvas.paint(frame_picture(3))
    assert frame_number(canvas.result[0]) == 3
    assert (tmp_path / 'f.mp4').is_file()
    assert not Canvas(None, 25, 't', False, 0, False).wanted


def test_no_display_is_one_line(monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(UserError, match='show: no display'):
        Screen('t')
    monkeypatch.setenv('DISPLAY', ':none')
    monkeypatch.setenv('MPLBACKEND', 'agg')
    import matplotlib

    before = matplotlib.get_backend()
    matplotlib.use('agg')
    try:
        with pytest.raises(UserError, match='no window toolkit'):
            Screen('t')
    finally:
        matplotlib.use(before)
