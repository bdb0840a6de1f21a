"""Reruns of build_corpus with other or changed boxes, rules and poses; links as videos."""

import base64
import json
import os
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from media import FRAMES, build_corpus, corpus_content, make_video, write_boxes, write_poses

from vpd_mm.athlete import FlowEstimator, VideoReader
from vpd_mm.corpus import Corpus, CropStore, CropWriter, FeatureStore, VideoInfo
from vpd_mm.corpus.consistency import changed_inputs, orphans
from vpd_mm.errors import UserError
from vpd_mm.features.pose_features import joint_features
from vpd_mm.prepare import video_preparer
from vpd_mm.prepare.inspector import inspect_corpus
from vpd_mm.prepare.models import Models
from vpd_mm.prepare.options import PrepareSettings
from vpd_mm.prepare.sources import Job, Sources, find_videos
from vpd_mm.structures import AthleteTrack, PoseSequence
from vpd_mm.structures.npz_io import read_source


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
        with pytest.raises(UserError, match=r"first jump\) with files made of {'boxes': '.*/boxes'}.*omit --boxes"):
            build_corpus(inputs, tmp_path / 'c', boxes=boxes)
    with pytest.raises(UserError, match='omit --boxes'):
        build_corpus(inputs[:1], tmp_path / 'c', boxes='mmdet:rtmdet-m', tracker={'motion': 3})
    # a video without a track may take them; tracks of several sources are kept where none is named
    build_corpus(inputs[1:], tmp_path / 'c', boxes=other)
    with pytest.raises(UserError, match=r'first dive\) with files made of .*other_boxes'):
        build_corpus(inputs, tmp_path / 'c', boxes=first)
    for _ in range(2):
        report = build_corpus(inputs, tmp_path / 'c', boxes=None, poses=str(tmp_path / 'poses'))
        assert [(r.video, r.tracked, r.decoded, r.posed is not None) for r in report.videos] == [
            ('dive', 5, 0, True),
            ('jump', 8, 0, True),
        ]
    report = build_corpus(inputs, tmp_path / 'c', boxes=first, overwrite=True)
    assert [(r.video, r.tracked, r.crops, r.decoded) for r in report.videos] == [('dive', 8, 8, 12), ('jump', 8, 8, 0)]
    for folder in ('tracks', 'crops'):
        shutil.rmtree(tmp_path / 'c' / 'athlete' / folder)
    assert [r.tracked for r in build_corpus(inputs, tmp_path / 'c', boxes=other).videos] == [5, 5]


def test_a_corpus_of_unknown_origin_is_accepted(tmp_path, inputs):
    """Older versions and other tools record no source; crops that do not fit the track are noted."""
    build_corpus(inputs[:1], tmp_path / 'c', boxes=str(tmp_path / 'boxes'))
    corpus = Corpus.open(tmp_path / 'c')
    assert read_source(corpus.track_path('jump'))['boxes'] == str(tmp_path / 'boxes')
    corpus.track('jump').save(corpus.track_path('jump'))
    for boxes in (None, 'full', str(tmp_path / 'other_boxes')):
        [report] = build_corpus(inputs[:1], tmp_path / 'c', boxes=boxes, poses=str(tmp_path / 'poses')).videos
        assert (report.tracked, report.posed, report.failures, report.notes) == (8, 6, [], [])
    assert read_source(corpus.track_path('jump')) is None
    shard = corpus.crops_dir / 'shard-000-00.lmdb'
    shard.unlink()
    with CropWriter(shard) as writer, writer.video('jump', 128, FlowEstimator('dis').settings) as crops:
        crops.add(3, (0, 0, 48), np.zeros((128, 128, 3), np.uint8), np.zeros((128, 128, 2), np.float32))
    [report] = build_corpus(inputs[:1], tmp_path / 'c').videos
    assert (report.crops, report.tracked, report.decoded) == (1, 8, 0)
    assert report.notes == [
        '! its 1 crops are not of the 8 frames with a box (first difference: frame 2); pass --redo jump'
    ]


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


