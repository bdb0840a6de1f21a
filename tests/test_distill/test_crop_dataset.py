import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_corpus import make_tiny
from torch.utils.data import DataLoader

from vpd_mm.corpus import SPORTS, Corpus, CropWriter, FeatureStore, VideoInfo
from vpd_mm.corpus.shard import ENVIRONMENTS, header_key, read_stored, read_value
from vpd_mm.distill import BackgroundNoise, ChiralFlip, CropDataset, ResizedCrop
from vpd_mm.distill.crop_dataset import videos_of_splits
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.importers.fsjump6 import read_fsjump6
from vpd_mm.importers.tennis7 import read_tennis7
from vpd_mm.registry import DATASETS
from vpd_mm.structures import Action, FeatureSequence, PoseSequence, load_actions, rows_of, save_actions
from vpd_mm.teacher import JointFeature

CONFIG = Path(__file__).resolve().parents[2] / 'configs/distill/resnet34_2d-vpd_1000e.py'


def make(corpus, **kwargs):
    return CropDataset(corpus.root, 'joints', [lambda sample: sample], **kwargs)


def at(data, *key):
    return next(s for s in map(data.__getitem__, range(len(data))) if (s['video'], s['frame']) == key)


def frames(data):
    return {(data[i]['video'], data[i]['frame']) for i in range(len(data))}


def test_gate_requires_confidence_and_a_previous_pose(corpus):
    seen = {f for v, f in frames(make(corpus, subset='all')) if v == 'a'}
    assert seen == {f for f in range(1, 60) if f % 5 and f not in (7, 8)}  # 7 has no pose; 0, 5, .. are below the gate
    still = {f for v, f in frames(make(corpus, subset='all', motion=False)) if v == 'a'}
    assert still == seen | {8}
    assert len(make(corpus, subset='all', min_score=0.1)) > len(make(corpus, subset='all'))


def test_pose_without_a_previous_pose_has_no_motion_target(corpus):
    data = make(corpus, subset='all', require_previous_pose=False)
    assert frames(data) == frames(make(corpus, subset='all', motion=False))
    first = at(data, 'a', 8)
    assert np.isfinite(first['targets'][:, :26]).all()
    assert np.isnan(first['targets'][:, 26:]).all()


