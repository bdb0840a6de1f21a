"""Panels: text, boxes, grids, flow colours, image files."""

import colorsys

import cv2
import numpy as np
import pytest

from vpd_mm.visualize.panels import (
    BACKGROUND,
    BOX,
    add_captions,
    draw_boxes,
    draw_text,
    evenly_spread,
    flow_to_rgb,
    flow_wheel,
    grid,
    legend,
    resize,
    save_image,
)


def test_text_is_drawn_with_any_letter_and_stays_inside():
    empty = np.full((40, 200, 3), 90, np.uint8)
    plain, umlaut, long = (draw_text(empty.copy(), text) for text in ('u', 'ü', 'Axel ' * 100))
    assert (plain != umlaut).any()
    assert all(image.max() == 255 and image.min() < 40 for image in (plain, umlaut, long))
    assert (long[:, 198:] == 90).all()
    draw_text(empty[:5, :5].copy(), 'larger than the image', (0, 10))


@pytest.mark.parametrize(
    ('lines', 'same'),
    [
        ('a first and a second line', ['a first and a', 'second line']),
        ('backward_straight_s2_t4', ['backward_', 'straight_s2_', 't4']),
        ('w' * 11, ['w' * 8, 'www']),
        (['one', '', 'two'], ['one', ' ', 'two']),
    ],
    ids=['words', 'signs', 'letters', 'lines'],
)
def test_a_line_that_is_too_long_is_broken_and_nothing_is_lost(lines, same):
    first, second = (draw_text(np.full((60, 100, 3), 90, np.uint8), text) for text in (lines, same))
    np.testing.assert_array_equal(first, second)


def test_the_outline_has_the_colour_of_a_box():
    image = draw_boxes(np.zeros((100, 200, 3), np.uint8), [[20.4, 30, 80, 70], [100, 10, 150, 60]], thickness=1)
    assert image[30, 50].tolist() == image[50, 20].tolist() == image[10, 120].tolist() == list(BOX)
    assert image[50, 50].max() == 0


def test_labels_are_drawn_for_some_boxes_and_stay_inside():
    boxes = [[20, 0, 80, 90], [100, 40, 150, 90]]
    image = draw_boxes(np.zeros((100, 200, 3), np.uint8), boxes, ['drehung ü', ''])
    plain = draw_boxes(np.zeros((100, 200, 3), np.uint8), boxes)
    changed = np.argwhere((image != plain).any(axis=2))
    assert changed[:, 1].max() < 120
    assert (image[changed[:, 0], changed[:, 1]] == BOX).all(axis=1).sum() > 200
    assert (draw_boxes(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4)), []) == 0).all()


def test_captions_stand_above_whole_and_end_at_one_height():
    image = np.full((100, 120, 3), 90, np.uint8)
    long, short = add_captions([image, image], ['a long caption that needs two lines', 'x'])
    for captioned in (long, short):
        np.testing.assert_array_equal(captioned[-100:], image)
    height = len(long) - 100
    assert len(short) == len(long)
    first, second = long[: height // 2], long[height // 2 : height]
    assert (first == 255).sum() > 50 < (second == 255).sum()
    assert len(add_captions([image], ['x'])[0]) < len(long)


def test_a_legend_shows_each_colour_and_goes_on_in_further_lines():
    entries = {'left': (60, 150, 255), 'flow': np.full((9, 9, 3), (9, 200, 9), np.uint8), 'faint: not trained on': None}
    wide, narrow = legend(400, entries), legend(100, entries)
    for bar in (wide, narrow):
        assert [(bar == colour).all(axis=2).sum() > 100 for colour in ((60, 150, 255), (9, 200, 9))] == [True, True]
        assert len(bar) % 2 == 0
    assert len(wide) < 30 < 3 * 20 < len(narrow)
    left, flow = ((narrow == colour).all(axis=2).any(axis=1).argmax() for colour in ((60, 150, 255), (9, 200, 9)))
    assert left < 10 < flow + 10


def test_a_grid_centres_smaller_images_and_fills_empty_cells():
    red, blue = (np.full((10, 20, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))
    small = np.full((4, 6, 3), (0, 200, 0), np.uint8)
    sheet = grid([red, blue, small], 2, gap=2)
    assert sheet.shape == (22, 42, 3)
    assert sheet[5, 5].tolist() == [200, 0, 0]
    assert sheet[5, 30].tolist() == [0, 0, 200]
    assert sheet[17, 10].tolist() == [0, 200, 0]
    assert sheet[13, 1].tolist() == sheet[15, 30].tolist() == list(BACKGROUND)
    assert grid([red], 4).shape == (10, 20, 3)


def test_evenly_spread_holds_both_ends():
    assert evenly_spread(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly_spread(3, 4).tolist() == evenly_spread(3, None).tolist() == [0, 1, 2]


def test_resize_keeps_the_aspect_and_copies():
    image = np.zeros((10, 20, 3), np.uint8)
    assert resize(image, 5).shape == (5, 10, 3)
    same = resize(image, 10)
    same[:] = 1
    assert image.max() == 0


def test_flow_has_the_documented_hues():
    flow = np.zeros((1, 6, 2), np.float32)
    flow[0, 1:] = [(9, 0), (0, 9), (-9, 0), (0, -9), (2.5, 0)]  # right, down, left, up, slowly right
    colours = flow_to_rgb(flow)[0]
    assert colours[0].tolist() == [255, 255, 255]
    hues = [360 * colorsys.rgb_to_hsv(*(c / 255))[0] for c in colours[1:5]]
    assert hues == pytest.approx([0, 90, 180, 270], abs=2)
    assert colours[1].tolist() == [255, 0, 0]
    assert colours[5].tolist() == pytest.approx([255, 128, 128], abs=2)  # half the length, half the saturation
    wheel = flow_wheel(41)
    assert np.abs(wheel[20, 39].astype(int) - colours[1]).max() < 20
    assert np.abs(wheel[39, 20].astype(int) - colours[2]).max() < 20


def test_saved_images_keep_their_colours(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 200
    assert cv2.imread(str(save_image(tmp_path / 'a' / 'x.png', image)))[0, 0].tolist() == [0, 0, 200]
    assert cv2.imread(str(save_image(tmp_path / 'x.jpg', image)))[0, 0].tolist() == pytest.approx([0, 0, 200], abs=4)
