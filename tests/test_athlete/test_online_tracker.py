"""OnlineTracker: choice per frame, switching, gaps and constant memory."""

import numpy as np
import pytest
from test_athlete.test_athlete_tracker import NO_DETECTIONS, SIZE, crowd, person, walk

from benchmarks.teacher_metrics import box_iou as iou
from vpd_mm.athlete.athlete_tracker import INTERPOLATED, OnlineTracker
from vpd_mm.errors import UserError


def follow(frames, images=None, **options):
    tracker = OnlineTracker(25, SIZE, **options)
    return tracker, [tracker.choose(i, d, None if images is None else images[i]) for i, d in frames]


@pytest.mark.parametrize('seed', range(3))
def test_keeps_the_athlete_while_a_bystander_crosses(seed):
    athlete = walk((240, 180), (1.2, 0), (80, 170), 120)
    bystander = walk((600, 190), (-5, 0), (50, 120), 120)
    _, results = follow(crowd(athlete, [bystander], SIZE, seed))
    missing = [i for i, answer in enumerate(results) if answer is None]
    assert len(missing) <= 3
    boxes = np.array([answer[0] for answer in results if answer is not None])
    ground_truth = np.delete(athlete, missing, axis=0)
    assert (iou(boxes, ground_truth) < 0.6).sum() <= 2


def test_first_frame_gap_and_loss():
    boxes = walk((300, 180), (2, 0), (80, 170), 40)
    frames = [(i, person(b) if i < 10 else NO_DETECTIONS) for i, b in enumerate(boxes)]
    _, results = follow(frames, max_gap_seconds=0.4)
    assert results[0] is None
    for i in range(1, 10):
        np.testing.assert_allclose(results[i][0], boxes[i], atol=1e-3)
        assert results[i][1] == pytest.approx(0.9)
    for i in range(10, 20):  # held
        np.testing.assert_allclose(results[i][0], boxes[9], atol=1e-3)
        assert results[i][1] == pytest.approx(0.9 * INTERPOLATED)
    assert results[20:] == [None] * 20


def both(first, second, frames=60):
    return [(i, np.concatenate([person(first[i]), person(second[i])])) for i in range(frames)]


def test_switches_only_to_a_much_better_person():
    middle = walk((320, 180), (0, 0), (60, 130), 60)
    near = walk((200, 180), (0, 0), (62, 132), 60)
    large = walk((150, 180), (0, 0), (180, 340), 60)
    late = [(i, person(middle[i]) if i < 10 else d) for i, d in both(middle, large)]
    _, results = follow([(i, person(middle[i]) if i < 10 else d) for i, d in both(middle, near)])
    assert all(iou(a[0][None], middle[:1])[0] > 0.9 for a in results[1:])
    _, results = follow(late)
    assert iou(results[9][0][None], middle[:1])[0] > 0.9
    assert iou(results[-1][0][None], large[:1])[0] > 0.9
    _, results = follow(late, switch_margin=1.0)
    assert iou(results[-1][0][None], middle[:1])[0] > 0.9


def test_cut_ends_the_choice():
    dark, light = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 250, np.uint8)
    left, right = walk((100, 180), (0, 0), (80, 170), 20), walk((500, 180), (0, 0), (80, 170), 20)
    frames = [(i, person(left[i] if i < 10 else right[i])) for i in range(20)]
    _, results = follow(frames, [dark] * 10 + [light] * 10)
    assert results[10] is None  # not held over the cut
    assert iou(results[11][0][None], right[:1])[0] > 0.9


def test_memory_does_not_grow():
    boxes = walk((300, 180), (0.01, 0), (80, 170), 2000)
    tracker, results = follow([(i, person(b)) for i, b in enumerate(boxes)], memory_seconds=2)
    assert results[-1] is not None
    assert [len(rows) for rows in tracker._people.values()] == [50 * 6]
    assert tracker._shots == []


def test_several_athletes_are_refused():
    with pytest.raises(UserError, match='follows one athlete'):
        OnlineTracker(25, SIZE, num_athletes=2)
