"""Colours of boxes: counted where the box is, red is not blue."""

import numpy as np
import pytest

from vpd_mm.athlete.box_colours import NUM_COLOURS, colour_counts, likeness, usual_colours


def test_counts_are_of_the_middle_of_the_box():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[10:30, 5:25] = (255, 0, 0)
    frame[10:30, 35:55] = (0, 0, 255)
    boxes = np.array([[5, 10, 25, 30, 0.9], [35, 10, 55, 30, 0.8], [15, 10, 45, 30, 0.5], [-30, -30, 0, 0, 0.4]])
    counts = colour_counts(frame, boxes)
    assert counts.shape == (4, NUM_COLOURS)
    points = counts.sum(axis=1)
    assert (points == points[0]).all()
    assert counts[0, 3 * 16] == points[0]  # all red
    assert counts[1, 3] == points[0]  # all blue
    assert counts[2, 0] > counts[2, 3 * 16] > 0  # black between the two
    assert counts[3, 0] == points[0]  # outside: the edge
    assert colour_counts(frame, boxes[:0]).shape == (0, NUM_COLOURS)


def test_likeness_and_the_usual():
    counts = np.zeros((5, NUM_COLOURS), np.uint8)
    counts[:4, 7], counts[4, 9] = 80, 80
    usual = usual_colours(counts)
    assert usual[7] == pytest.approx(1)
    assert likeness(counts, usual) == pytest.approx([1, 1, 1, 1, 0])
    assert usual_colours(np.zeros((2, NUM_COLOURS))).sum() == 0
