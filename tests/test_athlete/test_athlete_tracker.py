"""AthleteTracker and OnlineTracker: crossings, missed and false detections, gaps and cuts."""

import json
from itertools import pairwise

import numpy as np
import pytest
from media import cut_picture

from benchmarks.teacher_metrics import box_iou as iou
from vpd_mm.athlete import VideoReader
from vpd_mm.athlete.athlete_choice import ChoiceRules, join_tracks, score_people
from vpd_mm.athlete.athlete_tracker import AthleteTracker, OnlineTracker, athlete_names
from vpd_mm.athlete.camera_cuts import mark_cuts, with_previous
from vpd_mm.athlete.track_gaps import INTERPOLATED
from vpd_mm.errors import UserError
from vpd_mm.structures import AthleteTrack

SIZE = (640, 360)
NO_DETECTIONS = np.zeros((0, 5), np.float32)


def walk(start, speed, size, frames):
    """Boxes (T, 4) of a person whose center moves by ``speed`` px per frame."""
    centers = np.add(start, np.arange(frames)[:, None] * np.array(speed))
    half = np.array(size) / 2
    return np.concatenate([centers - half, centers + half], axis=1).astype(np.float32)


BYSTANDER = walk((600, 190), (-5, 0), (50, 120), 120)


def person(box, score=0.9):
    return np.append(box, score).astype(np.float32)[None]


def run(frames, images=None, **options):
    tracker = AthleteTracker(options.pop('fps', 25), options.pop('size', SIZE), **options)
    cuts = find_cuts(images or [])
    for i, detections in frames:
        tracker.update(i, detections, cut=i in cuts)
    return tracker.finish()


def find_cuts(images, **options):
    return [i for i, _, cut in mark_cuts(enumerate(images), **options) if cut]


def crowd(ground_truth, others, size, seed, misses=0.1):
    """Detections with jitter, misses and false boxes; people occluded by the athlete are missing."""
    rng = np.random.default_rng(seed)
    for i, box in enumerate(ground_truth):
        boxes = []
        if rng.random() > misses:
            boxes.append(person(box + rng.normal(0, 0.01 * (box[3] - box[1]), 4), rng.uniform(0.5, 0.95)))
        for other in others:
            if iou(other[i][None], box[None])[0] < 0.3 and rng.random() > misses:
                boxes.append(person(other[i] + rng.normal(0, 1, 4), rng.uniform(0.5, 0.95)))
        if rng.random() < 0.3:
            corner = rng.uniform(0, 0.8, 2) * size
            boxes.append(person(np.append(corner, corner + rng.uniform(20, 200, 2)), rng.uniform(0.1, 0.7)))
        yield i, np.concatenate([NO_DETECTIONS, *rng.permutation(np.array(boxes).reshape(-1, 1, 5))])


@pytest.mark.parametrize('seed', range(3))
def test_keeps_the_athlete_while_a_bystander_crosses(seed):
    athlete = walk((240, 180), (1.2, 0), (80, 170), 120)
    athlete[:, [1, 3]] += 20 * np.sin(np.arange(120) / 6)[:, None]

    (track,) = run(crowd(athlete, [BYSTANDER], SIZE, seed))

    assert len(track) >= 118
    assert np.array_equal(np.diff(track.frame_inds), np.ones(len(track) - 1))
    # Where the athlete is missed for a frame, that frame's box may be another one.
    assert (iou(track.boxes, athlete[track.frame_inds]) < 0.6).sum() <= 1


def test_motion_prefers_who_leaps_to_a_passer_by():
    athlete, passer_by = walk((240, 100), (0, 0), (40, 90), 120), walk((620, 240), (-5, 0), (80, 180), 120)
    athlete[:, 1::2] += 60 * np.sin(np.arange(120) / 8)[:, None]
    frames = [(i, np.concatenate([person(b), person(a, 0.6)])) for i, (a, b) in enumerate(zip(athlete, passer_by))]

    (without,), (track,) = run(frames), run(frames, rules=ChoiceRules(motion=4))

    assert iou(without.boxes, passer_by).min() > 0.8
    assert iou(track.boxes, athlete).min() > 0.8


