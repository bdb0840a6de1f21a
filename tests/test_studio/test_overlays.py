"""Boxes, poses, confidence, flow and the student's poses over the frames."""

import cv2
import numpy as np
import pytest
from inference_files import STUDENT, save_model
from starlette.testclient import TestClient
from tiny_corpus import make_tiny

from vpd_mm.corpus.stale_files import CorpusInputs, crops_of
from vpd_mm.engine.model_files import find_one_trained, read_trained_config
from vpd_mm.features.feature_extractor import build_extractor, run_source
from vpd_mm.structures import AthleteTrack, FeatureSequence, PoseSequence
from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.student_poses import StudentPoses
from vpd_mm.visualize.skeleton import COCO17, VPD13


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('overlays')


@pytest.fixture(scope='module')
def corpus(folder):
    corpus = make_tiny(folder / 'tiny', {'a': 60, 'b': 30})
    frames = np.arange(5, 60)
    boxes = np.stack([frames, frames, frames + 10.26, frames + 20], axis=1).astype(np.float32)
    AthleteTrack(frames, boxes, np.full(55, 0.75, np.float32)).save(corpus.track_path('a'))
    pose = np.stack([np.tile([14, 18], 9)[:17], np.linspace(4, 28, 17)], axis=1)
    keypoints = (pose + np.random.default_rng(0).normal(0, 0.2, (55, 17, 2))).astype(np.float32)
    scores = np.full((55, 17), 0.9, np.float32)
    scores[0] = 0.25
    PoseSequence(frames, keypoints, scores).save(corpus.pose_path('made', 'a'))
    return corpus


@pytest.fixture(scope='module')
def spec(folder):
    return save_model(folder, 'student', STUDENT.format(dims=26))


def client_of(corpus, student=''):
    return TestClient(create_app(Workspace(corpus, student=student)), base_url='http://localhost')


def test_track(corpus):
    track = client_of(corpus).get('/api/videos/a/track').json()
    assert track['frame_inds'] == list(range(5, 60))
    assert (track['boxes'][0], track['scores'][0]) == ([5, 5, 15.3, 25], 0.75)
    part = client_of(corpus).get('/api/videos/a/track?start=3&end=8').json()
    assert part == {key: values[:3] for key, values in track.items()}
    assert client_of(corpus).get('/api/videos/a/track?start=0&end=1000').status_code == 400
    assert client_of(corpus).get('/api/videos/b/track').json() == {'frame_inds': [], 'boxes': [], 'scores': []}
    assert client_of(corpus).get('/api/videos/c/track').status_code == 404


def test_poses(corpus):
    poses = client_of(corpus).get('/api/videos/a/poses/made').json()
    assert poses['limbs'] == [list(limb) for limb in COCO17.limbs]
    assert poses['skeleton'] == list(COCO17.joints)
    expected = corpus.poses('made', 'a').keypoints
    np.testing.assert_allclose(poses['keypoints'], expected, atol=0.051)
    part = client_of(corpus).get('/api/videos/a/poses/made?start=50').json()
    assert (part['frame_inds'], part['keypoints']) == (list(range(50, 60)), poses['keypoints'][45:])
    for name in ('none', '%2e%2e%2ftracks', 'made%00'):
        answer = client_of(corpus).get(f'/api/videos/a/poses/{name}')
        assert answer.status_code in (400, 404)
        assert 'error' in answer.json()
    assert 'no such file' in client_of(corpus).get('/api/videos/b/poses/made').json()['error']


def test_confidence(corpus):
    answer = client_of(corpus).get('/api/videos/a/confidence').json()
    assert answer['scores'] == [None] * 5 + [0.25] + [0.9] * 54
    assert (answer['gate'], answer['poses']) == (0.5, 'made')
    assert client_of(corpus).get('/api/videos/b/confidence').json()['scores'] == []


def test_flow(corpus):
    answer = client_of(corpus).get('/api/videos/a/flow/3')
    assert answer.headers['X-Window'] == '0,0,32'
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image.shape == (32, 32, 3)
    assert (image[5, 5] != 255).any()  # it moves
    assert 'has no frame 60' in client_of(corpus).get('/api/videos/a/flow/60').json()['error']


def test_the_student_is_placed_at_the_athlete(corpus, spec):
    client = client_of(corpus, spec)
    answer = client.get('/api/videos/a/student?start=10&end=30').json()
    assert answer['frame_inds'] == list(range(10, 30))
    assert answer['limbs'] == [list(limb) for limb in VPD13.limbs]
    keypoints = np.array(answer['keypoints'])
    hips, teacher = keypoints[:, [7, 8]].mean(axis=1), corpus.poses('made', 'a').keypoints[5:25, [11, 12]].mean(axis=1)
    assert np.abs(hips - teacher).max() < 1
    torso = keypoints[:, [1, 2, 7, 8]]
    size = np.linalg.norm(torso[:, :, None] - torso[:, None], axis=-1).max(axis=(1, 2))
    own = corpus.poses('made', 'a').keypoints[5:25, [5, 6, 11, 12]]
    expected = np.linalg.norm(own[:, :, None] - own[:, None], axis=-1).max(axis=(1, 2))
    np.testing.assert_allclose(size, expected, rtol=0.1)
    assert len(client.get('/api/videos/a/student').json()['frame_inds']) == 60


def test_stored_features_of_this_student_are_used(corpus, spec, monkeypatch):
    cfg = read_trained_config(*find_one_trained(spec))
    made_by = run_source(cfg, spec.partition(':')[2])
    computed = client_of(corpus, spec).get('/api/videos/a/student').json()['keypoints']
    extractor = build_extractor(cfg, spec.partition(':')[2])
    sequence = extractor.extract(Workspace(corpus).crops(), 'a')
    inputs = {**made_by['inputs'], **CorpusInputs(corpus).of(crops_of('a'))}
    path = corpus.features_dir('vpd') / 'a.npz'
    sequence.save(path, {**made_by, 'inputs': inputs})
    monkeypatch.setattr('vpd_mm.studio.student_poses.MOST_FRAMES', 0)
    stored = client_of(corpus, spec).get('/api/videos/a/student').json()['keypoints']
    np.testing.assert_allclose(stored, computed, atol=0.1)
    other = FeatureSequence(sequence.frame_inds, sequence.feats, sequence.scores)
    other.save(path, {**made_by, 'inputs': {**inputs, 'model': 'another'}})
    answer = client_of(corpus, spec).get('/api/videos/a/student')
    assert answer.status_code == 400
    assert 'features of this student are not stored; ask for at most 0 frames' in answer.json()['error']
    path.unlink()


def test_students_and_videos_that_do_not_fit(corpus, folder, spec):
    other = save_model(folder, 'd64', STUDENT.format(dims=64))
    for student, query, error in (
        ('', 'a/student', 'start tools/studio.py with --student'),
        (other, 'a/student?start=0&end=5', 'is a student of D = 64'),
        (str(folder / 'none'), 'a/student', 'no such file or folder'),
        (spec, 'b/student?start=0&end=5', 'b: no poses of a teacher'),
        (spec, 'a/student?start=9&end=5', 'needs 0 <= start < end'),
        (spec, 'a/student?start=0&end=61', 'needs 0 <= start < end'),
    ):
        answer = client_of(corpus, student).get(f'/api/videos/{query}')
        assert (answer.status_code, error in answer.json()['error']) == (400, True), answer.text
    assert StudentPoses(Workspace(corpus, student=spec)).workspace.student == spec
