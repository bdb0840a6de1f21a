"""The athlete is chosen frame by frame, kept until lost, and memory does not grow."""

import numpy as np
import pytest
from test_athlete.test_athlete_tracker import NOBODY, SIZE, crowd, iou, person, walk

from vpd_mm.athlete.athlete_tracker import INTERPOLATED
from vpd_mm.athlete.online_tracker import OnlineTracker
from vpd_mm.errors import UserError


def follow(frames, pictures=None, **options):
    tracker = OnlineTracker(25, SIZE, **options)
    return tracker, [tracker.choose(i, d, None if pictures is None else pictures[i]) for i, d in frames]


@pytest.mark.parametrize('seed', range(3))
def test_keeps_the_athlete_while_a_bystander_crosses(seed):
    athlete = walk((240, 180), (1.2, 0), (80, 170), 120)
    bystander = walk((600, 190), (-5, 0), (50, 120), 120)
    _, found = follow(crowd(athlete, [bystander], SIZE, seed))
    missing = [i for i, answer in enumerate(found) if answer is None]
    assert len(missing) <= 3
    boxes = np.array([answer[0] for answer in found if answer is not None])
    truth = np.delete(athlete, missing, axis=0)
    assert (iou(boxes, truth) < 0.6).sum() <= 2


def test_first_sight_gap_and_loss():
    boxes = walk((300, 180), (2, 0), (80, 170), 40)
    frames = [(i, person(b) if i < 10 else NOBODY) for i, b in enumerate(boxes)]
    _, found = follow(frames, max_gap_seconds=0.4)
    assert found[0] is None
    for i in range(1, 10):
        np.testing.assert_allclose(found[i][0], boxes[i], atol=1e-3)
        assert found[i][1] == pytest.approx(0.9)
    for i in range(10, 20):  # held
        np.testing.assert_allclose(found[i][0], boxes[9], atol=1e-3)
        assert found[i][1] == pytest.approx(0.9 * INTERPOLATED)
    assert found[20:] == [None] * 20


def both(first, second, frames=60):
    return [(i, np.concatenate([person(first[i]), person(second[i])])) for i in range(frames)]


def test_switches_only_to_someone_much_better():
    middle = walk((320, 180), (0, 0), (60, 130), 60)
    near = walk((200, 180), (0, 0), (62, 132), 60)
    large = walk((150, 180), (0, 0), (180, 340), 60)
    late = [(i, person(middle[i]) if i < 10 else d) for i, d in both(middle, large)]
    _, found = follow([(i, person(middle[i]) if i < 10 else d) for i, d in both(middle, near)])
    assert all(iou(a[0][None], middle[:1])[0] > 0.9 for a in found[1:])
    _, found = follow(late)
    assert iou(found[9][0][None], middle[:1])[0] > 0.9
    assert iou(found[-1][0][None], large[:1])[0] > 0.9
    _, found = follow(late, switch_margin=1.0)
    assert iou(found[-1][0][None], middle[:1])[0] > 0.9


def test_a_cut_ends_the_choice():
    dark, light = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 250, np.uint8)
    left, right = walk((100, 180), (0, 0), (80, 170), 20), walk((500, 180), (0, 0), (80, 170), 20)
    frames = [(i, person(left[i] if i < 10 else right[i])) for i in range(20)]
    _, found = follow(frames, [dark] * 10 + [light] * 10)
    assert found[10] is None  # not held over the cut
    assert iou(found[11][0][None], right[:1])[0] > 0.9


def test_memory_does_not_grow():
    boxes = walk((300, 180), (0.01, 0), (80, 170), 2000)
    tracker, found = follow([(i, person(b)) for i, b in enumerate(boxes)], memory_seconds=2)
    assert found[-1] is not None
    assert [len(piece.frame_inds) for piece in tracker._pieces.values()] == [50]
    assert tracker._shots == []


def test_one_athlete_only():
    with pytest.raises(UserError, match='follows one athlete'):
        OnlineTracker(25, SIZE, num_athletes=2)