def test_keeps_the_athlete_of_a_real_video(shared):
    given = json.loads((shared / 'videos/poses/wall_flip/boxes.json').read_text())
    ground_truth = np.array([[x, y, x + w, y + h] for _, (x, y, w, h) in given], np.float32)
    passer_by = walk((1700, 620), (-6.5, 0), (90, 230), len(ground_truth))

    (track,) = run(crowd(ground_truth, [passer_by], (1768, 994), 1), size=(1768, 994), fps=30)

    assert len(track) >= len(ground_truth) - 5
    assert iou(track.boxes, ground_truth[track.frame_inds]).min() > 0.6


def test_short_gaps_are_interpolated_and_long_ones_kept():
    boxes = walk((100, 180), (2, 1), (60, 120), 100)
    missed = {*range(20, 25), *range(50, 75)}
    frames = [(i, NO_DETECTIONS if i in missed else person(box, 0.8)) for i, box in enumerate(boxes)]

    (track,) = run(frames, max_gap_seconds=0.5)

    assert track.frame_inds.tolist() == [*range(50), *range(75, 100)]
    np.testing.assert_allclose(track.boxes, boxes[track.frame_inds], atol=1e-3)
    np.testing.assert_allclose(track.scores[19:26], [0.8, *[0.8 * INTERPOLATED] * 5, 0.8])


@pytest.mark.parametrize(('missing', 'filled'), [(5, True), (6, False)])
def test_gap_limit_is_exact(missing, filled):
    boxes = walk((300, 180), (0, 0), (60, 120), 60)
    frames = [(i, person(box)) for i, box in enumerate(boxes) if not 30 <= i < 30 + missing]
    (track,) = run(frames, max_gap_seconds=0.2)
    assert len(track) == (60 if filled else 60 - missing)


def test_low_scores_continue_a_track_but_start_none():
    still = walk((300, 180), (0, 0), (60, 120), 40)
    scores = [0.9] * 10 + [0.2] * 30
    (track,) = run([(i, person(box, s)) for i, (box, s) in enumerate(zip(still, scores, strict=True))])
    assert len(track) == 40
    assert run([(i, person(box, 0.3)) for i, box in enumerate(still)]) == []


def test_track_includes_the_first_detection():
    frames = [(i + 7, person(box, 0.6 + 0.001 * i)) for i, box in enumerate(walk((300, 180), (1, 0), (60, 120), 30))]
    (track,) = run(frames)
    assert track.frame_inds.tolist() == list(range(7, 37))
    np.testing.assert_allclose(track.scores, [0.6 + 0.001 * i for i in range(30)], rtol=1e-6)