@pytest.mark.parametrize('at', ['VideoReader', 'with_previous'])
def test_a_video_that_is_replaced_meanwhile_is_refused_even_if_it_is_put_back(tmp_path, inputs, monkeypatch, at):
    video, aside, other = inputs[0], tmp_path / 'aside.mp4', make_video(tmp_path / 'other.mp4', FRAMES - 2)
    call = getattr(video_preparer, at)

    def swap_and_call(*args):  # before the file is opened, or between its scan and its decoding
        video.rename(aside)
        os.link(other, video)
        return call(*args)

    monkeypatch.setattr(video_preparer, at, swap_and_call)
    ((name, problem),) = build_corpus([video], tmp_path / 'c').failures
    assert name == 'jump'
    assert problem.endswith('; run the same command again')
    monkeypatch.undo()
    aside.rename(video)
    assert build_corpus([video], tmp_path / 'c').failures == []
    build_corpus([video], tmp_path / 'whole')
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')


def test_a_video_of_the_same_content_is_no_other_one(tmp_path, inputs, monkeypatch):
    """A copy is another file, and some network file systems give a file another inode from time to time."""

    def copy_and_open(path, *args):
        shutil.copy(path, tmp_path / 'copy.mp4')
        os.replace(tmp_path / 'copy.mp4', path)
        return VideoReader(path, *args)

    monkeypatch.setattr(video_preparer, 'VideoReader', copy_and_open)
    assert build_corpus(inputs[:1], tmp_path / 'c').failures == []


@pytest.mark.parametrize('reader', ['find_tracks', 'read_poses', 'read_masks'])
def test_boxes_poses_and_masks_that_are_replaced_while_they_are_read_are_stale(tmp_path, inputs, monkeypatch, reader):
    read, options = getattr(video_preparer, reader), {k: str(tmp_path / k) for k in ('boxes', 'poses')}
    replace_file = {
        'find_tracks': lambda: write_boxes(tmp_path / 'boxes', 'jump', range(3, 8)),
        'read_poses': lambda: write_poses(tmp_path / 'poses', 'jump', range(3, 5)),
        'read_masks': lambda: _mask(tmp_path / 'boxes', 'jump', 20),
    }[reader]

    def read_and_replace(*args):
        content = read(*args)
        replace_file()
        return content

    _mask(tmp_path / 'boxes', 'jump')
    monkeypatch.setattr(video_preparer, reader, read_and_replace)
    build_corpus(inputs[:1], tmp_path / 'c', **options)
    monkeypatch.undo()
    build_corpus(inputs[:1], tmp_path / 'c', **options)
    build_corpus(inputs[:1], tmp_path / 'whole', **options)
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')


def _mask(folder, name, height=30):
    png = base64.b64encode(cv2.imencode('.png', np.full((height, 20), 255, np.uint8))[1]).decode()
    masks = [[i, [[0.9, [30, 8, 20, height], png]]] for i in range(2, 10)]
    (folder / name / 'mask.json').write_text(json.dumps(masks))


def _same_size_and_time(path):
    """Change one byte of a video in a free box behind the frames."""
    before, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _all_boxes(corpus, name):
    boxes = np.tile(np.float32([[30, 8, 50, 38]]), (FRAMES, 1))
    AthleteTrack(np.arange(FRAMES), boxes, np.ones(FRAMES, np.float32)).save(corpus.track_path(name))


