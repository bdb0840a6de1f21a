"""Thumbnails, clips and the video file."""

import io

import numpy as np
import pytest
from media import frame_number, make_video
from PIL import Image
from starlette.testclient import TestClient
from tiny_corpus import SIDE, make_tiny

from vpd_mm.corpus import VideoInfo
from vpd_mm.structures import FrameTimes
from vpd_mm.studio import Workspace, create_app


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    """Video ``a`` has crops and no file, ``take`` a file and no crops."""
    folder = tmp_path_factory.mktemp('clips')
    corpus = make_tiny(folder / 'tiny', {'a': 60, 'b': 8})
    path = make_video(folder / 'take.mp4', 24)
    corpus.add_videos([VideoInfo('take', str(path), 25.0, 24, 64, 48)])
    text = folder / 'text.mp4'
    text.write_text('user:secret\n' * 100)
    playlist = folder / 'list.mp4'
    playlist.write_text(f"ffconcat version 1.0\nfile '{path}'\n")
    for name, file in (('text', text), ('list', playlist), ('gone', folder / 'gone.mp4'), ('folder', folder)):
        corpus.add_videos([VideoInfo(name, str(file), 25.0, 24, 64, 48)])
    return corpus


@pytest.fixture
def client(corpus):
    return TestClient(create_app(Workspace(corpus)), base_url='http://localhost')


def open_image(client, path: str, kind: str) -> Image.Image:
    answer = client.get(path)
    assert (answer.status_code, answer.headers['Content-Type']) == (200, kind), answer.text
    return Image.open(io.BytesIO(answer.content))


def durations(image: Image.Image) -> list[int]:
    shown = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        shown.append(image.info['duration'])
    return shown


def test_thumbnails(client, corpus):
    crop = np.asarray(open_image(client, '/api/videos/a/thumbnail', 'image/jpeg'))
    assert crop.shape == (SIDE, SIDE, 3)
    assert crop[15, 30 % 20 + 4, 0] > 180  # the bright square of frame 30
    frame = np.asarray(open_image(client, '/api/videos/take/thumbnail', 'image/jpeg'))
    assert frame_number(frame) == 12
    [kept] = (corpus.root / 'studio/cache/thumbnails').iterdir()
    kept.write_bytes(b'kept')
    again = TestClient(create_app(Workspace(corpus)), base_url='http://localhost')
    assert again.get('/api/videos/take/thumbnail').content == b'kept'


def test_a_clip_of_crops_loops_at_the_speed_of_the_video(client):
    image = open_image(client, '/api/videos/a/clip?start=10&end=35', 'image/webp')
    assert (image.size, image.info['loop']) == ((SIDE, SIDE), 0)
    assert durations(image) == [80] * 12 + [40]  # every second of 25 frames
    image.seek(0)
    assert np.asarray(image.convert('RGB'))[15, 10 % 20 + 4, 0] > 180


def test_a_clip_of_a_long_segment_has_fewer_frames(client):
    image = open_image(client, '/api/videos/a/clip?start=0&end=60&height=16', 'image/webp')
    assert image.size == (16, 16)
    assert sum(durations(image)) == 60 * 40


def test_a_clip_of_the_file_follows_its_times(client, corpus):
    edges = np.arange(25) / 25
    edges[11:] += 1.0  # frame 10 is shown for longer
    FrameTimes.variable(edges).save(corpus.times_path('take'))
    image = open_image(client, '/api/videos/take/clip?start=8&end=14', 'image/webp')
    assert image.size == (64, 48)
    assert durations(image) == [80, 1080, 80]
    image.seek(2)
    assert frame_number(np.asarray(image.convert('RGB'))) == 12
    corpus.times_path('take').unlink()


@pytest.mark.parametrize(
    'query',
    [
        *('start=5&end=5', 'start=9&end=5', 'start=-1&end=5', 'start=0&end=61'),
        *('start=1', 'start=a&end=5', 'start=0&end=5&height=9999'),
    ],
)
def test_ranges_are_validated(client, query):
    answer = client.get(f'/api/videos/a/clip?{query}')
    assert answer.status_code == 400
    assert 'a' in answer.json()['error']


def test_the_file_is_sent_in_parts(client, corpus):
    data = (corpus.root.parent / 'take.mp4').read_bytes()
    answer = client.get('/api/videos/take/file')
    assert (answer.content, answer.headers['Content-Type']) == (data, 'video/mp4')
    answer = client.get('/api/videos/take/file', headers={'Range': 'bytes=10-19'})
    assert (answer.status_code, answer.content) == (206, data[10:20])
    assert client.get('/api/videos/take/file', headers={'Range': 'bytes=99999999-'}).status_code == 416
    assert client.get('/api/videos/take/file', headers={'Range': 'bytes=x-y'}).status_code == 400


@pytest.mark.parametrize('video', ['text', 'list', 'gone', 'folder', 'a'])
@pytest.mark.parametrize('what', ['file', 'frames/0'])
def test_nothing_but_videos_is_sent(client, video, what):
    answer = client.get(f'/api/videos/{video}/{what}')
    assert answer.status_code == 400
    assert 'secret' not in answer.text
    assert len(answer.json()['error']) < 400
