"""Pose files as they come: boxes that do not say who the athlete is, numbers that are not usable, other numberings."""

import json
from collections import Counter

import numpy as np
import pytest

from vpd_mm.corpus import VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import read_boxes, read_poses
from vpd_mm.structures import AthleteTrack

NUM_FRAMES, WIDTH, HEIGHT = 24, 1280, 720
VIDEO = VideoInfo('v', '', 25, NUM_FRAMES, WIDTH, HEIGHT)
RNG = np.random.default_rng(0)
BODY = RNG.uniform(0, 1, (17, 2))  # shares of the extent


def joints_at(x, y, width, height, score=0.9):
    """(17, 3): one body, moved and scaled."""
    low, high = BODY.min(axis=0), BODY.max(axis=0)
    xy = (BODY - low) / (high - low) * (width, height) + (x, y)
    return np.column_stack([xy, np.full(17, score)])


def athlete(frame):
    """2.5 % of the frame, running to the right; its score flickers."""
    return joints_at(200 + 20 * frame, 250, 110, 210, 0.9 if frame % 3 else 0.4)


def bystander(frame):
    return joints_at(900, 300, 60, 120, 0.8)


def write(root, people, first=0):
    """Write OpenPose's files of COCO-17 people, frame by frame."""
    folder = root / 'v'
    folder.mkdir(exist_ok=True)
    for frame, joints in enumerate(people, first):
        content = {'people': [{'pose_keypoints_2d': np.ravel(person).tolist()} for person in joints]}
        (folder / f'v_{frame:012d}_keypoints.json').write_text(json.dumps(content))


def track_of(boxes):
    boxes = np.array(boxes, np.float32)
    return AthleteTrack(np.arange(len(boxes)), boxes, np.ones(len(boxes), np.float32))


FULL = track_of([[0, 0, WIDTH, HEIGHT]] * NUM_FRAMES)
#: Five times as wide and high as the athlete.
LOOSE = track_of([[20 * f - 20, 0, 20 * f + 530, HEIGHT] for f in range(NUM_FRAMES)])


@pytest.mark.parametrize('track', [FULL, LOOSE, None], ids=['full', 'loose', 'none'])
@pytest.mark.parametrize('step', [1, 3])
def test_the_athlete_is_followed_where_no_box_says_who_it_is(tmp_path, track, step):
    """Also where the bystander comes first, is the only one in some frames, and every third frame is in the file."""
    frames = range(0, NUM_FRAMES, step)
    people = {f: [bystander(f)] if f == 12 else [bystander(f), athlete(f)] for f in frames}
    (tmp_path / 'v').mkdir()
    entries = [
        {'image_id': f, 'keypoints': person.ravel().tolist(), 'bbox': [9, 9, 0, 0]}
        for f in reversed(frames)
        for person in people[f]
    ]
    (tmp_path / 'v.json').write_text(json.dumps(entries))
    poses = read_poses(tmp_path, 'v', track, VIDEO)
    assert poses.frame_inds.tolist() == [f for f in frames if f != 12]
    wanted = np.array([athlete(f) for f in poses.frame_inds])
    np.testing.assert_allclose(poses.keypoints, wanted[..., :2], rtol=1e-6)
    np.testing.assert_allclose(poses.scores, wanted[..., 2], rtol=1e-6)


def test_every_shot_has_its_athlete(tmp_path):
    """A cut at frame 12, and one person who leaves and comes back elsewhere."""
    after = [joints_at(20, 50 + 2 * f, 110, 210) for f in range(12)]
    write(tmp_path, [[bystander(f), athlete(f)] for f in range(12)] + [[after[f]] if f > 2 else [] for f in range(12)])
    poses = read_poses(tmp_path, 'v', FULL, VIDEO)
    assert poses.frame_inds.tolist() == [*range(12), *range(15, 24)]
    np.testing.assert_allclose(poses.keypoints[12], after[3][:, :2], rtol=1e-6)


def test_tight_boxes_decide_even_for_a_smaller_person_without_a_pose_in_most_frames(tmp_path):
    write(tmp_path, [[athlete(f), *([bystander(f)] if f < 5 else [])] for f in range(NUM_FRAMES)])
    boxes = [[900 + f % 2, 300, 960, 420] for f in range(NUM_FRAMES)]  # a box that never changes says nothing
    poses = read_poses(tmp_path, 'v', track_of(boxes), VIDEO)
    assert poses.frame_inds.tolist() == list(range(5))
    np.testing.assert_allclose(poses.keypoints[0], bystander(0)[:, :2], rtol=1e-6)