def test_whatever_has_changed_is_made_again(tmp_path, inputs):
    """Changes of inputs, and files of the corpus that were removed, edited or left by a run that was killed."""
    videos, corpus_dir = tmp_path / 'videos', tmp_path / 'c'
    arguments = {'boxes': str(tmp_path / 'boxes'), 'poses': str(tmp_path / 'poses')}
    build_corpus([videos], corpus_dir, **arguments)
    corpus, whole = Corpus.open(corpus_dir), {'jump': (12, 8, 8, 6, 0), 'dive': (12, 8, 8, 6, 0)}
    shard = corpus.crops_dir / 'shard-000-00.lmdb'
    jump = videos / 'jump.mp4'
    for what, change, expected in [
        ('nothing', lambda: None, {}),
        ('times', lambda: os.utime(jump), {}),
        ('video', lambda: make_video(jump, 20), {'jump': (20, 8, 8, 6, 20)}),
        ('shorter video', lambda: make_video(jump, FRAMES), {'jump': (12, 8, 8, 6, 12)}),
        ('one byte', lambda: _same_size_and_time(jump), {'jump': (12, 8, 8, 6, 12)}),
        ('masks', lambda: _mask(tmp_path / 'boxes', 'jump'), {'jump': (12, 8, 8, 6, 12)}),
        ('track removed', lambda: corpus.track_path('jump').unlink(), {'jump': (12, 8, 8, 6, 12)}),
        ('poses removed', lambda: corpus.pose_path('files', 'jump').unlink(), {}),
        ('crops removed', shard.unlink, {'jump': (12, 8, 8, 6, 12), 'dive': (12, 8, 8, 6, 12)}),
        ('row removed', lambda: corpus.remove_videos(['jump']), {'jump': (12, 8, 8, 6, 12)}),
        ('track edited', lambda: _all_boxes(corpus, 'jump'), {'jump': (12, 12, 12, 6, 12)}),
    ]:
        change()
        for numbers in (whole | expected, {name: (*counts[:4], 0) for name, counts in (whole | expected).items()}):
            report = build_corpus([videos], corpus_dir, **arguments)
            found = {r.video: (r.num_frames, r.tracked, r.crops, r.posed, r.decoded) for r in report.videos}
            assert (found, report.failures) == (numbers, []), what
        assert {name: row.num_frames for name, row in corpus.videos().items()} == {n: c[0] for n, c in found.items()}
        if what == 'masks':
            assert CropStore(corpus.crops_dir).mask('jump', 5).any()
    # a video that is replaced is made again with its own boxes only
    make_video(jump, 20)
    with pytest.raises(UserError, match=r'tracks/jump\.npz: was edited for a former .*jump\.mp4; delete it'):
        build_corpus([videos], corpus_dir, **arguments)
    report = build_corpus([videos], corpus_dir, **arguments, overwrite=True)
    assert [(r.video, r.num_frames, r.crops) for r in report.videos] == [('dive', 12, 8), ('jump', 20, 8)]
    make_video(jump, FRAMES)
    with pytest.raises(UserError, match=r"made of {'boxes': .*boxes'} \(video changed since\).*pass their --boxes"):
        build_corpus([videos], corpus_dir, boxes=None)
    assert [r.decoded for r in build_corpus([videos / 'dive.mp4'], corpus_dir, boxes=None).videos] == [0]
    # poses that are kept where none are named are checked too
    write_boxes(tmp_path / 'boxes', 'dive', range(3, 6))
    with pytest.raises(UserError, match=r"first dive\) with files made of {'poses': .*pass their --poses"):
        build_corpus([videos / 'dive.mp4'], corpus_dir, boxes=arguments['boxes'], poses=None)


def test_poses_edited_by_hand_outlive_their_track(tmp_path, inputs):
    run = dict(poses=str(tmp_path / 'poses'))
    build_corpus(inputs[:1], tmp_path / 'c', boxes=str(tmp_path / 'boxes'), **run)
    path = Corpus.open(tmp_path / 'c').pose_path('files', 'jump')
    PoseSequence.load(path).save(path)  # without the record of prepare
    edited = path.read_bytes()
    build_corpus(inputs[:1], tmp_path / 'c', boxes=str(tmp_path / 'other_boxes'), overwrite=True, **run)
    assert path.read_bytes() == edited


def test_poses_whose_file_is_gone_are_kept_and_reported(tmp_path, inputs):
    run = dict(boxes=str(tmp_path / 'boxes'), poses=str(tmp_path / 'poses'))
    for notes in ([], [f'poses kept, although {run["poses"]} has no file of them any more']):
        report = {r.video: r for r in build_corpus(inputs, tmp_path / 'c', **run).videos}
        assert (report['jump'].notes, report['jump'].posed, report['dive'].notes) == (notes, 6, [])
        for path in (tmp_path / 'poses').rglob('*jump*'):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


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
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(
        UserError, match='boxes, masks or track of jump have changed; prepare it once in a single process'
    ):
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
    with pytest.raises(UserError, match=r"first jump\) with files made of {'boxes': '.*/boxes'}"):
        build_corpus(inputs, tmp_path / 'c', **moved)
    assert [r.decoded for r in build_corpus(inputs, tmp_path / 'c', **moved, overwrite=True).videos] == [0, FRAMES]


