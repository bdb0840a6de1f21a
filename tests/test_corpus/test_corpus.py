"""Corpus, videos.csv, locks, FeatureStore."""

import json
import subprocess
import sys

import numpy as np
import pytest

from vpd_mm.corpus import Corpus, CropWriter, FeatureStore, VideoInfo
from vpd_mm.engine.locks import file_lock
from vpd_mm.errors import UserError
from vpd_mm.structures import FeatureSequence


def _info(video='jump', **changes):
    return VideoInfo(**{'video': video, 'path': '', 'fps': 25.0, 'num_frames': 9, 'width': 64, 'height': 48, **changes})


def test_create_then_open(tmp_path):
    made = Corpus.create(tmp_path / 'jumps', sport='diving', fps=25)
    assert Corpus.open(tmp_path / 'jumps') == made
    assert (made.name, made.sport, made.fps) == ('jumps', 'diving', 25)
    assert Corpus.create(tmp_path / 'jumps', fps=25) == made
    with pytest.raises(UserError, match='fps is 25'):
        Corpus.create(tmp_path / 'jumps')


def test_paths_are_those_of_the_layout(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    paths = [
        corpus.videos_path,
        corpus.track_path('v'),
        corpus.crops_dir,
        corpus.pose_path('files', 'v'),
        corpus.teacher_dir('2d'),
        corpus.features_dir('run'),
        corpus.actions_path,
        corpus.classes_path,
        corpus.fewshot_path(8, 1),
    ]
    assert [str(p.relative_to(corpus.root)) for p in paths] == [
        'videos.csv',
        'athlete/tracks/v.npz',
        'athlete/crops',
        'athlete/poses/files/v.npz',
        'teacher/2d',
        'features/run',
        'annotations/actions.csv',
        'annotations/classes.txt',
        'annotations/fewshot/8_1.txt',
    ]
    with pytest.raises(UserError, match='run name'):
        corpus.features_dir('../elsewhere')


def test_refuses_other_folders_and_files(tmp_path):
    (tmp_path / 'photo.jpg').touch()
    with pytest.raises(UserError, match='not empty and no corpus'):
        Corpus.create(tmp_path)
    with pytest.raises(UserError, match='is a file'):
        Corpus.create(tmp_path / 'photo.jpg')
    with pytest.raises(UserError, match=r'corpus\.json: no such file'):
        Corpus.open(tmp_path)


def test_another_rank_creates_the_corpus_at_the_same_time(tmp_path, monkeypatch):
    glob = type(tmp_path).glob

    def racing(folder, pattern):
        monkeypatch.undo()
        Corpus.create(folder, 'other', 'diving')
        return glob(folder, pattern)

    monkeypatch.setattr(type(tmp_path), 'glob', racing)
    assert Corpus.create(tmp_path, 'mine') == Corpus(tmp_path, 'other', 'diving')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"layout_version": 2, "name": "a"}', 'layout_version is 2, this vpd_mm knows 1'),
        ('{"name": "a"}', 'layout_version is None'),
        ('{"layout_version": 1, "na', 'not JSON'),
        ('[]', 'layout_version is None'),
        ('{"layout_version": 1, "name": 3}', 'name, sport and dataset must be text'),
        ('{"layout_version": 1, "name": "a", "fps": -1}', 'fps must be null or above 0'),
    ],
)
def test_damaged_or_unknown_corpus_json(tmp_path, text, message):
    (tmp_path / 'corpus.json').write_text(text)
    with pytest.raises(UserError) as caught:
        Corpus.open(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / 'corpus.json'))


def test_videos_round_trip_and_replace(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    assert corpus.videos() == {}
    odd = _info('b', path='/videos/one, "two".mp4', fps=30000 / 1001)
    corpus.add_videos([odd, _info('a')])
    corpus.add_videos([_info('a', num_frames=7)])
    assert list(corpus.videos()) == ['a', 'b']
    assert corpus.video('b') == odd
    assert corpus.video('a').num_frames == 7
    with pytest.raises(UserError, match="no video 'x'"):
        corpus.video('x')
    corpus.remove_videos(['b', 'x'])
    assert list(corpus.videos()) == ['a']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('25.0', 'fast'), "fps must be a number, found 'fast'"),
        (('25.0', 'nan'), 'fps must be above 0'),
        (('25.0', '1e308'), 'fps must be above 0'),
        ((',9,', f',{10**17},'), 'num_frames must be 1 to 100000000'),
        ((',9,', f',{10**400},'), 'num_frames must be a whole number'),
        ((',64,', ',999999,'), 'width must be 1 to 100000'),
        ((',9,', ',0,'), 'num_frames must be 1 to 100000000, found 0'),
        ((',48', ''), 'needs 6 values'),
        (('jump', 'ju/mp'), 'video name'),
        (('video,path', 'name,path'), 'header must be'),
    ],
)
def test_damaged_videos_csv_names_the_line(tmp_path, change, message):
    corpus = Corpus.create(tmp_path / 'c')
    corpus.add_videos([_info()])
    text = corpus.videos_path.read_text()
    assert change[0] in text
    corpus.videos_path.write_text(text.replace(*change))
    with pytest.raises(UserError) as caught:
        corpus.videos()
    assert message in str(caught.value)
    assert str(corpus.videos_path) in str(caught.value)


