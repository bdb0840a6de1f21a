"""MediaPipeTeacher on a real video; needs the optional extra."""

import gzip
import importlib.util
import json

import numpy as np
import pytest
from supervision import box_iou_batch

from vpd_mm.athlete.square_cropper import cut_square
from vpd_mm.errors import UserError
from vpd_mm.teacher.mediapipe_teacher import MediaPipeTeacher, extent_of, square_window

INSTALLED = importlib.util.find_spec('mediapipe') is not None
needs_mediapipe = pytest.mark.skipif(not INSTALLED, reason='needs the extra mediapipe')
STEP = 20


@pytest.fixture(scope='module')
def teacher():
    teacher = MediaPipeTeacher()
    yield teacher
    teacher.close()


@pytest.fixture(scope='module')
def athlete(shared):
    """Every 20th frame of wall_flip before the flip: frames, boxes (n, 4) and reference keypoints (n, 17, 2)."""
    av = pytest.importorskip('av')
    folder = shared / 'videos/poses/wall_flip'
    boxes = {f: [x, y, x + w, y + h] for f, (x, y, w, h) in json.loads((folder / 'boxes.json').read_text())}
    with gzip.open(folder / 'coco_keypoints.json.gz', 'rt') as f:
        poses = {frame: np.array(people[0][2])[:, :2] for frame, people in json.load(f) if people}
    wanted = [i for i in sorted(poses) if i % STEP == 0 and i < 130]
    with av.open(str(shared / 'videos/wall_flip.mp4')) as video:
        frames = [f.to_ndarray(format='rgb24') for i, f in enumerate(video.decode(video=0)) if i in wanted]
    return frames, np.array([boxes[i] for i in wanted], np.float32), np.array([poses[i] for i in wanted])


@needs_mediapipe
def test_keypoints_are_accurate_on_both_sides(teacher, athlete):
    frames, boxes, expected = athlete
    keypoints, scores = teacher.infer(frames, boxes)
    assert keypoints.dtype == scores.dtype == np.float32
    assert (scores.max(axis=1) > 0.5).all()
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]
    assert np.median(np.linalg.norm(keypoints - expected, axis=-1) / sizes) < 0.02


@needs_mediapipe
def test_frames_are_independent_and_keypoints_follow_the_box(teacher, athlete):
    frames, boxes, _ = athlete
    keypoints, scores = teacher.infer(frames[:3], boxes[:3])
    single = teacher.infer(frames[2:3], boxes[2:3])
    np.testing.assert_array_equal(keypoints[2], single[0][0])
    np.testing.assert_array_equal(scores[2], single[1][0])
    cropped = np.ascontiguousarray(frames[2][:, 100:])
    moved = teacher.infer([cropped], boxes[2:3] - np.float32([100, 0, 100, 0]))
    np.testing.assert_allclose(moved[0][0] + [100, 0], keypoints[2], atol=1e-3)


@needs_mediapipe
def test_boxes_follow_the_athlete_in_whole_frames(teacher, athlete):
    frames, boxes, _ = athlete
    frame = frames[3].copy()
    frame[480:] = 0  # the passer-by
    teacher.start_video()
    found = np.concatenate(teacher.detect([frame] * 2) + teacher.detect([frame]))
    assert found.shape == (3, 5)
    assert box_iou_batch(boxes[3:4], found[:, :4]).min() > 0.6
    assert (found[:, 4] > 0.5).all()
    teacher.start_video()
    [empty] = teacher.detect([np.full_like(frames[0], 128)])
    assert empty.shape == (0, 5)


@needs_mediapipe
def test_a_person_beside_the_box_is_not_taken(teacher, athlete):
    frames, boxes, _ = athlete
    beside = boxes[:1] + np.float32([1, 0, 1, 0]) * 1.2 * (boxes[0, 2] - boxes[0, 0])
    assert (teacher.infer(frames[:1], beside)[1] == 0).all()


@needs_mediapipe
def test_scores_are_zero_without_person_or_box(teacher, athlete):
    frames, boxes, _ = athlete
    blank = np.full_like(frames[0], 128)
    no_box = np.full((1, 4), np.nan, np.float32)
    keypoints, scores = teacher.infer([blank, frames[0]], np.concatenate([boxes[:1], no_box]))
    assert (keypoints == 0).all()
    assert (scores == 0).all()


@pytest.mark.skipif(INSTALLED, reason='mediapipe is installed')
def test_missing_package_error_names_the_command():
    with pytest.raises(UserError, match=r'pip install --no-deps mediapipe==0\.10\.21'):
        MediaPipeTeacher()


def test_box_is_the_padded_extent_of_the_visible_landmarks():
    landmarks = np.array([[10, 20, 0.5], [50, 100, 0.9], [30, 60, 1.0], [900, 0, 0.49]])
    [box] = extent_of(landmarks)
    np.testing.assert_allclose(box, [10 - 8, 20 - 8, 50 + 8, 100 + 8, 0.8], rtol=1e-6)
    assert extent_of(None).shape == extent_of(landmarks[3:]).shape == (0, 5)


def test_square_is_padded_and_black_outside():
    frame = np.full((50, 80, 3), 9, np.uint8)
    left, top, side = square_window(frame, np.array([60, 10, 90, 50], np.float32))
    # 60..80 x 10..50 is in the frame: side 40 * 1.3 = 52, centred on (70, 30).
    assert (left, top, side) == (44, 4, 52)
    square = cut_square(frame, (left, top, side))
    assert square.shape == (52, 52, 3)
    assert (square[:46, :36] == 9).all()
    assert square.sum() == 46 * 36 * 3 * 9
