"""PathTracker with partial and missing detections, bystanders and colors."""

import numpy as np
import pytest

from benchmarks.teacher_metrics import box_iou
from vpd_mm.athlete.athlete_tracker import AthleteTracker
from vpd_mm.athlete.path_tracker import (
    NUM_COLOURS,
    PathRules,
    PathTracker,
    best_path,
    colour_counts,
    colour_similarity,
    median_colours,
)
from vpd_mm.athlete.track_gaps import INTERPOLATED
from vpd_mm.errors import UserError

SIZE = (256, 256)
EMPTY = np.zeros((0, 5), np.float32)
LENIENT = PathRules(least=0.3)


def scene(seed, frames=120):
    """Ground truth (T, 4) of an athlete near the center; detections: partial, missing and of a bystander."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)
    middle = np.stack([128 + 25 * np.sin(t / 15), 130 - 20 * np.abs(np.sin(t / 20))], axis=1)
    ground_truth = np.concatenate([middle - (16, 45), middle + (16, 45)], axis=1)
    detections = []
    for i, box in enumerate(ground_truth):
        boxes = []
        if rng.random() > 0.2:
            boxes.append([*(box + rng.normal(0, 2, 4)), rng.uniform(0.2, 0.6)])
        if rng.random() < 0.4:  # head and trunk alone
            boxes.append([*box[:3], box[1] + 40, rng.uniform(0.2, 0.6)])
        passing = 215 + 30 * np.sin(i / 10)  # the camera pans: the confident bystander is sometimes outside
        boxes.append([passing, 110, passing + 35, 210, rng.uniform(0.5, 0.8)])
        detections.append(np.array(boxes, np.float32))
    return ground_truth, detections


def follow(tracker, detections):
    for i, boxes in enumerate(detections):
        tracker.update(i, boxes)
    return tracker.finish()


def share(track, ground_truth):
    """Share of the frames in which a track is on the athlete."""
    return (box_iou(track.boxes, ground_truth[track.frame_inds]) > 0.5).sum() / len(ground_truth)


@pytest.mark.parametrize('seed', range(4))
def test_stays_on_the_athlete_where_bytetrack_fails(seed):
    ground_truth, detections = scene(seed)
    (track,) = follow(PathTracker(25, SIZE, rules=LENIENT), detections)
    assert share(track, ground_truth) > 0.8
    other = follow(AthleteTracker(25, SIZE), detections)
    assert not other or share(other[0], ground_truth) < 0.5


def test_shot_with_low_scores_has_no_athlete():
    lamp = np.array([[100, 10, 140, 50, 0.33]], np.float32)
    assert follow(PathTracker(25, SIZE), [lamp] * 30) == []
    (track,) = follow(PathTracker(25, SIZE, rules=LENIENT), [lamp] * 30)
    assert len(track) == 30
    person = np.array([[100, 60, 140, 180, 0.6]], np.float32)
    (track,) = follow(PathTracker(25, SIZE), [person] * 20 + [lamp] * 10)  # low scores for a part of the shot only
    assert len(track) >= 20


@pytest.mark.parametrize('seed', range(3))
def test_every_second_frame_is_enough(seed):
    ground_truth, detections = scene(seed)
    thinned = [d if i % 2 == 0 else d[:0] for i, d in enumerate(detections)]
    (track,) = follow(PathTracker(25, SIZE, rules=LENIENT, every=2), thinned)
    assert share(track, ground_truth) > 0.7


def test_best_path_of_small_examples():
    """Overlap outweighs a slightly higher confidence."""
    boxes = np.array([[100, 100, 140, 180, 0.5], [10, 10, 30, 50, 0.5]], np.float32)
    later = np.array([[10, 10, 30, 50, 0.55], [101, 100, 141, 180, 0.5]], np.float32)
    rules = PathRules(centrality=0, size=0)
    assert best_path({0: boxes[:1], 1: later}, SIZE, 2, rules) == {0: 0, 1: 1}
    assert best_path({0: boxes[:1], 1: later}, SIZE, 2, PathRules(centrality=0, size=0, overlap=0))[1] == 0
    assert best_path({0: boxes[:1], 1: EMPTY, 2: later}, SIZE, 1, rules) == {0: 0, 2: 1}
    assert len(best_path({0: boxes[:1], 1: EMPTY, 2: EMPTY, 3: later[1:]}, SIZE, 1, rules)) == 1  # too far apart
    assert best_path({0: EMPTY}, SIZE, 1, rules) == {}


def test_short_gaps_are_interpolated_and_cuts_separate_shots():
    box = np.array([[100, 100, 140, 180, 0.8]], np.float32)
    (track,) = follow(PathTracker(25, SIZE, max_gap_seconds=0.12), [box, EMPTY, EMPTY, box, box])
    assert track.frame_inds.tolist() == [0, 1, 2, 3, 4]
    assert track.scores.tolist() == pytest.approx([0.8, INTERPOLATED * 0.8, INTERPOLATED * 0.8, 0.8, 0.8])
    tracker = PathTracker(25, SIZE)
    for i in range(20):
        tracker.update(i, box + (0 if i < 10 else 60) * np.array([1, 0, 1, 0, 0], np.float32), cut=i == 10)
    (track,) = tracker.finish()
    assert track.boxes[9, 0] == pytest.approx(100)
    assert track.boxes[10, 0] == pytest.approx(160)
    assert PathTracker(25, SIZE).finish() == []


def test_invalid_arguments_are_refused():
    for bad in (-1, '0,4', float('inf'), float('nan')):
        with pytest.raises(UserError, match='skip: numbers must be'):
            PathRules(skip=bad)
    with pytest.raises(UserError, match='not negative'):
        PathTracker(25, SIZE, max_gap_seconds=float('inf'))
    with pytest.raises(UserError, match='every=20: must be a whole number from 1'):
        PathTracker(25, SIZE, every=20)
    with pytest.raises(UserError, match='must be positive'):
        PathTracker(0, SIZE)
    tracker = PathTracker(25, SIZE)
    tracker.update(1, EMPTY)
    with pytest.raises(UserError, match='come in order'):
        tracker.update(1, EMPTY)


def painted(boxes, colours):
    """A grey frame with a rectangle for each box."""
    frame = np.full((256, 256, 3), 120, np.uint8)
    for (x0, y0, x1, y1), colour in zip(np.array(boxes, int), colours, strict=True):
        frame[y0:y1, x0:x1] = colour
    return frame


def test_colours_keep_the_path_on_the_athlete():
    """A more confident bystander in another color stands in the middle for a while."""
    athlete, other = np.array([100.0, 80, 140, 170]), np.array([110.0, 90, 150, 180])
    ground_truth, plain, coloured = [], PathTracker(25, SIZE), PathTracker(25, SIZE)
    for i in range(90):
        near = 30 <= i < 50
        box = athlete + (45 if near else 0) * np.array([1, 0, 1, 0])
        boxes = [[*box, 0.5]]
        if near:
            boxes.append([*other, 0.8])
        frame = painted([box, other] if near else [box], [(200, 30, 30), (30, 30, 200)][: 1 + near])
        plain.update(i, np.array(boxes, np.float32))
        coloured.update(i, np.array(boxes, np.float32), frame)
        ground_truth.append(box)
    shares = {}
    for name, tracker in (('plain', plain), ('coloured', coloured)):
        (track,) = tracker.finish()
        shares[name] = (box_iou(track.boxes, np.array(ground_truth)[track.frame_inds]) > 0.5).sum() / len(ground_truth)
    assert shares['coloured'] > 0.95
    assert shares['plain'] < 0.85


def still(widths, height, score=0.8):
    """A box about (120, 120) for each width."""
    return [
        np.array([[120 - w / 2, 120 - height / 2, 120 + w / 2, 120 + height / 2, score]], np.float32) for w in widths
    ]


@pytest.mark.parametrize(('widths', 'height'), [([25] * 40 + [87.5] * 6 + [25] * 5, 90), ([14] * 5 + [49] * 6, 20)])
def test_boxes_that_change_at_once_stay_boxes(widths, height):
    (track,) = follow(PathTracker(25, SIZE), still(widths, height))
    assert len(track) == len(widths)
    assert (track.boxes[:, 2:] > track.boxes[:, :2]).all()
    assert track.boxes[0, 2] - track.boxes[0, 0] == pytest.approx(widths[0], rel=0.1)


@pytest.mark.parametrize('every', [1, 3, 5, 12])
def test_frames_without_detection_run_cost_nothing(every):
    boxes = [d if i % every == 0 else EMPTY for i, d in enumerate(still([30] * 97, 80))]
    (track,) = follow(PathTracker(25, SIZE, every=every), boxes)
    assert len(track) == 96 // every * every + 1


def test_a_shot_may_have_several_paths():
    detections = still([30] * 60, 80) + [EMPTY] * 20 + still([30] * 70, 80)
    (track,) = follow(PathTracker(25, SIZE), detections)
    assert track.frame_inds.tolist() == [*range(60), *range(80, 150)]
    corner = np.array([-80, 80, -80, 80, 0], np.float32)  # from the corner to the middle, alone in the image
    walk = [d + corner * min(max(60 - i, 0) / 20, 1) for i, d in enumerate(still([24] * 150, 80))]
    (track,) = follow(PathTracker(25, SIZE), walk)
    assert len(track) == 150


def test_further_paths_have_the_same_colours():
    box = still([40], 90)[0]
    lengths = {}
    for colour in ((200, 30, 30), (30, 30, 200)):
        tracker = PathTracker(25, SIZE)
        for i in range(150):
            seen = i < 30 or i >= 60
            shown = painted([box[0, :4]], [colour if i < 30 else (200, 30, 30)])
            tracker.update(i, box if seen else EMPTY, shown)
        (track,) = tracker.finish()
        lengths[colour] = len(track)
    assert lengths == {(200, 30, 30): 120, (30, 30, 200): 90}


def test_partial_boxes_and_boxes_around_two_people_are_corrected():
    """A moving box; two frames show the upper half only, two others include a second person."""
    ground_truth, detections = [], []
    for i in range(60):
        box = np.array([60.0 + 2 * i, 60, 100 + 2 * i, 140])
        seen = box + {20: [0, 0, 0, -40], 21: [0, 0, 0, -40], 40: [0, 0, 0, 60], 41: [0, 0, 0, 60]}.get(i, [0] * 4)
        ground_truth.append(box)
        detections.append(np.array([[*seen, 0.6]], np.float32))
    (track,) = follow(PathTracker(25, SIZE), detections)
    shared = box_iou(track.boxes, np.array(ground_truth))
    seen = box_iou(np.stack(detections)[:, 0, :4], np.array(ground_truth))
    assert seen[[20, 40]] == pytest.approx([1 / 2, 4 / 7])
    assert shared.min() > 0.6
    assert np.delete(shared, [*range(17, 25), *range(37, 45)]) == pytest.approx(1, abs=0.02)


def test_colours_are_ignored_if_some_frames_are_missing():
    ground_truth, detections = scene(0)
    frame = np.zeros((256, 256, 3), np.uint8)
    tracker = PathTracker(25, SIZE, rules=LENIENT)
    for i, boxes in enumerate(detections):
        tracker.update(i, boxes, frame if i % 2 else None)
    (track,) = tracker.finish()
    assert share(track, ground_truth) > 0.8


def test_colour_counts_sample_the_middle_of_the_box():
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
    assert counts[3, 0] == points[0]  # outside: color of the edge
    assert colour_counts(frame, boxes[:0]).shape == (0, NUM_COLOURS)


def test_colour_similarity_to_the_median():
    counts = np.zeros((5, NUM_COLOURS), np.uint8)
    counts[:4, 7], counts[4, 9] = 80, 80
    shares = median_colours(counts)
    assert shares[7] == pytest.approx(1)
    assert colour_similarity(counts, shares) == pytest.approx([1, 1, 1, 1, 0])
    assert median_colours(np.zeros((2, NUM_COLOURS))).sum() == 0
