"""Boxes: outline in RGB, labels inside the image."""

import numpy as np

from vpd_mm.visualize.boxes import BOX, draw_boxes


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
