"""prepare without options: models of a zoo on loopback, whose files are the packed detector and teacher."""

import hashlib
import time
from pathlib import Path

import pytest
from inference_files import walking_video
from media import FRAMES, make_video, write_boxes, write_poses
from zoo_server import serve

from vpd_mm.corpus import Corpus
from vpd_mm.engine import model_zoo
from vpd_mm.errors import UserError
from vpd_mm.prepare import build_corpus
from vpd_mm.prepare.models import fetch_models
from vpd_mm.prepare.options import DEFAULT_BOXES, DEFAULT_POSES, PrepareSettings
from vpd_mm.synthetic.checkpoints import packed_model

#: The packed detector scores lower than RTMDet.
EASY = {'high_score': 0.4}


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A server of the packed models, which the lists of mmdet and mmpose name as the default ones."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    files, listed = {}, {}
    for package, kind, name in (
        ('mmdet', 'detector', 'rtmdet-m'),
        ('mmpose', 'teacher', model_zoo.SHORT_NAMES['rtmpose-m']),
    ):
        config, checkpoint = packed_model(kind)
        content = Path(checkpoint).read_bytes()
        file = f'{kind}-{hashlib.sha256(content).hexdigest()[:8]}.pth'
        files[file], listed[package] = content, (name, Path(config), file)
    carried = model_zoo._find_config
    monkeypatch.setattr(model_zoo, '_find_config', lambda p, name: None if name.startswith('rtm') else carried(p, name))
    with serve(files) as server:
        zoo_models = {p: [([name], config, server.url(file))] for p, (name, config, file) in listed.items()}
        monkeypatch.setattr(model_zoo, '_zoo_models', zoo_models.get)
        yield server


@pytest.fixture(scope='module')
def walk(tmp_path_factory):
    frames = walking_video()
    size = frames.shape[2], frames.shape[1]
    path = tmp_path_factory.mktemp('walk') / 'walk.mp4'
    return make_video(path, len(frames), size, options={'crf': '10'}, picture=frames.__getitem__)


def test_new_videos_get_the_models_of_the_zoo(zoo, walk, tmp_path):
    [report] = build_corpus([walk], tmp_path / 'c', tracker=EASY).videos
    assert report.failures == []
    assert min(report.tracked, report.posed) >= 10
    assert zoo.requests == ['', '']
    corpus = Corpus.open(tmp_path / 'c')
    assert corpus.pose_names() == [PrepareSettings(tmp_path).pose_set] == ['rtmpose-m']
    # what is there is kept, and what was downloaded is used again
    assert [r.decoded for r in build_corpus([walk], tmp_path / 'c').videos] == [0]
    zoo.files.clear()
    fetch_models(DEFAULT_BOXES, DEFAULT_POSES)
    assert zoo.requests == ['', '']
    # a damaged copy is noticed before any work
    for path in (tmp_path / 'cache' / 'hub' / 'checkpoints').glob('teacher-*.pth'):
        path.write_bytes(b'half')
    with pytest.raises(UserError, match='HTTP 404'):
        build_corpus([walk], tmp_path / 'e')
    assert not (tmp_path / 'e').exists()


@pytest.mark.parametrize(
    ('options', 'missing'),
    [
        ({}, 'mmdet model rtmdet-m'),
        ({'poses': 'none'}, 'mmdet model rtmdet-m'),
        ({'boxes': 'full'}, 'mmpose model rtm'),
    ],
)
@pytest.mark.parametrize('problem', ['404', 'page', 'hash', 'no answer'])
def test_without_weights_one_line_names_the_choices_and_nothing_is_written(
    zoo, tmp_path, monkeypatch, options, missing, problem
):
    monkeypatch.setattr('vpd_mm.files.download.CONNECT_SEC', 0.2)
    zoo.kind = 'text/html' if problem == 'page' else zoo.kind
    zoo.wait = 0.5 if problem == 'no answer' else 0
    if problem in ('404', 'hash'):
        zoo.files = dict.fromkeys(zoo.files, b'other') if problem == 'hash' else {}
    video = make_video(tmp_path / 'jump.mp4', 2)
    start = time.monotonic()
    with pytest.raises(UserError) as error:
        build_corpus([video], tmp_path / 'c', **options)
    assert time.monotonic() - start < 10
    message = str(error.value)
    assert message.startswith(f'{missing}')
    assert ': cannot download http://127.0.0.1' in message
    assert message.endswith('--boxes mediapipe --poses mediapipe, or folders of boxes and poses')
    assert '\n' not in message
    assert not (tmp_path / 'c').exists()


def test_tracks_and_poses_are_kept_without_a_network(zoo, tmp_path):
    zoo.files.clear()
    videos = [make_video(tmp_path / f'{name}.mp4', FRAMES) for name in ('a', 'b')]
    for name in ('a', 'b'):
        write_boxes(tmp_path / 'boxes', name)
        write_poses(tmp_path / 'poses', name)
    given = {'boxes': str(tmp_path / 'boxes'), 'poses': str(tmp_path / 'poses')}
    build_corpus(videos[:1], tmp_path / 'c', **given, pose_name='mine')
    for options in ({}, {'boxes': given['boxes']}):
        [report] = build_corpus(videos[:1], tmp_path / 'c', **options).videos
        assert (report.decoded, report.tracked, report.posed) == (0, 8, 6)
    # a new video needs what it has not; the one before it keeps its poses, and gets no others
    with pytest.raises(UserError, match=r'mmdet model rtmdet-m: cannot download'):
        build_corpus(videos, tmp_path / 'c')
    with pytest.raises(UserError, match=r'mmpose model rtmpose-m: cannot download'):
        build_corpus(videos, tmp_path / 'c', boxes=given['boxes'])
    reports = build_corpus(videos, tmp_path / 'c', boxes=given['boxes'], poses='none').videos
    assert [(r.video, r.decoded, r.posed) for r in reports] == [('a', 0, None), ('b', FRAMES, None)]
    assert Corpus.open(tmp_path / 'c').pose_names() == ['mine']


def test_poses_by_default_for_the_videos_without(zoo, walk, tmp_path):
    build_corpus([walk], tmp_path / 'c', poses='none', tracker=EASY)
    other = make_video(tmp_path / 'other.mp4', FRAMES)
    build_corpus([other], tmp_path / 'c', boxes='full', poses=str(write_poses(tmp_path / 'poses', 'other')))
    reports = {r.video: r for r in build_corpus([walk, other], tmp_path / 'c').videos}
    assert [reports[name].decoded > 0 for name in ('walk', 'other')] == [True, False]
    corpus = Corpus.open(tmp_path / 'c')
    posed = {name: [path.stem for path in corpus.poses_dir(name).glob('*.npz')] for name in corpus.pose_names()}
    assert posed == {'files': ['other'], 'rtmpose-m': ['walk']}
