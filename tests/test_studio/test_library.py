"""The list of videos: values, changes, the cache, damaged files."""

import json

import numpy as np
import pytest
from media import make_video
from starlette.testclient import TestClient
from tiny_corpus import SIDE, make_tiny

from vpd_mm.corpus import VideoInfo
from vpd_mm.structures import Action, AthleteTrack, FrameTimes, PoseSequence, save_actions
from vpd_mm.studio import Workspace, create_app
from vpd_mm.studio.library import Library


@pytest.fixture
def corpus(tmp_path):
    """Video ``a`` of 60 frames with 30 boxes and 20 poses, of which 5 are confident; ``b`` of 30 frames without."""
    corpus = make_tiny(tmp_path / 'tiny', {'a': 60, 'b': 30})
    frames = np.arange(30)
    boxes = np.tile(np.array([1, 2, 3, 4], np.float32), (30, 1))
    AthleteTrack(frames, boxes, np.ones(30, np.float32)).save(corpus.track_path('a'))
    scores = np.full((20, 17), 0.2, np.float32)
    scores[:5] = 0.8
    PoseSequence(frames[:20], np.ones((20, 17, 2), np.float32), scores).save(corpus.pose_path('made', 'a'))
    return corpus


@pytest.fixture
def client(corpus):
    return TestClient(create_app(Workspace(corpus, 'vpd')), base_url='http://localhost')


def test_rows(client, corpus):
    a, b = client.get('/api/videos').json()
    assert a.pop('tag') != b.pop('tag')
    assert a == {
        'video': 'a',
        'file': 'a',
        'num_frames': 60,
        'fps': 25.0,
        'seconds': 2.4,
        'width': SIDE,
        'height': SIDE,
        'tracked_share': 0.5,
        'confident_share': pytest.approx(5 / 30),
        'num_labels': 1,
        'num_predictions': 0,
        'split': 'train',
    }
    assert (b['tracked_share'], b['confident_share'], b['split']) == (None, None, 'test')
    row = client.get('/api/videos/a').json()
    assert row.items() >= a.items()
    assert (row['athletes'], row['times'], row['poses']) == (['a'], None, ['made'])
    assert client.get('/api/videos/c').status_code == 404


def test_corpus(client, corpus):
    assert client.get('/api/corpus').json() == {
        'name': 'tiny',
        'folder': str(corpus.root),
        'sport': '',
        'classes': ['jump'],
        'poses': ['made'],
        'repaired': [],
        'features': [],
        'feature': 'vpd',
        'student': False,
        'fps': None,
    }


def test_athletes_and_times(client, corpus, tmp_path):
    rows = [VideoInfo(f'{name}__match', str(tmp_path / 'match.mp4'), 2.0, 3, 64, 48) for name in ('left', 'right')]
    corpus.add_videos(rows)
    FrameTimes.variable(np.array([0, 0.1, 1, 1.5])).save(corpus.times_path('left__match'))
    row = client.get('/api/videos/left__match').json()
    assert row['athletes'] == ['left__match', 'right__match']
    assert row['times'] == [0, 0.1, 1, 1.5]
    assert row['seconds'] == 1.5


def test_changes_are_seen_and_the_rest_is_not_read_again(client, corpus, monkeypatch):
    client.get('/api/videos')
    stored = json.loads((corpus.root / 'studio/cache/shares.json').read_text())
    assert stored['a'][1:] == [0.5, pytest.approx(5 / 30)]
    save_actions(corpus.actions_path, [Action(f'b:{i}', 'b', i, i + 3, 0, 'val') for i in range(4)])
    read = []
    original = Library._count_video
    monkeypatch.setattr(
        Library, '_count_video', lambda self, name, poses: read.append(name) or original(self, name, poses)
    )
    client = TestClient(client.app, base_url='http://localhost')
    assert [row['num_labels'] for row in client.get('/api/videos').json()] == [0, 4]
    assert Library(Workspace(corpus)).rows()[0]['tracked_share'] == 0.5
    assert read == []
    corpus.track_path('a').unlink()
    assert client.get('/api/videos').json()[0]['tracked_share'] is None
    corpus.leave_out(['a'])
    assert [row['video'] for row in client.get('/api/videos').json()] == ['b']
    assert client.get('/api/videos/a').status_code == 404