def test_models_are_identified_by_rules_and_content(tmp_path):
    corpus, job = Corpus.create(tmp_path / 'c'), Job(tmp_path / 'jump.mp4', digest='1')

    def source(config, weights, **rules):
        for name, text in ((config, config[2:]), (f'{weights}.pth', weights)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        boxes = f'mmdet:{tmp_path / config}:{tmp_path / weights}.pth'
        return Sources(corpus, PrepareSettings(corpus.root, boxes, 'none', tracker=rules)).track(job)

    made_of = source('a/x.py', 'w', motion=3)
    assert made_of['boxes'].startswith('mmdet:x.py:')
    assert made_of['track'] == {'motion': 3}
    assert source('b/x.py', 'w', motion=3) == made_of, 'the same content in another folder'
    others = [source('a/y.py', 'w', motion=3), source('a/x.py', 'v', motion=3), source('a/x.py', 'w')]
    assert len({source['inputs']['boxes'] for source in (made_of, *others)}) == 4


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


def test_what_inspect_drew_into_a_corpus_beside_the_videos_is_no_video(tmp_path):
    own = make_video(tmp_path / 'inspect' / 'own.mp4', 2)  # of a folder that is no corpus
    Corpus.create(tmp_path / 'corpus')
    make_video(tmp_path / 'corpus' / 'inspect' / 'drawn.mp4', 2)
    assert find_videos([tmp_path]) == [own]


def test_redo_makes_named_videos_again(tmp_path, inputs):
    run = dict(boxes=str(tmp_path / 'boxes'), poses=str(tmp_path / 'poses'))
    build_corpus(inputs, tmp_path / 'c', **run)
    corpus = Corpus.open(tmp_path / 'c')
    joint_features(corpus, 'files')
    before = corpus_content(tmp_path / 'c')
    for name in ('jump', 'jump.mp4', os.path.relpath(inputs[0])):
        report = build_corpus(inputs, tmp_path / 'c', **run, redo=[name])
        assert [(r.video, r.decoded, r.tracked, r.crops, r.posed) for r in report.videos] == [
            ('dive', 0, 8, 8, 6),
            ('jump', FRAMES, 8, 8, 6),
        ]
    assert corpus_content(tmp_path / 'c') == before
    assert changed_inputs(corpus, ['jump', 'dive']) == [], 'the same content'
    corpus.record_failures([], {'jump': 'failed before'})
    other = dict(boxes='full', poses=str(tmp_path / 'other_poses'))
    report = build_corpus(inputs[:1], tmp_path / 'c', **other, redo=['jump'])  # named, so without --overwrite
    assert [(r.tracked, r.crops, r.posed) for r in report.videos] == [(FRAMES, FRAMES, 2)]
    assert corpus.failures() == {}
    [stale] = changed_inputs(corpus, ['jump', 'dive'])
    assert stale.startswith(f'{corpus.root}/teacher/joints/jump.npz: athlete/poses/files/jump.npz has changed since')
    with pytest.raises(UserError, match=r"made of {'boxes': 'full'}; requested: .*pass their --boxes and --track"):
        build_corpus(inputs[:1], tmp_path / 'c', boxes=None, poses='none', redo=['jump'])
    with pytest.raises(UserError, match=r'--redo jmp: no such video among the files of this command; jump'):
        build_corpus(inputs, tmp_path / 'c', **run, redo=['jmp'])


def test_tracks_without_a_record_are_kept_unless_overwritten(tmp_path, inputs):
    build_corpus(inputs[:1], tmp_path / 'c')
    corpus = Corpus.open(tmp_path / 'c')
    corpus.track('jump').save(corpus.track_path('jump'))
    for again, tracked in (({}, FRAMES), ({'overwrite': True}, 8)):
        [report] = build_corpus(inputs[:1], tmp_path / 'c', boxes=str(tmp_path / 'boxes'), **again).videos
        assert (report.tracked, report.crops) == (tracked, tracked)


def test_only_options_that_wrote_a_file_are_recorded(tmp_path, inputs):
    empty = tmp_path / 'empty'
    for name in ('jump', 'dive'):
        write_boxes(empty, name, [])
    for _ in range(3):
        report = build_corpus(inputs, tmp_path / 'c', boxes=str(empty), size=64)
        assert len(report.failures) == 2
    corpus = Corpus.open(tmp_path / 'c')
    assert corpus.recipe is None
    assert sorted(corpus.failures()) == ['dive', 'jump']
    build_corpus(inputs, tmp_path / 'c')
    assert (corpus.recipe['boxes'], corpus.recipe['size'], corpus.failures()) == ('full', 128, {})
    recipe = corpus.recipe
    build_corpus([make_video(tmp_path / 'new.mp4')], tmp_path / 'c', boxes=str(empty), flow='farneback')
    assert corpus.recipe == recipe


def test_a_run_that_was_killed_before_it_recorded_its_options_is_recorded_by_the_next(tmp_path, inputs):
    weights = tmp_path / 'weights.pth'
    options = dict(boxes=str(tmp_path / 'boxes'), size=64, flow='farneback')
    build_corpus(inputs, tmp_path / 'c', **options)
    corpus = Corpus.open(tmp_path / 'c')
    recipe, path = corpus.recipe, corpus.root / 'corpus.json'
    for former in (None, {**recipe, 'boxes': 'full', 'boxes_weights': [str(weights), 'a' * 64]}):
        path.write_text(json.dumps({**json.loads(path.read_text()), 'recipe': former}))
        assert all(report.decoded == 0 for report in build_corpus(inputs, tmp_path / 'c', **options).videos)
        assert corpus.recipe == recipe


def test_files_of_videos_that_are_no_longer_listed_are_named(tmp_path, inputs):
    run = dict(boxes=str(tmp_path / 'boxes'), poses=str(tmp_path / 'poses'))
    build_corpus(inputs[:1], tmp_path / 'c', **run)
    corpus = Corpus.open(tmp_path / 'c')
    joint_features(corpus, 'files')
    assert orphans(corpus) == []
    shutil.rmtree(tmp_path / 'boxes' / 'jump')
    write_boxes(tmp_path / 'boxes', 'front__jump', range(4))
    build_corpus(inputs[:1], tmp_path / 'c', **(run | {'poses': 'none'}))
    assert [path.relative_to(corpus.root).as_posix() for path in orphans(corpus)] == [
        'athlete/poses/files/jump.npz',
        'teacher/joints/jump.npz',
    ]


def test_a_video_that_is_left_out_is_passed_over_until_it_is_taken_back(tmp_path, inputs):
    run = dict(poses=str(tmp_path / 'poses'))
    build_corpus(inputs, tmp_path / 'c', **run)
    corpus = Corpus.open(tmp_path / 'c')
    joint_features(corpus, 'files')
    corpus.record_failures([], {'lost': 'no person found'})
    assert corpus.leave_out(['jump', 'lost']) == {'jump', 'lost'}
    make_video(inputs[0], 20)
    assert [r.video for r in build_corpus(inputs, tmp_path / 'c', **run).videos] == ['dive']
    features, crops = FeatureStore(corpus.teacher_dir('joints')), CropStore(corpus.crops_dir)
    assert features.videos() == crops.videos() == ['dive']
    with pytest.raises(UserError, match="no video 'jmp'; jump"):
        corpus.leave_out(['jmp'])
    with pytest.raises(UserError, match="no video is left out as 'dive'"):
        corpus.leave_out(['dive'], undo=True)
    assert [r.video for r in inspect_corpus(corpus.root).videos] == ['dive', 'jump', 'lost']
    report = build_corpus(inputs, tmp_path / 'c', **run, redo=['jump'])
    assert [(r.video, r.tracked) for r in report.videos] == [('dive', FRAMES), ('jump', 20)]
    assert corpus.leave_out(['lost'], undo=True) == set()
    assert not corpus.left_out_path.exists()
    assert CropStore(corpus.crops_dir).videos() == ['dive', 'jump']
