"""Frames as the server sends them: the number burnt into a frame, its name and its time agree."""

from io import BytesIO

import numpy as np
import pytest
from media import burnt_number
from PIL import Image
from starlette.testclient import TestClient
from studio_corpus import FRAMES, RUN, make_studio_corpus, vfr_ticks

from vpd_mm.studio import Workspace, create_app

#: Seconds of the frames of the videos, by the way they were encoded.
SECONDS = {
    'bframes': np.arange(FRAMES) / 25,
    'ntsc': np.arange(FRAMES) * 1001 / 60000,
    'vfr': np.array(vfr_ticks(FRAMES)) / 25,
}
RATE = 12.5


@pytest.fixture(scope='module')
def clients(tmp_path_factory):
    """The studio over a corpus as decoded, and over one that was resampled."""
    found = {}
    for name, fps in (('decoded', None), ('resampled', RATE)):
        videos = [*SECONDS, 'match'] if fps is None else list(SECONDS)
        workspace = Workspace(make_studio_corpus(tmp_path_factory.mktemp(name), videos, fps), RUN)
        found[name] = TestClient(create_app(workspace), base_url='http://127.0.0.1:8765')
    return found


def get_frame(client, video: str, frame: int, query: str = '') -> tuple[int, int, float]:
    """(burnt number, number in the header, seconds in the header)."""
    answer = client.get(f'/api/videos/{video}/frames/{frame}{query}')
    assert answer.status_code == 200, answer.text
    rgb = np.asarray(Image.open(BytesIO(answer.content)).convert('RGB'))
    return burnt_number(rgb), int(answer.headers['X-Frame']), float(answer.headers['X-Seconds'])


@pytest.mark.parametrize('video', SECONDS)
def test_frames_in_any_order(clients, video):
    order = [*range(30), *range(60, 30, -1), FRAMES - 1, 0, 47, 46, 48, 11, 12, 13, 71, 5]
    for frame in order:
        burnt, named, seconds = get_frame(clients['decoded'], video, frame)
        assert (burnt, named) == (frame, frame)
        assert seconds == pytest.approx(SECONDS[video][frame], abs=1e-5)


@pytest.mark.parametrize('video', SECONDS)
def test_frames_of_a_resampled_corpus(clients, video):
    given = SECONDS[video]
    for frame in [*range(int(given[-1] * RATE) - 1), 7, 3, 12, 0]:
        burnt, named, seconds = get_frame(clients['resampled'], video, frame)
        assert named == frame
        assert seconds == pytest.approx(frame / RATE, abs=1e-5)
        # as prepare resamples: the last frame that is nearer to this tick than to the next one
        assert burnt == np.flatnonzero(given < (frame + 0.5) / RATE - 1e-6)[-1]


def test_a_smaller_frame_is_the_same_frame(clients):
    assert get_frame(clients['decoded'], 'bframes', 41, '?height=90')[:2] == (41, 41)


def test_the_athletes_of_a_file_share_its_frames(clients):
    assert {get_frame(clients['decoded'], name, 33)[0] for name in ('front__match', 'back__match')} == {33}


@pytest.mark.parametrize('frame', [FRAMES, 10**9, -1, 'x'])
def test_frames_outside_are_refused(clients, frame):
    answer = clients['decoded'].get(f'/api/videos/bframes/frames/{frame}')
    assert 400 <= answer.status_code < 500