def test_no_motion_target_across_a_cut(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    with CropWriter(root / 'athlete' / 'crops' / 'shard-000.lmdb') as writer:
        writer.remove('b')
        with writer.video('b', size=32) as video:
            for frame in range(30):
                video.add(frame, (0, 0, 32), np.zeros((32, 32, 3), np.uint8), start=frame in (0, 12))
    before, after = (
        {motion: frames(CropDataset(r, 'joints', [dict], subset='all', motion=motion)) for motion in (True, False)}
        for r in (corpus.root, root)
    )
    assert before[True] - after[True] == {('b', 12)}
    assert before[False] == after[False]
    sample = at(CropDataset(root, 'joints', [dict], subset='all', gate=False), 'b', 12)
    assert np.isfinite(sample['targets'][:, :26]).all()
    assert np.isnan(sample['targets'][:, 26:]).all()


def test_targets_are_pose_and_change_of_both_views(corpus):
    sequence = FeatureStore(corpus.teacher_dir('joints'))['a']
    sample = at(make(corpus, subset='all'), 'a', 12)
    row = int(np.flatnonzero(sequence.frame_inds == 12)[0])
    now, before = sequence.feats[row], sequence.feats[row - 1]
    assert sequence.frame_inds[row - 1] == 11
    np.testing.assert_allclose(sample['targets'], np.concatenate([now, now - before], 1))
    assert sample['score'] == pytest.approx(0.9)
    assert make(corpus, subset='all', motion=False)[0]['targets'].shape == (2, 26)


def test_features_of_the_teacher_stay_in_their_files(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    data, store = CropDataset(root, 'joints', [dict], subset='all'), FeatureStore(corpus.teacher_dir('joints'))
    before = os.dup(0)
    os.close(before)
    for index in range(len(data)):
        sample = data[index]
        sequence = store[sample['video']]
        row = rows_of(sequence.frame_inds, [sample['frame']])[0]
        np.testing.assert_array_equal(sample['targets'][:, :26], sequence.feats[row])
        assert sample['score'] == pytest.approx(sequence.scores[row])
    after = os.dup(0)
    os.close(after)
    assert before == after
    path = root / 'teacher' / 'joints' / 'a.npz'
    expected = at(data, 'a', 12)['targets']
    store['a'].save(path)  # the same content
    np.testing.assert_array_equal(at(data, 'a', 12)['targets'], expected)
    FeatureSequence(store['a'].frame_inds, store['a'].feats + 1, store['a'].scores).save(path)
    with pytest.raises(UserError, match=f'{path}: was replaced by another file'):
        at(data, 'a', 12)


def test_a_damaged_file_of_the_teacher_is_refused_when_its_video_is_first_drawn(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    path = root / 'teacher' / 'joints' / 'b.npz'
    feats, content = FeatureStore(path.parent)['b'].feats, path.read_bytes()
    at_feats = content.index(feats.tobytes())
    damaged = bytearray(content)
    damaged[at_feats + 100] ^= 1
    path.write_bytes(damaged)
    data = CropDataset(root, 'joints', [targets_and_draw], subset='all')  # the features are not read
    assert np.isfinite(data[0]).all()
    for num_workers in (0, 1):
        with pytest.raises(UserError, match=f"^{path}: .*Bad CRC-32 for file 'feats.npy'"):
            next(iter(DataLoader(data, None, sampler=[len(data) - 1], num_workers=num_workers)))
    path.write_bytes(content)
    assert np.isfinite(data[-1]).all()


def test_a_file_that_replaces_one_before_its_first_draw_is_refused(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    path = root / 'teacher' / 'joints' / 'a.npz'
    data, sequence = CropDataset(root, 'joints', [targets_and_draw], subset='all'), FeatureStore(path.parent)['a']
    FeatureSequence(sequence.frame_inds, sequence.feats + 1, sequence.scores).save(path)
    with pytest.raises(UserError, match=f'{path}: was replaced by another file'):
        data[0]


def test_a_file_that_one_loader_process_has_checked_is_not_loaded_by_others(corpus, monkeypatch):
    data = CropDataset(corpus.root, 'joints', [targets_and_draw], subset='all')
    expected = list(DataLoader(data, None, num_workers=1))
    assert data._is_read.all()
    assert not data._teacher
    monkeypatch.setattr(FeatureSequence, 'load', None)
    for index, values in enumerate(expected):
        np.testing.assert_array_equal(data[index], values)


def test_spawned_loader_processes_share_the_samples(corpus):
    data = CropDataset(corpus.root, 'joints', [targets_and_draw], subset='all', gate=False)
    loader = DataLoader(data, None, num_workers=1, multiprocessing_context='spawn')
    for index, values in enumerate(loader):
        np.testing.assert_array_equal(values, data[index])
    assert data._frames.is_shared()


def targets_and_draw(sample):
    return np.append(sample['targets'], sample['rng'].random())


@pytest.mark.parametrize('handover', ['augmented', 'encoded'])
def test_the_headers_of_many_videos_are_read_once(corpus, monkeypatch, handover):
    read = []
    monkeypatch.setattr('vpd_mm.corpus.crop_store._CACHED_HEADERS', 1)
    monkeypatch.setattr(
        'vpd_mm.corpus.crop_store.read_value', lambda path, key: read.append(key) or read_value(path, key)
    )
    data = CropDataset(corpus.root, 'joints', [], handover=handover)
    assert sorted(read) == [header_key(video) for video in data.videos]


def test_loader_processes_close_the_shards_again_and_again(corpus, monkeypatch):
    monkeypatch.setattr('vpd_mm.distill.crop_dataset.CROPS_MAPPED', 2)
    data = CropDataset(corpus.root, 'joints', [shards_open], subset='all')
    assert list(DataLoader(data, None, sampler=range(6), num_workers=1)) == [False, False, True, False, True, False]
    assert [data[i] for i in range(4)] == [False, True, True, True]  # another thread of this process may read them


def shards_open(sample):
    is_open = not ENVIRONMENTS._open.keys().isdisjoint(sample['store']._shards.values())
    sample['store'].crop(sample['video'], sample['frame'])
    return is_open


@pytest.mark.parametrize('moving', [ResizedCrop(32), ChiralFlip()])
def test_noise_comes_before_what_moves_the_athlete(corpus, moving):
    with pytest.raises(UserError, match=f'BackgroundNoise comes after {type(moving).__name__}, which moves'):
        CropDataset(corpus.root, 'joints', [moving, BackgroundNoise()])


def test_an_index_beyond_the_samples_is_refused(corpus):
    data = make(corpus, subset='all')
    assert data[-1]['frame'] == data[len(data) - 1]['frame']
    for index in (len(data), -len(data) - 1):
        with pytest.raises(IndexError):
            data[index]


@pytest.mark.parametrize('holdout', ['video', 'block', 'frame'])
def test_train_and_val_partition_the_samples(corpus, holdout):
    whole = frames(make(corpus, subset='all'))
    train, val = (frames(make(corpus, subset=s, holdout=holdout, seed=1)) for s in ('train', 'val'))
    assert train | val == whole
    assert not train & val
    assert train
    assert val
    if holdout == 'video':
        assert not {v for v, _ in train} & {v for v, _ in val}
    if holdout == 'block':
        assert not {(v, f // 25) for v, f in train} & {(v, f // 25) for v, f in val}


def test_hold_out_is_seeded_and_protocol_paper_mixes_frames(corpus):
    first, again, other = (frames(make(corpus, subset='val', holdout='frame', seed=s)) for s in (3, 3, 4))
    assert first == again != other
    assert frames(make(corpus, subset='val', protocol='paper', seed=3)) == first


def test_action_frames_only_and_splits(corpus):
    inside = frames(make(corpus, subset='all', actions_only=True))
    assert inside == {(v, f) for v, f in frames(make(corpus, subset='all')) if (10 <= f < 20 if v == 'a' else f < 5)}
    assert {v for v, _ in frames(make(corpus, subset='all', splits=['test']))} == {'b'}


def test_unlabelled_videos_can_be_left_out(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    only = [action for action in load_actions(root / 'annotations' / 'actions.csv') if action.video == 'b']
    save_actions(root / 'annotations' / 'actions.csv', only)

    def videos(**kwargs):
        data = CropDataset(root, 'joints', [lambda sample: sample], subset='all', **kwargs)
        return {v for v, _ in frames(data)}

    assert videos(splits=['test']) == {'a', 'b'}
    assert videos(splits=['test'], unlabelled=False) == {'b'}
    assert videos(unlabelled=False) == {'b'}
    with pytest.raises(UserError, match='has actions of train'):
        videos(splits=['train'], unlabelled=False)


def test_every_crop_is_a_sample_without_the_gate(corpus):
    data = make(corpus, subset='all', gate=False, ground_truth_dir='ground_truth')
    assert len(data) == 90
    missing = data[7]
    assert missing['frame'] == 7
    assert missing['score'] == 0
    assert np.isnan(missing['targets']).all()
    assert np.isnan(data[8]['targets'][:, 26:]).all()
    assert np.isfinite(data[8]['targets'][:, :26]).all()
    ground_truth = JointFeature()(PoseSequence.load(corpus.root / 'ground_truth' / 'a.npz')).feats[7, 0]
    np.testing.assert_array_equal(missing['ground_truth'], ground_truth)


def test_a_video_whose_teacher_has_no_frames_has_samples_without_the_gate(corpus, tmp_path):
    root = tmp_path / 'copy'
    shutil.copytree(corpus.root, root)
    empty = FeatureSequence(np.zeros(0, np.int64), np.zeros((0, 2, 26), 'f4'), np.zeros(0, 'f4'))
    empty.save(root / 'teacher' / 'joints' / 'a.npz')
    sample = at(CropDataset(root, 'joints', [dict], subset='all', gate=False), 'a', 12)
    assert sample['score'] == 0
    assert np.isnan(sample['targets']).all()


def test_augmentation_depends_on_the_draw_only(corpus):
    data = CropDataset(corpus.root, 'joints', [lambda s: s['rng'].random()], subset='all')
    assert data[3, 99] == data[5, 99] != data[3, 98]
    assert data[3] == data[3] != data[4]


@pytest.mark.parametrize('at_once', [3, 128])
def test_a_batch_is_its_samples_and_fetches_each_record_once(corpus, monkeypatch, at_once):
    monkeypatch.setattr('vpd_mm.distill.crop_dataset.CACHED_RECORDS', at_once)
    monkeypatch.setattr('vpd_mm.corpus.crop_store.CACHED_RECORDS', at_once)
    pipeline = [dict(each, type=f'vpd_mm.{each["type"]}') for each in Config.fromfile(CONFIG).train_pipeline]
    data = CropDataset(corpus.root, 'joints', pipeline, subset='all', gate=False)
    items = [(int(index), 7 + draw) for draw, index in enumerate(np.random.default_rng(0).permutation(len(data))[:10])]
    singly = [data[item] for item in items]
    fetched = []
    monkeypatch.setattr(
        'vpd_mm.corpus.crop_store.read_stored', lambda path, key: fetched.append(key) or read_stored(path, key)
    )
    batch = data.__getitems__(items)
    assert len(fetched) == len(set(fetched)) == len(items)
    for single, sample in zip(singly, batch, strict=True):
        torch.testing.assert_close(sample, single, rtol=0, atol=0, equal_nan=True)
    (loaded,) = DataLoader(data, sampler=items, batch_size=len(items))
    torch.testing.assert_close(loaded['inputs'], torch.stack([sample['inputs'] for sample in batch]))


def test_max_frames_spreads_evenly(corpus):
    whole = make(corpus, subset='all')
    few = make(corpus, subset='all', max_frames=10)
    assert len(few) == 10
    assert few[0]['frame'] == whole[0]['frame']
    assert few[9]['frame'] == whole[len(whole) - 1]['frame']


def test_invalid_input_raises_one_clear_line(corpus, tmp_path):
    stranger = FeatureSequence(np.arange(3), np.zeros((3, 2, 26), np.float32), np.ones(3, np.float32))
    stranger.save(corpus.teacher_dir('stranger') / 'other.npz')
    for message, teacher, fields in (
        ('no frame passes the gate', 'joints', {'min_score': 0.99}),
        ('the train split is empty', 'joints', {'splits': ['test'], 'holdout': 'video'}),
        ('subset must be', 'joints', {'subset': 'valid'}),
        ('no such folder of features', 'nothing', {}),
        ('share no video', 'stranger', {}),
    ):
        with pytest.raises(UserError, match=message):
            CropDataset(corpus.root, teacher, [], **fields)


@pytest.mark.parametrize('holdout', ['block', 'frame'])
def test_train_and_val_with_different_gates_share_no_frame(tmp_path, holdout):
    """The gate of train drops the last frame of video a, which must not change the hold-out of a or b."""
    corpus = make_tiny(tmp_path / 'odd', {'a': 201, 'b': 101})
    for seed in range(4):
        train = frames(make(corpus, holdout=holdout, seed=seed))
        val = frames(make(corpus, subset='val', holdout=holdout, gate=False, seed=seed))
        assert not train & val
        again = frames(make(corpus, subset='val', holdout=holdout, gate=False, seed=seed, splits=['test']))
        assert again == {(v, f) for v, f in val if v == 'b'}


def test_a_fifth_is_held_out_of_two_short_videos(tmp_path):
    corpus = make_tiny(tmp_path / 'short', {'a': 200, 'b': 100})
    for seed in range(5):
        data = make(corpus, subset='val', holdout='block', gate=False, seed=seed)
        blocks = [{f // 25 for v, f in frames(data) if v == video} for video in 'ab']
        assert [len(held) for held in blocks] == [2, 1]  # of 8 and 4
        assert len(data) == 75


def test_former_argument_names_are_deprecated(corpus):
    with pytest.warns(DeprecationWarning, match='deprecated since 0.2, removed in 0.3') as warnings:
        data = make(corpus, subset='all', **{'lone_poses': True, 'truth_dir': 'ground_truth'})
    assert len(warnings) == 2
    assert frames(data) == frames(make(corpus, subset='all', require_previous_pose=False))
    assert data[0]['ground_truth'].shape == (26,)
    with pytest.raises(TypeError, match="unexpected argument 'gates'"):
        make(corpus, gates=True)


@pytest.mark.parametrize('dataset', SPORTS)
def test_the_videos_of_the_test_train_no_student_of_the_four_sports(tmp_path, dataset):
    """Ten videos: five of train and val, four of the test, and one without actions; in tennis it has a test serve."""
    videos = {f'v{i}': 20 for i in range(10)}
    corpus = Corpus.create(make_tiny(tmp_path / dataset, videos).root, dataset=dataset)
    splits = ['train', 'train', 'val', 'train', 'train', 'test', 'test', 'test', 'test']
    actions = [Action(f'a{i}', f'v{i}', 5, 15, 0, split) for i, split in enumerate(splits)]
    save_actions(corpus.actions_path, [*actions, Action('b', 'v0', 15, 18, 0, 'val')])
    serve = Action('serve', 'v9', 5, 6, 0, 'test') if dataset == 'tennis7' else Action('c', 'v9', 5, 6, 0, 'train')
    save_actions(corpus.detect_path, [serve])
    read = Config.fromfile(CONFIG)
    used = {}
    for stream in ('full', 'actions', 'corpus'):
        cfg = adapt_config(read, str(corpus.root), stream=stream)
        train, val = (
            DATASETS.build({**cfg[f'{part}_dataloader'].dataset, 'pipeline': []}) for part in ('train', 'val')
        )
        used[stream] = {video for data in (train, val) for video in data.used_videos()}
        frames = [data.used_frames(video) for data in (train, val) for video in data.videos]
        inside = [5 <= frame < 18 for frame in np.concatenate(frames)]
        assert all(inside) == (stream == 'actions')
    held = {'v5', 'v6', 'v7', 'v8'} | ({'v9'} if dataset == 'tennis7' else set())
    assert used == {'full': set(videos) - held, 'actions': set(videos) - held - {'v9'}, 'corpus': set(videos)}


@pytest.mark.parametrize(
    ('read', 'folder', 'num_videos', 'num_excluded'),
    [(read_fsjump6, 'fs', 371, 134), (read_tennis7, 'tennis', 3238, 958)],
)
def test_the_published_code_excludes_the_same_videos(tmp_path, shared, read, folder, num_videos, num_excluded):
    """``get_test_prefixes`` excludes 134 and 958."""
    labels = read(shared / 'vpd_annotations' / folder)
    corpus = Corpus.create(tmp_path / 'corpus')
    corpus.add_videos(labels.videos.values())
    save_actions(corpus.actions_path, labels.actions)
    if labels.detect:
        save_actions(corpus.detect_path, labels.detect)
    chosen = videos_of_splits(corpus, labels.videos, ('train', 'val'))
    assert (len(labels.videos), len(labels.videos) - len(chosen)) == (num_videos, num_excluded)


def test_no_athlete_of_a_file_with_a_test_action_is_used(tmp_path):
    corpus = Corpus.create(tmp_path / 'c')
    names = ['front__test_0_99', 'back__test_0_99', 'front__train_0_99', 'back__train_0_99']
    corpus.add_videos(VideoInfo(name, '', 25.0, 100, 64, 48) for name in names)
    swings = [Action('t', names[0], 3, 4, 0, 'test'), Action('u', names[2], 3, 4, 0, 'train')]
    save_actions(corpus.actions_path, swings)
    assert videos_of_splits(corpus, names, ('train', 'val')) == names[2:]


def test_the_gate_is_that_of_the_data_set(tmp_path):
    corpus = make_tiny(tmp_path / 'tennis', {'a': 60, 'b': 30})
    sequence = FeatureStore(corpus.teacher_dir('joints'))['b']
    scores = np.full(len(sequence), 0.6, np.float32)
    FeatureSequence(sequence.frame_inds, sequence.feats, scores).save(corpus.teacher_dir('joints') / 'b.npz')
    assert {video for video, _ in frames(make(corpus, subset='all'))} == {'a', 'b'}
    Corpus.create(corpus.root, dataset='tennis7')
    assert {video for video, _ in frames(make(corpus, subset='all'))} == {'a'}


@pytest.mark.parametrize(
    ('videos', 'unit', 'held'),
    [
        ({'a': 60, 'b': 60}, 'block', {'a', 'b'}),
        ({'a': 60, 'b': 60, 'c': 60}, 'video', {'c'}),
        (
            {f'{athlete}__{name}': 60 for name in 'abc' for athlete in ('front', 'back')},
            'video',
            {'front__c', 'back__c'},
        ),
    ],
)
def test_whole_video_files_are_held_out_from_three_on(tmp_path, videos, unit, held):
    corpus = make_tiny(tmp_path / 'c', videos)
    val, train = (make(corpus, subset=subset) for subset in ('val', 'train'))
    assert val.holdout == unit
    assert set(val.used_videos()) == held
    assert (set(train.used_videos()) & held == set()) == (unit == 'video')
    assert not frames(val) & frames(train)


def test_no_video_without_a_confident_frame_is_held_out(tmp_path):
    corpus = make_tiny(tmp_path / 'c', dict.fromkeys('abcd', 60))
    assert make(corpus, subset='val').used_videos() == ['c']
    sequence = FeatureStore(corpus.teacher_dir('joints'))['c']
    low = FeatureSequence(sequence.frame_inds, sequence.feats, np.full(len(sequence), 0.1, np.float32))
    low.save(corpus.teacher_dir('joints') / 'c.npz')
    assert make(corpus, subset='val').used_videos() == ['d']
    assert make(corpus, subset='val', gate=False).used_videos() == ['d']


def test_the_summary_counts_frames_and_what_the_gate_drops(tmp_path):
    corpus = make_tiny(tmp_path / 'c', dict.fromkeys('abc', 60))
    train, val = (make(corpus, subset=subset, require_previous_pose=False) for subset in ('train', 'val'))
    root = corpus.root
    # of 60 frames 7 has no pose, and each fifth is below the gate
    assert train.summary() == [f'94 frames, 2 of 3 videos of {root}', 'gate: 26 of 120 dropped (score >= 0.5)']
    assert val.summary() == [f'47 frames, 1 of 3 videos of {root}, held out: c']
    by_time = make(corpus, subset='val', holdout='block').summary()[0]
    assert by_time.endswith('3 of 3 videos of ' + f'{root}, held out by time, in blocks of 25 frames')
    assert train.warnings() == [
        '1 of 2 training videos with test actions (b): a test of a recogniser is too good; --cfg-options '
        'train_dataloader.dataset.splits=train,val leaves them out'
    ]
    assert make(corpus, splits=['train', 'val']).warnings() == []


def test_a_checkpoint_of_the_tested_videos_is_a_warning(tmp_path):
    corpus = make_tiny(tmp_path / 'c', dict.fromkeys('abc', 60))
    train, val = (make(corpus, subset=subset) for subset in ('train', 'val'))
    assert train.metainfo['trained_on'] == {'corpus': 'c', 'videos': {'a': '', 'b': ''}}
    assert val.compare_with(train.metainfo, 'x.pth') == []
    (line,) = make(corpus, subset='val', holdout='block').compare_with(train.metainfo, 'x.pth')
    assert line.startswith('x.pth: was trained on 2 of 3 tested videos (a, b)')
    assert 'does not record the videos' in val.compare_with({}, 'x.pth')[0]
    (line,) = train.compare_with(train.metainfo, 'x.pth')  # subset 'train' in a test
    assert line.startswith('x.pth: was trained on 2 of 2 tested videos (a, b)')
    assert (
        train.compare_with(val.metainfo, 'first.pth', training=True) == []
    )  # a further training, of a student of video c
    assert set(train.metainfo['trained_on']['videos']) == set('abc')