@pytest.mark.parametrize('content', ['', '[]', '{"a": 3}', '{"a": [[1], 2]}'])
def test_a_damaged_cache_and_damaged_files_stop_nothing(client, corpus, content):
    path = corpus.root / 'studio/cache/shares.json'
    path.parent.mkdir(parents=True)
    path.write_text(content)
    corpus.pose_path('made', 'a').write_bytes(b'PK')
    rows = Library(Workspace(corpus)).rows()
    assert (rows[0]['tracked_share'], rows[0]['confident_share']) == (0.5, None)


def test_what_takes_long_follows_later(corpus, monkeypatch):
    monkeypatch.setattr('vpd_mm.studio.library.PATIENCE_SEC', 0.0)
    library = Library(Workspace(corpus))
    first = library.rows()[0]['tracked_share']
    assert first in (None, 0.5)
    with library._counting:
        pass
    monkeypatch.setattr('vpd_mm.studio.library.PATIENCE_SEC', 20.0)
    assert library.rows()[0]['tracked_share'] == 0.5


def test_frames_have_number_and_time_and_are_kept_by_content(client, corpus, tmp_path):
    path = make_video(tmp_path / 'take.mp4', 10)
    corpus.add_videos([VideoInfo('take', str(path), 25.0, 10, 64, 48)])
    tag = client.get('/api/videos/take').json()['tag']
    answer = client.get('/api/videos/take/frames/7')
    assert answer.headers['Content-Type'] == 'image/jpeg'
    assert (answer.headers['X-Frame'], answer.headers['X-Seconds']) == ('7', '0.280000')
    assert answer.headers['Cache-Control'] == 'private, no-cache'
    etag = answer.headers['ETag']
    assert client.get('/api/videos/take/frames/7', headers={'If-None-Match': etag}).status_code == 304
    assert 'immutable' in client.get(f'/api/videos/take/frames/7?v={tag}').headers['Cache-Control']
    assert 'immutable' not in client.get('/api/videos/take/frames/7?v=former').headers['Cache-Control']
    make_video(path, 10, codec='mpeg4')
    assert client.get('/api/videos/take').json()['tag'] != tag
    assert client.get('/api/videos/take/frames/7', headers={'If-None-Match': etag}).status_code == 200
    for query in ('10', '-1', '1.5', 'x', '3?height=2', '3?height=99999', '3?height=x'):
        answer = client.get(f'/api/videos/take/frames/{query}')
        assert answer.status_code == 400
        assert 'take' in answer.json()['error']
    assert client.get('/api/videos/none/frames/3').status_code == 404
    answer = client.get('/api/videos/a/frames/3')
    assert (answer.status_code, 'no such file' in answer.json()['error']) == (400, True)


def test_a_line_that_is_not_valid_hides_no_video(client, corpus):
    with corpus.actions_path.open('a') as f:
        f.write('x,a,9,2,0,train\n')
    corpus.splits_path.write_text('not a table')
    assert [row['num_labels'] for row in client.get('/api/videos').json()] == [1, 1]
    assert client.get('/api/videos/a').json()['split'] == 'train'


def test_a_video_is_sent_as_a_video_whatever_its_name(client, corpus, tmp_path):
    path = make_video(tmp_path / 'take.mp4', 10).rename(tmp_path / 'take.html')
    corpus.add_videos([VideoInfo('take', str(path), 25.0, 10, 64, 48)])
    assert client.get('/api/videos/take/file').headers['Content-Type'] == 'video/mp4'
