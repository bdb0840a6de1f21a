"""Detector and teacher of a prepare run, replaced by a simple colour detector."""

from types import SimpleNamespace

import numpy as np
import pytest
from media import FRAMES, make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.engine.config import parse_options
from vpd_mm.errors import UserError
from vpd_mm.prepare.crop_pass import PoseTask
from vpd_mm.prepare.models import Models, SetupError
from vpd_mm.prepare.options import PrepareSettings
from vpd_mm.prepare.tracking_pass import find_tracks
from vpd_mm.structures import AthleteTrack


def _square(rgb):
    """Box of the bright yellow square of the test videos."""
    yellow = (rgb[..., 0] > 190) & (rgb[..., 1] > 165) & (rgb[..., 2] < 110)
    y, x = np.nonzero(yellow)
    return (x.min(), y.min(), x.max() + 1, y.max() + 1)


class SquareFinder:
    """Detect the square, and record the batch sizes and the starts of videos."""

    def __init__(self):
        self.batches = []

    def start_video(self):
        self.batches.append('start')

    def detect(self, frames):
        self.batches.append(len(frames))
        return [np.array([[*_square(rgb), 0.9]], np.float32) for rgb in frames]

    def infer(self, frames, boxes):
        self.batches.append(len(frames))
        keypoints = np.zeros((len(frames), 17, 2), np.float32)
        scores = np.full((len(frames), 17), 0.8, np.float32)
        for i, rgb in enumerate(frames):
            x1, y1, x2, y2 = _square(rgb)
            keypoints[i] = ((x1 + x2) / 2, (y1 + y2) / 2)
        scores[0] = 0  # no pose in the first frame of every batch
        return keypoints, scores


def _models(settings, finder):
    models = Models(settings)
    models.__dict__.update({'detector': finder, 'teacher': finder, '_mediapipe': finder})
    return models


@pytest.mark.parametrize(('poses', 'heavy'), [('mediapipe', False), ('mediapipe:heavy', True)])
def test_poses_of_mediapipe(tmp_path, monkeypatch, poses, heavy):
    made = []
    monkeypatch.setattr(
        'vpd_mm.teacher.mediapipe_teacher.MediaPipeTeacher', lambda heavy=False: made.append(heavy) or made
    )
    assert Models(PrepareSettings(tmp_path, boxes='full', poses=poses)).teacher is made
    assert made == [heavy]


@pytest.mark.parametrize(('boxes', 'start'), [('mmdet:any.py', []), ('mediapipe', ['start'])])
def test_detections_become_the_athletes_track(tmp_path, boxes, start):
    reader = VideoReader(make_video(tmp_path / 'jump.mp4', FRAMES, size=(128, 96)))
    settings = PrepareSettings(tmp_path, boxes=boxes, batch_size=5, tracker={'min_seconds': 0.1})
    finder, calls = SquareFinder(), []
    athletes = find_tracks(settings, _models(settings, finder), reader, lambda done, total: calls.append((done, total)))
    assert list(athletes) == ['']
    track = athletes['']
    assert track.frame_inds.tolist() == list(range(FRAMES))
    expected = np.array([_square(rgb) for _, rgb in reader])
    assert np.abs(track.boxes - expected).max() < 1.5
    assert finder.batches == [*start, 5, 5, 2]
    assert calls == [(5, FRAMES), (10, FRAMES), (12, FRAMES)]


@pytest.mark.parametrize(
    ('score', 'rules', 'reason'),
    [
        (None, {}, 'no detection has a score of 0.1; check the video, or pass other --boxes'),
        (0.34, {}, 'the best score of a detection is 0.34, below high_score=0.5; try --track high_score=0.3'),
        (0.9, {'min_seconds': 2}, 'the longest track, in seconds, is 0.48, below min_seconds=2; try --track min_s'),
        (0.9, {'min_score': 0.99}, 'score of a person is 0.90, below min_score=0.99; try --track min_score=0.8'),
        (0.34, {'method': 'path'}, 'a path is 0.34, below least=0.4; try --track method=path least=0.3'),
    ],
)
def test_no_person_names_what_was_seen_and_the_rule_that_helps(tmp_path, score, rules, reason):
    reader = VideoReader(make_video(tmp_path / 'jump.mp4', FRAMES))

    def find(rules):
        settings = PrepareSettings(tmp_path, boxes='mmdet:any.py', tracker=rules)
        return find_tracks(settings, _models(settings, finder), reader, lambda *_: None)

    boxes = np.zeros((0, 5), np.float32) if score is None else np.float32([[20, 10, 40, 40, score]])
    finder = SimpleNamespace(detect=lambda frames: [boxes] * len(frames))
    with pytest.raises(UserError, match=r'jump\.mp4: no person found in 12 frames with boxes mmdet:any\.py') as caught:
        find(rules)
    assert reason in str(caught.value)
    if score is not None:
        advice = str(caught.value).rpartition('--track ')[2]
        assert len(find(rules | parse_options('--track', advice.split()))['']) == FRAMES


def test_batches_shrink_with_large_frames(tmp_path):
    models = Models(PrepareSettings(tmp_path, batch_size=16))
    assert models.frames_per_batch(SimpleNamespace(width=320, height=240)) == 16
    assert models.frames_per_batch(SimpleNamespace(width=3840, height=2160)) == 5
    assert models.frames_per_batch(SimpleNamespace(width=15360, height=8640)) == 1


def test_teacher_sees_tracked_frames_in_batches(tmp_path):
    reader = VideoReader(make_video(tmp_path / 'jump.mp4', FRAMES, size=(128, 96)))
    inds = np.arange(2, 9)
    track = AthleteTrack(inds, np.tile(np.float32([0, 0, 128, 96]), (7, 1)), np.ones(7, np.float32))
    finder = SquareFinder()
    task = PoseTask(track, _models(PrepareSettings(tmp_path), finder), 3)
    for frame_ind, rgb in reader:
        task.step(frame_ind, rgb, None)
    poses = task.finish()
    assert finder.batches == [3, 3, 1]
    assert poses.frame_inds.tolist() == [3, 4, 6, 7]
    centres = {i: _square(rgb) for i, rgb in reader}
    for i, keypoints in zip(poses.frame_inds, poses.keypoints):
        x1, _, x2, _ = centres[i]
        assert keypoints[0, 0] == (x1 + x2) / 2


def test_setup_errors_name_the_model(tmp_path):
    settings = PrepareSettings(tmp_path, boxes=f'mmdet:{tmp_path}/gone.py')
    with pytest.raises(SetupError, match=r'boxes mmdet:.*gone\.py'):
        _ = Models(settings).detector
    settings = PrepareSettings(tmp_path, poses=f'mmpose:{tmp_path}/gone.py')
    with pytest.raises(SetupError, match=r'poses mmpose:.*gone\.py'):
        _ = Models(settings).teacher
