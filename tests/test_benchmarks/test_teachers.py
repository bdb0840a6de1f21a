import math

import numpy as np
import pytest

from benchmarks.teacher_metrics import (
    ap50,
    auroc,
    box_iou,
    frame_pck,
    joint_hits,
    on_athlete,
    upside_down,
)
from benchmarks.teachers import _overlaps, _Predictions


def standing():
    """A figure whose torso (left shoulder to right hip) is 50 px long."""
    ground_truth = np.zeros((1, 17, 2))
    ground_truth[0, 5], ground_truth[0, 12] = (30, 0), (0, 40)
    ground_truth[0, 6], ground_truth[0, 11] = (0, 0), (30, 40)
    return ground_truth


def test_joint_is_correct_within_a_fifth_of_the_torso():
    ground_truth = standing()
    keypoints = ground_truth.copy()
    keypoints[0, 0, 0] += 9.9  # nose, the first of the 13
    keypoints[0, 16, 1] += 10.1  # right ankle, the last
    keypoints[0, 3] += 99  # an ear, which does not count
    assert joint_hits(keypoints, ground_truth)[0].tolist() == [True] * 12 + [False]


def test_frame_pck_counts_the_given_joints():
    hits = np.array([[True, False, True, True]] * 2)
    counted = np.array([[True, True, False, False], [False] * 4])
    pck = frame_pck(hits, counted)
    assert pck[0] == 0.5
    assert np.isnan(pck[1])


def test_auroc():
    assert auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])) == 0.75
    assert auroc(np.array([0.5, 0.5]), np.array([True, False])) == 0.5
    assert math.isnan(auroc(np.array([0.5]), np.array([True])))


def test_box_iou():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 1, 1.0]])
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [2, 2, 3, 3.0]])
    assert box_iou(boxes, others) == pytest.approx([1, 1 / 3, 0])


def test_ap50_ignores_optional_people():
    person, fan = np.array([[10, 10, 30, 60.0]]), np.array([[60, 10, 90, 60.0]])
    none = np.zeros((0, 4))
    detections = np.array([[60, 10, 90, 60, 0.9], [11, 10, 30, 60, 0.8]])
    assert ap50([detections], [person], [fan]) == pytest.approx(1)
    assert ap50([detections], [person], [none]) == pytest.approx(0.5)
    assert ap50([detections, detections[:0]], [person, person], [fan, none]) == pytest.approx(0.5, abs=0.01)
    assert ap50([detections[:0]], [person], [fan]) == 0


def test_a_box_is_on_the_athlete_or_on_another_person():
    overlaps = [np.array([[0.8, 0.1], [0.3, 0.4], [0.05, 0.0]]), np.array([[0.2, 0.0], [0.0, 0.7]])]
    assert on_athlete(overlaps).tolist() == [True, False, False, True, False]


def test_upside_down_is_shoulders_below_hips():
    upright = standing()
    assert upside_down(np.concatenate([upright, -upright])).tolist() == [False, True]


def test_either_side_counts_a_joint_taken_for_its_twin():
    ground_truth = standing()
    predictions = _Predictions()
    keypoints = ground_truth.copy()
    keypoints[0, (5, 6)] = ground_truth[0, (6, 5)]
    predictions.add((keypoints, np.ones((1, 17))), ground_truth, np.full((1, 17), 2))
    assert predictions.evaluate()[1][0] == pytest.approx(11 / 13)
    assert predictions.evaluate(either_side=True)[1][0] == 1


@pytest.mark.parametrize('method', ['path', 'bytetrack'])
def test_the_box_of_a_tracker_is_compared_with_the_athlete_and_with_the_others(method):
    """30 frames; the athlete is found in all of them, but in the last is outside; a bystander overlaps by a third."""
    frames = [np.full((120, 160, 3), 90, np.uint8)] * 30
    athlete = np.tile(np.array([60, 20, 100, 100.0]), (30, 1))
    athlete[-1] = 0
    others = np.zeros((30, 2, 4))
    others[:, 1] = (80, 20, 120, 100)
    detections = [np.array([[60, 20, 100, 100, 0.9]], np.float32)] * 30
    shared = _overlaps(method, detections, frames, 25.0, athlete, others)
    assert shared[:, 0] == pytest.approx(np.ones(29), abs=1e-3)
    assert shared[:, 1] == pytest.approx(np.full(29, 1 / 3), abs=1e-3)
    no_boxes = _overlaps(method, [np.zeros((0, 5), np.float32)] * 30, frames, 25.0, athlete, others)
    assert (no_boxes == 0).all()
    assert len(no_boxes) == 29