def test_a_single_frame_gives_its_best_person(tmp_path):
    write(tmp_path, [[bystander(0), athlete(1)]])
    np.testing.assert_allclose(read_poses(tmp_path, 'v', FULL, VIDEO).keypoints[0], athlete(1)[:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ('people', 'message'),
    [
        ([[bystander(0)]] * 3, 'none of its 3 people is in the boxes of the athlete'),
        ([[]] * 3, 'no usable person in its 3 frames'),
        ([[np.zeros((17, 3))]], 'no usable person in its 1 frames'),
        ([[np.full((17, 3), np.nan)]], 'no usable person in its 1 frames'),
        ([[bystander(0) / 1280]], r'coordinates are scaled to 0\.\.1'),
        ([[bystander(0) * (2, 2, 1)]], '17 of 17 joints are not finite or outside of the frame'),
        ([[np.where(np.arange(51).reshape(17, 3) < 27, np.nan, bystander(0))]], '9 of 17 joints are not finite'),
        ([[bystander(0) * (1, 1, 300)]], 'scores up to 240; they must be 0 to 1, or percentages'),
    ],
)
def test_poses_that_cannot_be_those_of_the_athlete_are_refused(tmp_path, people, message):
    write(tmp_path, people)
    with pytest.raises(UserError, match=message):
        read_poses(tmp_path, 'v', track_of([[0, 0, 50, 90], [1, 0, 50, 90], [0, 0, 50, 90]]), VIDEO)


@pytest.mark.parametrize('who', [0, 1], ids=['athlete', 'bystander'])
@pytest.mark.parametrize(
    ('value', 'score', 'count'),
    [
        ([np.nan, 300, 0.9], 0, 'joints without position or score, not seen'),
        ([None, None, None], 0, 'joints without position or score, not seen'),
        ([300, np.inf, 0.9], 0, 'joints without position or score, not seen'),
        ([300, 1e300, 0.9], 0, 'joints without position or score, not seen'),
        ([250, 300, np.nan], 0, 'joints without position or score, not seen'),
        ([250, 300, -1], 0, 'joints without position or score, not seen'),
        ([-1, -1, 0.9], 0, 'joints outside of the frame, not seen'),
        ([250, HEIGHT + 1, 0.9], 0, 'joints outside of the frame, not seen'),
        ([250, 300, 1.07], 1, 'joints with a score above 1, cut to 1'),
    ],
)
def test_a_joint_that_is_not_usable_is_not_seen_and_counted(tmp_path, value, score, count, who):
    people = [[athlete(f).tolist(), bystander(f).tolist()] for f in range(3)]
    people[1][who][10] = value
    (tmp_path / 'v').mkdir()
    for frame, joints in enumerate(people):
        content = [{'keypoints': [j[:2] for j in p], 'keypoint_scores': [j[2] for j in p]} for p in joints]
        (tmp_path / f'v/{frame}.json').write_text(json.dumps(content))
    counts = Counter()
    poses = read_poses(tmp_path, 'v', FULL, VIDEO, counts)
    assert poses.frame_inds.tolist() == [0, 1, 2]
    assert counts == {'people with COCO-17 joints': 6, count: 1}
    wanted = [athlete(f)[:, 2] for f in range(3)]
    wanted[1][10] = score if who == 0 else wanted[1][10]
    np.testing.assert_allclose(poses.scores, wanted, rtol=1e-6)


def test_scores_in_percent(tmp_path):
    write(tmp_path, [[athlete(f) * (1, 1, 100)] for f in range(3)])
    counts = Counter()
    poses = read_poses(tmp_path, 'v', FULL, VIDEO, counts)
    np.testing.assert_allclose(poses.scores[:, 0], [0.4, 0.9, 0.9], rtol=1e-6)
    assert counts['joints with a score in percent'] == 51


@pytest.mark.parametrize(('first', 'gap', 'shift'), [(0, 5, 0), (1, 5, 1), (0, None, 0), (1, None, 1)])
def test_frames_counted_from_1_and_missing_frames(tmp_path, first, gap, shift):
    write(tmp_path, [[athlete(f)] for f in range(NUM_FRAMES)], first)
    frames = set(range(NUM_FRAMES))
    if gap is not None:
        (tmp_path / f'v/v_{gap + first:012d}_keypoints.json').unlink()
        frames.remove(gap)
    counts = Counter()
    poses = read_poses(tmp_path, 'v', FULL, VIDEO, counts)
    assert poses.frame_inds.tolist() == sorted(frames)
    np.testing.assert_allclose(poses.keypoints[-1], athlete(23)[:, :2], rtol=1e-6)
    assert counts['frames counted from 1'] == shift * len(frames)


BAD_BOXES = {
    'beyond': [WIDTH, 0, 9, 9],
    'zero': [5, 5, 0, 9],
    'nan': [5, float('nan'), 9, 9],
    'null': [None] * 4,
    'huge': [-1e5, 0, 1e6, 9],
    'negative size': [50, 50, -9, 9],
}


@pytest.mark.parametrize('name', BAD_BOXES)
def test_boxes_that_are_not_usable_are_left_out_and_counted(tmp_path, name):
    (tmp_path / 'v').mkdir()
    boxes = [[f, BAD_BOXES[name] if f in (4, 20) else [f, 10, 40, 80]] for f in range(NUM_FRAMES)]
    counts = Counter()

    def read(entries):
        (tmp_path / 'v/boxes.json').write_text(json.dumps(entries))
        return read_boxes(tmp_path, 'v', (WIDTH, HEIGHT), NUM_FRAMES, counts)['']

    assert read(boxes).frame_inds.tolist() == [f for f in range(NUM_FRAMES) if f not in (4, 20)]
    assert counts == {'boxes not usable, left out': 2}
    assert read([[f + 1, box] for f, box in boxes]).boxes[0].tolist() == [0, 10, 40, 90]
    assert counts['boxes counted from frame 1'] == NUM_FRAMES
    with pytest.raises(UserError, match=r'boxes\.json: 2 of 3 boxes, first .* of frame 4, are not finite'):
        read([boxes[4], boxes[5], boxes[20]])