def test_track_continues_with_the_athlete_of_the_next_shot():
    rng = np.random.default_rng(0)
    rooms = rng.integers(0, 255, (2, 36, 64, 3), dtype=np.uint8)
    rooms[1] //= 4
    # The bystander of the second shot stands where the athlete was in the first.
    first = walk((200, 180), (0, 0), (100, 200), 50)
    second = walk((420, 180), (0, 0), (100, 200), 50)
    small = walk((200, 180), (0, 0), (45, 90), 50)
    frames = [(i, person(box)) for i, box in enumerate(first)]
    frames += [(50 + i, np.concatenate([person(s), person(box)])) for i, (s, box) in enumerate(zip(small, second))]
    images = [rooms[i // 50] for i in range(100)]

    (track,) = run(frames, images)

    assert len(track) == 100
    np.testing.assert_allclose(track.boxes, np.concatenate([first, second]), atol=1e-3)


def test_front_and_back_player_keep_their_names():
    front, back = walk((300, 260), (1, 0), (70, 150), 60), walk((330, 90), (-1, 0), (30, 60), 60)
    judge = walk((600, 180), (0, 0), (20, 40), 60)
    frames = [(i, np.concatenate([person(j), person(b, 0.95), person(f)])) for i, (f, b, j) in
              enumerate(zip(front, back, judge, strict=True))]  # fmt: skip
    # A second shot shows the back player alone.
    rooms = np.zeros((2, 36, 64, 3), np.uint8)
    rooms[1] += 200
    frames += [(60 + i, person(box)) for i, box in enumerate(back)]

    tracks = run(frames, [rooms[i // 60] for i in range(120)], num_athletes=2)

    assert athlete_names(2) == ('front', 'back')
    np.testing.assert_allclose(tracks[0].boxes, front, atol=1e-3)
    np.testing.assert_allclose(tracks[1].boxes, np.concatenate([back, back]), atol=1e-3)


def test_scores_follow_the_weights():
    long_small = AthleteTrack(np.arange(100), walk((320, 180), (0, 0), (20, 40), 100), np.full(100, 0.5, np.float32))
    short_large = AthleteTrack(np.arange(50), walk((100, 180), (2, 0), (80, 160), 50), np.full(50, 0.7, np.float32))

    def scores(**weights):
        none = dict.fromkeys(('length', 'size', 'centrality', 'motion', 'confidence'), 0.0)
        return score_people([long_small, short_large], 100, SIZE, ChoiceRules(**{**none, **weights}))

    np.testing.assert_allclose(scores(length=1), [1, 0.5])
    np.testing.assert_allclose(scores(size=1), [0.25, 1])
    np.testing.assert_allclose(scores(centrality=2), [1, 1 - 171 / np.hypot(320, 180)], rtol=1e-6)
    np.testing.assert_allclose(scores(motion=1), [0, 0], atol=1e-6)  # one stands, one walks evenly
    np.testing.assert_allclose(scores(length=1, confidence=3), [(1 + 1.5) / 4, (0.5 + 2.1) / 4], rtol=1e-6)
    short_large.boxes[1::2, 1::2] -= 160  # up and down by half a height around an even walk
    np.testing.assert_allclose(scores(motion=1), [0, 1 / 3], atol=1e-3)


def test_tracks_are_joined_within_the_limits():
    def piece(start, x, height=100.0):
        return AthleteTrack(
            np.arange(start, start + 20), walk((x, 180), (0, 0), (40, height), 20), np.ones(20, np.float32)
        )

    rules = ChoiceRules()
    # 30 frames at 25 fps are 1.2 s: 0.75 + 1.8 heights of 100 px may lie between.
    assert len(join_tracks([piece(0, 100), piece(49, 350)], 25, rules)) == 1
    assert len(join_tracks([piece(0, 100), piece(49, 360)], 25, rules)) == 2
    assert len(join_tracks([piece(0, 100), piece(49, 100, 210.0)], 25, rules)) == 2
    assert len(join_tracks([piece(0, 100), piece(10, 100)], 25, rules)) == 2
    assert len(join_tracks([piece(0, 100), piece(100, 100)], 25, rules)) == 2
    near, far = join_tracks([piece(40, 300), piece(0, 100), piece(40, 120)], 25, rules)
    assert near.boxes[-1, ::2].mean() == 120
    assert far.boxes[0, ::2].mean() == 300


def test_invalid_boxes_are_ignored_and_invalid_arguments_refused():
    good = walk((300, 180), (0, 0), (60, 120), 20)
    bad = np.array([[np.nan, 0, 9, 9, 1], [50, 50, 50, 90, 1], [900, 10, 990, 90, 1], [9, 9, 2, 2, 1]], np.float32)
    (track,) = run([(i, np.concatenate([bad, person(box)])) for i, box in enumerate(good)])
    np.testing.assert_allclose(track.boxes, good)
    assert run([(i, NO_DETECTIONS) for i in range(10)]) == []
    assert run([]) == []

    tracker = AthleteTracker(25, SIZE)
    tracker.update(3, NO_DETECTIONS)
    with pytest.raises(UserError, match='frame 3 after frame 3'):
        tracker.update(3, NO_DETECTIONS)
    with pytest.raises(UserError, match=r'must be \(n, 5\)'):
        tracker.update(4, np.zeros((2, 4)))
    with pytest.raises(UserError, match='positive'):
        AthleteTracker(0, SIZE)
    with pytest.raises(UserError, match='must be 0 or more, one of them above 0'):
        ChoiceRules(length=-1)


def test_fast_pan_is_no_cut():
    rng = np.random.default_rng(0)
    world = np.kron(255 * rng.integers(0, 2, (3, 30, 3)), np.ones((60, 60, 1))).astype(np.uint8)
    pan = [world[:, 15 * i : 15 * i + 320] for i in range(60)]
    other = [255 - pan[-1]] * 5
    differences = [np.abs(a / 255 - b / 255).mean() for a, b in pairwise(pan)]
    assert np.median(differences) > 0.1
    assert find_cuts(pan + other) == [60]
    assert find_cuts(pan + other, threshold=1.1) == []
    pan[30] = np.full_like(pan[30], 255)  # a flash
    assert find_cuts(pan + other) == [60]


def test_first_frame_of_a_shot_and_after_a_gap_has_no_previous_frame():
    images = {i: cut_picture(i) for i in (0, 1, 2, 4, 5, 6, 7)}
    before = {i: previous for i, _, previous, _ in with_previous(images.items())}
    assert [i for i in before if before[i] is None] == [0, 4, 6]
    assert all(before[i] is images[i - 1] for i in (1, 2, 5, 7))


def test_no_false_cut_in_real_video(shared):
    files = [VideoReader(shared / 'videos' / name) for name in ('basketball.mp4', 'two_people.mp4')]
    images = [rgb[::4, ::4] for file in files for _, rgb in file]
    assert find_cuts(images) == [300]
    for i, length in ((50, 1), (150, 2), (250, 1), (308, 2), (330, 1)):  # camera flashes
        images[i : i + length] = [
            np.clip(image.astype(int) + 110, 0, 255).astype(np.uint8) for image in images[i : i + length]
        ]
    assert find_cuts(images) == [300]
    images[200:203] = [255 - image for image in images[200:203]]  # three frames are a shot
    assert find_cuts(images) == [200, 203, 300]


@pytest.mark.parametrize('length', [1, 2])
def test_frames_are_read_ahead_only_where_the_image_changes(length):
    dark, light, read = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 250, np.uint8), []
    images = [dark] * 10 + [light] * length + [dark] * 10 + [light] * 5

    def frames():
        for i, image in enumerate(images):
            read.append(i)
            yield i, image

    ahead = {i: read[-1] - i for i, *_ in mark_cuts(frames())}
    assert set(ahead) == set(range(len(images)))
    assert {i: n for i, n in ahead.items() if n} == (
        {10: 2, 11: 1, 21: 2, 22: 1} if length == 1 else {10: 2, 11: 2, 12: 1, 22: 2, 23: 1}
    )


def follow(frames, images=None, **options):
    tracker = OnlineTracker(25, SIZE, **options)
    cuts = find_cuts(images or [])
    return tracker, [tracker.choose(i, d, cut=i in cuts) for i, d in frames]


@pytest.mark.parametrize('seed', range(3))
def test_online_keeps_the_athlete_while_a_bystander_crosses(seed):
    athlete = walk((240, 180), (1.2, 0), (80, 170), 120)
    _, results = follow(crowd(athlete, [BYSTANDER], SIZE, seed))
    missing = [i for i, answer in enumerate(results) if answer is None]
    assert len(missing) <= 3
    boxes = np.array([answer[0] for answer in results if answer is not None])
    ground_truth = np.delete(athlete, missing, axis=0)
    assert (iou(boxes, ground_truth) < 0.6).sum() <= 2


def test_online_first_frame_gap_and_loss():
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


def test_online_switches_only_to_a_much_better_person():
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


def test_online_cut_ends_the_choice():
    dark, light = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 250, np.uint8)
    left, right = walk((100, 180), (0, 0), (80, 170), 20), walk((500, 180), (0, 0), (80, 170), 20)
    frames = [(i, person(left[i] if i < 10 else right[i])) for i in range(20)]
    _, results = follow(frames, [dark] * 10 + [light] * 10)
    assert results[10] is None  # not held over the cut
    assert iou(results[11][0][None], right[:1])[0] > 0.9


@pytest.mark.parametrize('length', [1, 2])
def test_a_camera_flash_does_not_end_a_track(length):
    images = [np.zeros((36, 64, 3), np.uint8)] * 20
    images[10 : 10 + length] = [np.full((36, 64, 3), 250, np.uint8)] * length
    boxes = walk((100, 180), (1, 0), (80, 170), 20)
    frames = [(i, NO_DETECTIONS if 10 <= i < 10 + length else person(box)) for i, box in enumerate(boxes)]
    (track,) = run(frames, images)
    assert track.frame_inds.tolist() == list(range(20))
    _, results = follow(frames, images)
    assert [i for i, result in enumerate(results) if result is None] == [0]
    assert [i for i, _, previous, _ in with_previous(enumerate(images)) if previous is None] == [0]


def test_online_memory_does_not_grow():
    boxes = walk((300, 180), (0.01, 0), (80, 170), 2000)
    tracker, results = follow([(i, person(b)) for i, b in enumerate(boxes)], memory_seconds=2)
    assert results[-1] is not None
    assert [len(rows) for rows in tracker._people.values()] == [50 * 6]
    assert tracker._shots == []


def test_online_several_athletes_are_refused():
    with pytest.raises(UserError, match='follows one athlete'):
        OnlineTracker(25, SIZE, num_athletes=2)
