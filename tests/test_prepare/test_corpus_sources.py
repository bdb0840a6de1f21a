"""Reruns of build_corpus with other or changed boxes, rules and poses; links as videos."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from media import FRAMES, build_corpus, corpus_content, make_video, write_boxes, write_poses

from vpd_mm.corpus import Corpus, CropStore, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.prepare.models import Models
from vpd_mm.prepare.options import PrepareSettings
from vpd_mm.prepare.sources import Job, find_videos, settle_sources
from vpd_mm.structures import AthleteTrack


@pytest.fixture
def inputs(tmp_path):
    """Two videos; two folders of boxes and of poses for both."""
    videos = [make_video(tmp_path / 'videos' / f'{name}.mp4', FRAMES) for name in ('jump', 'dive')]
    for name in ('jump', 'dive'):
        write_boxes(tmp_path / 'boxes', name)
        write_boxes(tmp_path / 'other_boxes', name, range(5))
        write_poses(tmp_path / 'poses', name)
        write_poses(tmp_path / 'other_poses', name, range(2, 4))
    return videos


def test_other_boxes_are_refused_for_tracked_videos(tmp_path, inputs):
    first, other = str(tmp_path / 'boxes'), str(tmp_path / 'other_boxes')
    build_corpus(inputs[:1], tmp_path / 'c', boxes=first)
    for boxes in (other, 'full'):
        with pytest.raises(UserError, match=r"first jump\) have files made of {'boxes': '.*/boxes'}.*omit --boxes"):
            build_corpus(inputs, tmp_path / 'c', boxes=boxes)
    with pytest.raises(UserError, match='omit --boxes'):
        build_corpus(inputs[:1], tmp_path / 'c', tracker={'max_gap': 3})
    # a video without a track may take them; tracks of either source are kept with either source, or with none
    build_corpus(inputs[1:], tmp_path / 'c', boxes=other)
    for boxes in (first, None):
        report = build_corpus(inputs, tmp_path / 'c', boxes=boxes, poses=str(tmp_path / 'poses'))
        assert [(r.video, r.tracked, r.decoded, r.posed is not None) for r in report.videos] == [
            ('dive', 5, 0, True),
            ('jump', 8, 0, True),
        ]
    # without tracks the recorded sources do not count
    for folder in ('tracks', 'crops'):
        shutil.rmtree(tmp_path / 'c' / 'athlete' / folder)
    assert [r.tracked for r in build_corpus(inputs, tmp_path / 'c', boxes=other).videos] == [5, 5]


def test_a_corpus_of_unknown_origin_is_accepted(tmp_path, inputs):
    """Older versions and other tools record no source."""
    build_corpus(inputs[:1], tmp_path / 'c', boxes=str(tmp_path / 'boxes'))
    note = tmp_path / 'c' / 'athlete' / 'tracks.sources.json'
    [source] = json.loads(note.read_text())
    assert source['boxes'] == str(tmp_path / 'boxes')
    assert list(source['inputs']) == ['jump']
    note.unlink()
    for boxes in (None, 'full', str(tmp_path / 'other_boxes')):
        [report] = build_corpus(inputs[:1], tmp_path / 'c', boxes=boxes, poses=str(tmp_path / 'poses')).videos
        assert (report.tracked, report.posed, report.failures) == (8, 6, [])
    assert not note.exists()


def test_other_poses_are_refused_under_the_same_name(tmp_path, inputs):
    first, other = str(tmp_path / 'poses'), str(tmp_path / 'other_poses')
    build_corpus(inputs[:1], tmp_path / 'c', poses=first)
    with pytest.raises(UserError, match=r"made of {'poses': '.*/poses'}.*pass another --pose-name"):
        build_corpus(inputs, tmp_path / 'c', poses=other)
    report = build_corpus(inputs, tmp_path / 'c', poses=other, pose_name='second')
    assert [r.posed for r in report.videos] == [2, 2]
    assert [r.posed for r in build_corpus(inputs[1:], tmp_path / 'c', poses=other).videos] == [2]
    assert Corpus.open(tmp_path / 'c').pose_names() == ['files', 'second']


def test_changed_boxes_are_prepared_again(tmp_path, inputs):
    boxes, poses = str(tmp_path / 'boxes'), str(tmp_path / 'poses')
    build_corpus(inputs, tmp_path / 'c', boxes=boxes, poses=poses)
    write_boxes(tmp_path / 'boxes', 'jump', range(3, 8))
    report = build_corpus(inputs, tmp_path / 'c', boxes=boxes, poses=poses)
    assert [(r.video, r.decoded, r.crops) for r in report.videos] == [('dive', 0, 8), ('jump', FRAMES, 5)]
    assert [r.decoded for r in build_corpus(inputs, tmp_path / 'c', boxes=boxes, poses=poses).videos] == [0, 0]
    build_corpus(inputs, tmp_path / 'whole', boxes=boxes, poses=poses)
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')


def test_changed_boxes_may_show_other_athletes(tmp_path, inputs):
    boxes = str(tmp_path / 'boxes')
    build_corpus(inputs[:1], tmp_path / 'c', boxes=boxes)
    (tmp_path / 'boxes' / 'jump').rename(tmp_path / 'boxes' / 'front__jump')
    write_boxes(tmp_path / 'boxes', 'back__jump', range(4))
    for decoded in (FRAMES, 0):
        report = build_corpus(inputs[:1], tmp_path / 'c', boxes=boxes)
        assert [(r.video, r.decoded, r.crops) for r in report.videos] == [
            ('back__jump', decoded, 4),
            ('front__jump', decoded, 8),
        ]
    assert list(Corpus.open(tmp_path / 'c').videos()) == ['back__jump', 'front__jump']


def test_ranks_refuse_changed_boxes(tmp_path, inputs, monkeypatch):
    boxes = str(tmp_path / 'boxes')
    build_corpus(inputs, tmp_path / 'c', boxes=boxes)
    write_boxes(tmp_path / 'boxes', 'jump', range(3, 8))
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(UserError, match='boxes of jump have changed; prepare it once in a single process'):
        build_corpus(inputs, tmp_path / 'c', boxes=boxes)


def test_changed_poses_are_read_again(tmp_path, inputs):
    poses = str(tmp_path / 'poses')
    build_corpus(inputs, tmp_path / 'c', poses=poses)
    write_poses(tmp_path / 'poses', 'jump', range(2, 6))
    report = build_corpus(inputs, tmp_path / 'c', poses=poses)
    assert [(r.video, r.decoded, r.posed) for r in report.videos] == [('dive', 0, 6), ('jump', 0, 4)]


def test_the_same_files_in_another_folder_are_the_same_source(tmp_path, inputs):
    build_corpus(inputs, tmp_path / 'c', boxes=str(tmp_path / 'boxes'), poses=str(tmp_path / 'poses'))
    for name in ('boxes', 'poses'):
        (tmp_path / name).rename(tmp_path / f'moved_{name}')
    moved = {'boxes': str(tmp_path / 'moved_boxes'), 'poses': str(tmp_path / 'moved_poses')}
    assert [r.decoded for r in build_corpus(inputs, tmp_path / 'c', **moved).videos] == [0, 0]
    write_boxes(tmp_path / 'moved_boxes', 'jump', range(3, 8))
    assert [r.decoded for r in build_corpus(inputs, tmp_path / 'c', **moved).videos] == [0, FRAMES]


def test_models_are_identified_by_rules_and_checkpoint_content(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    job = Job(tmp_path / 'jump.mp4', (VideoInfo('jump', str(tmp_path / 'jump.mp4'), 25.0, 9, 64, 48),))

    def settle(config, weights, **rules):
        checkpoint = tmp_path / f'{weights}.pth'
        checkpoint.write_text(weights)
        settings = PrepareSettings(corpus.root, f'mmdet:{config}:{checkpoint}', 'none', tracker=rules)
        settle_sources(corpus, settings, [job], boxes_given=True)

    settle('a/x.py', 'w', max_gap=3)
    AthleteTrack(np.arange(1), np.ones((1, 4), np.float32).cumsum(axis=1), np.ones(1, np.float32)).save(
        corpus.track_path('jump')
    )
    settle('b/x.py', 'w', max_gap=3)  # the same file name and weights in another folder
    for config, weights, rules in (
        ('a/y.py', 'w', {'max_gap': 3}),
        ('a/x.py', 'v', {'max_gap': 3}),
        ('a/x.py', 'w', {}),
    ):
        with pytest.raises(UserError, match=r"made of {'boxes': 'mmdet:x.py:.*', 'track': {'max_gap': 3}}"):
            settle(config, weights, **rules)


def test_a_damaged_note_is_named(tmp_path, inputs):
    build_corpus(inputs, tmp_path / 'c')
    (tmp_path / 'c' / 'athlete' / 'tracks.sources.json').write_text('[')
    with pytest.raises(UserError, match=r'tracks\.sources\.json: truncated or not JSON'):
        build_corpus(inputs, tmp_path / 'c', boxes='full')


def test_links_keep_their_names(tmp_path):
    store, videos_dir = tmp_path / 'store', tmp_path / 'videos'
    make_video(store / 'video.mp4', FRAMES).rename(store / '0a1b2c')
    videos_dir.mkdir()
    for name in ('jump', 'dive'):
        (videos_dir / f'{name}.mp4').symlink_to(store / '0a1b2c')
    links = [videos_dir / 'dive.mp4', videos_dir / 'jump.mp4']
    assert find_videos([videos_dir, videos_dir / 'jump.mp4']) == links
    build_corpus([videos_dir], tmp_path / 'c')
    videos = Corpus.open(tmp_path / 'c').videos()
    assert {name: row.path for name, row in videos.items()} == {path.stem: str(path) for path in links}
    assert [r.decoded for r in build_corpus([videos_dir], tmp_path / 'c').videos] == [0, 0]
    # the same files through a linked folder are the same videos
    (tmp_path / 'way').symlink_to(videos_dir)
    assert [r.decoded for r in build_corpus([tmp_path / 'way'], tmp_path / 'c').videos] == [0, 0]
    assert find_videos([videos_dir, tmp_path / 'way']) == links


def test_an_empty_track_gives_a_video_without_crops(tmp_path, inputs):
    corpus = Corpus.create(tmp_path / 'c')
    none = np.zeros(0)
    AthleteTrack(none.astype(np.int64), np.zeros((0, 4), np.float32), none.astype(np.float32)).save(
        corpus.track_path('jump')
    )
    corpus.add_videos([VideoInfo('jump', str(inputs[0]), 25.0, FRAMES, 64, 48)])
    [report] = build_corpus(inputs[:1], tmp_path / 'c').videos
    assert (report.failures, report.crops, report.decoded) == ([], 0, FRAMES)
    assert len(CropStore(corpus.crops_dir).header('jump')) == 0


@pytest.mark.parametrize(('device', 'expected'), [('cpu', 'cpu'), ('auto', 'cuda:1')])
def test_flow_runs_on_the_device_of_the_rank(tmp_path, monkeypatch, device, expected):
    import torch

    devices = []
    network = SimpleNamespace(eval=lambda: SimpleNamespace(to=devices.append))
    monkeypatch.setattr('vpd_mm.athlete.flow._raft_model', lambda checkpoint: network)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    for name, value in (('RANK', '3'), ('WORLD_SIZE', '4'), ('LOCAL_RANK', '3')):
        monkeypatch.setenv(name, value)
    assert Models(PrepareSettings(tmp_path, flow='raft', device=device)).flow.method == 'raft'
    assert devices == [expected]