@pytest.mark.parametrize('name', ['', '.hidden', 'a,b', 'a/b', 'a"b', 'a\nb', 'é' * 101])
def test_invalid_video_names(name):
    with pytest.raises(UserError, match='video name'):
        _info(name)


def test_a_corpus_has_one_writer(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    with corpus.lock():
        with pytest.raises(UserError, match=r'another prepare is writing this corpus.*process \d+'), corpus.lock():
            pass
        with pytest.raises(UserError, match='another prepare'), corpus.lock(1, 2):
            pass
    with corpus.lock(0, 2), corpus.lock(1, 2):
        with pytest.raises(UserError, match='another prepare'), corpus.lock(1, 2):
            pass
        with pytest.raises(UserError, match='another prepare'), corpus.lock():
            pass
    with corpus.lock():
        pass


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        'import os, sys, pathlib\nfrom vpd_mm.engine.locks import file_lock\n'
        'with file_lock(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)'
    )
    killed = subprocess.run([sys.executable, '-c', code, tmp_path / 'lock'], check=False)
    assert killed.returncode == -9
    assert (tmp_path / 'lock').exists()
    with file_lock(tmp_path / 'lock'):
        pass


def _sequence(dims=4, views=2):
    return FeatureSequence(np.arange(3), np.full((3, views, dims), 0.5, np.float32), np.ones(3, np.float32))


def test_feature_store(tmp_path):
    for name in ('b', 'a'):
        _sequence().save(tmp_path / f'{name}.npz')
    store = FeatureStore(tmp_path)
    assert store.videos() == list(store) == ['a', 'b']
    assert ('a' in store, 'c' in store, len(store)) == (True, False, 2)
    assert (store.dims, store.num_views) == (4, 2)
    np.testing.assert_array_equal(store['b'].feats, _sequence().feats)
    with pytest.raises(UserError, match=r'c\.npz: no such file'):
        store['c']


@pytest.mark.parametrize('other', [_sequence(dims=5), _sequence(views=1)])
def test_feature_store_refuses_a_mixture(tmp_path, other):
    _sequence().save(tmp_path / 'a.npz')
    other.save(tmp_path / 'b.npz')
    store = FeatureStore(tmp_path)
    assert store['a'].dims == 4
    with pytest.raises(UserError, match=r'b\.npz: has .* a\.npz has 2 of 4'):
        store['b']


def test_feature_store_without_features(tmp_path):
    with pytest.raises(UserError, match='holds no <video>'):
        FeatureStore(tmp_path)
    with pytest.raises(UserError, match='no such folder of features'):
        FeatureStore(tmp_path / 'gone')


def test_corpus_json_fields(tmp_path):
    Corpus.create(tmp_path / 'c', name='n', sport='s')
    fields = json.loads((tmp_path / 'c' / 'corpus.json').read_text())
    assert fields == {'layout_version': 1, 'name': 'n', 'sport': 's', 'fps': None}


def test_videos_csv_of_a_spreadsheet_program(tmp_path):
    corpus = Corpus.create(tmp_path)
    path = corpus.videos_path
    text = 'video,path,fps,num_frames,width,height\r\nkür,,25.0,9,64,48\r\n'
    path.write_bytes(text.encode('utf-8-sig'))
    assert corpus.videos() == {'kür': _info('kür')}
    path.write_bytes(text.encode('cp1252'))
    with pytest.raises(UserError, match=r'videos\.csv: not in UTF-8 \(byte 0xfc\)'):
        corpus.videos()


@pytest.mark.parametrize(
    'entry',
    [
        *('.videos.lock', 'athlete', 'athlete/tracks', 'athlete/poses', 'athlete/poses/files', 'athlete/crops'),
        *('athlete/crops/shard-000-00.lmdb', 'teacher', 'teacher/joints', 'features', 'features/vpd', 'annotations'),
        *('annotations/fewshot', 'ground_truth', 'ground_truth/poses'),
    ],
)
def test_a_corpus_with_a_link_is_refused_and_a_link_to_a_corpus_is_not(tmp_path, entry):
    corpus = Corpus.create(tmp_path / 'c')
    mine = tmp_path / 'mine'
    link = corpus.root / entry
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine)
    (tmp_path / 'way').symlink_to(corpus.root)
    for make_mine in (lambda: None, mine.mkdir):  # a link to nothing, then to a folder of the user
        make_mine()
        for open_corpus in (Corpus.open, Corpus.create):
            with pytest.raises(UserError, match=f'{entry}: is a link to .*mine, through which files elsewhere'):
                open_corpus(corpus.root)
    assert not list(mine.iterdir())
    link.unlink()
    assert Corpus.open(tmp_path / 'way').root == tmp_path / 'way'


def test_a_shard_of_elsewhere_is_not_written_through_a_link(tmp_path):
    with CropWriter(tmp_path / 'mine.lmdb') as writer, writer.video('mine', size=8) as video:
        video.add(0, (0, 0, 8), np.zeros((8, 8, 3), np.uint8))
    content = (tmp_path / 'mine.lmdb').read_bytes()
    (tmp_path / 'shard-000.lmdb').symlink_to(tmp_path / 'mine.lmdb')
    with pytest.raises(UserError, match=r'shard-000\.lmdb: is a link to'):
        CropWriter(tmp_path / 'shard-000.lmdb')
    assert (tmp_path / 'mine.lmdb').read_bytes() == content
