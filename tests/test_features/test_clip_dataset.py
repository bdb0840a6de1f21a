"""FeatureClipDataset: frames, windows, resampling and invalid input."""

import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from sequence_corpus import make_corpus

from vpd_mm.errors import UserError
from vpd_mm.features import FeatureClipDataset, fill_unseen
from vpd_mm.structures import Action, PoseSequence

PACK = [dict(type='vpd_mm.PackSequenceInputs')]
VIDEOS = {'a': (25.0, 100), 'b': (50.0, 200)}
ACTIONS = [
    Action('a1', 'a', 10, 20, 0, 'train'),
    Action('a2', 'a', 80, 100, 1, 'test'),
    Action('b1', 'b', 40, 60, 1, 'train'),
]


def positions(dataset, index: int) -> list[float]:
    return dataset[index]['inputs'][0, :, 0].tolist()


def build(corpus, **kwargs):
    return FeatureClipDataset(str(corpus.root), 'joints', pipeline=PACK, **kwargs)


def test_both_views_are_training_samples(tmp_path):
    dataset = build(make_corpus(tmp_path / 'c', VIDEOS, ACTIONS))
    assert len(dataset) == 4
    assert dataset.dims == 2
    assert positions(dataset, 0) == list(range(10, 20))
    assert positions(dataset, 1) == [-f for f in range(10, 20)]
    assert [int(dataset[i]['data_samples'].gt_label) for i in range(4)] == [0, 0, 1, 1]
    assert dataset.metainfo['classes'] == ['class0', 'class1']


def test_test_sample_has_all_views(tmp_path):
    dataset = build(make_corpus(tmp_path / 'c', VIDEOS, ACTIONS), split='test', test_mode=True)
    assert len(dataset) == 1
    assert dataset[0]['inputs'].shape == (2, 20, 2)
    assert dataset[0]['data_samples'].action_id == 'a2'


def test_50_fps_is_resampled_to_25(tmp_path):
    dataset = build(make_corpus(tmp_path / 'c', VIDEOS, ACTIONS))
    assert positions(dataset, 2) == list(range(40, 60, 2))
    native = FeatureClipDataset(str(tmp_path / 'c'), 'joints', fps=None, pipeline=PACK)
    assert positions(native, 2) == list(range(40, 60))


@pytest.mark.parametrize(('fps', 'num_frames'), [(24.9, 31), (25.0, 31), (29.97, 26), (60.0, 13)])
def test_faster_videos_lose_frames_and_no_feature_is_an_average(tmp_path, fps, num_frames):
    corpus = make_corpus(tmp_path / 'c', {'a': (fps, 60)}, [Action('x', 'a', 0, 31, 0, 'train')])
    frames = positions(build(corpus), 0)
    assert frames == [int(i * max(1, fps / 25)) for i in range(num_frames)]
    assert len(set(frames)) == num_frames
    assert positions(build(corpus, fps=None), 0) == list(range(31))


def test_window_is_clipped_to_the_video(tmp_path):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS)
    dataset = build(corpus, window=dict(before_sec=2.5, after_sec=0.2))
    assert positions(dataset, 0) == list(range(0, 25))
    late = build(corpus, split='test', window=dict(before_sec=0.2, after_sec=2.5))
    assert positions(late, 0) == list(range(75, 100))


def test_gaps_are_interpolated_and_ends_constant(tmp_path):
    frames = {'a': np.array([12, 13, 17])}
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 30)}, [Action('x', 'a', 10, 20, 0, 'train')], frames=frames)
    np.testing.assert_allclose(positions(build(corpus), 0), [12, 12, 12, 13, 14, 15, 16, 17, 17, 17], atol=1e-5)


def test_id_list_selects_actions(tmp_path):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS)
    (corpus.root / 'ids.txt').write_text('\ufeffb1\n')
    assert len(build(corpus, ids_file='ids.txt')) == 2
    for bad, message in (('b9\n', 'b9'), ('a2\n', 'split test'), ('b1\nb1\n', 'twice')):
        (corpus.root / 'ids.txt').write_text(bad)
        with pytest.raises(UserError, match=message):
            build(corpus, ids_file='ids.txt')


@pytest.mark.parametrize(
    ('action', 'kwargs', 'message'),
    [
        (Action('long', 'a', 90, 101, 0, 'train'), {}, r'long .*only 100 frames'),
        (Action('lost', 'z', 0, 5, 0, 'train'), {}, r'lost .*no such video'),
        (Action('none', 'a', 0, 5, 0, 'train'), {'window': {'after_sec': -1.0}}, r'none .*window is empty'),
        (Action('w', 'a', 0, 5, 0, 'train'), {'dims': 3}, 'd=2, the config has dims=3'),
        (Action('w', 'a', 0, 5, 0, 'train'), {'num_classes': 9}, '2 classes, the config has num_classes=9'),
        (Action('w', 'a', 0, 5, 0, 'train'), {'split': 'val'}, 'no action of split val'),
        (Action('w', 'a', 0, 5, 7, 'train'), {}, 'label 7 is not in classes.txt'),
    ],
)
def test_errors_name_the_problem(tmp_path, action, kwargs, message):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, [action])
    with pytest.raises(UserError, match=message):
        build(corpus, **kwargs)


def test_missing_features_are_refused_or_left_out(tmp_path):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS, missing=('b',))
    with pytest.raises(UserError, match=r'1 of 2 actions have no joints features: b1'):
        build(corpus)
    assert len(build(corpus, allow_missing=True)) == 2


def test_nan_features_are_refused(tmp_path):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS)
    path = corpus.teacher_dir('joints') / 'a.npz'
    arrays = dict(np.load(path))
    arrays['feats'][3, 0, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=r'a\.npz.*NaN'):
        build(corpus)


@pytest.mark.parametrize('names', [['teacher/joints', 'joints'], 'teacher/joints+joints'])
def test_features_are_concatenated(tmp_path, names):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS)
    dataset = FeatureClipDataset(str(corpus.root), names, pipeline=PACK)
    inputs = dataset[0]['inputs']
    assert inputs.shape == (1, 10, 4)
    torch.testing.assert_close(inputs[..., :2], inputs[..., 2:])


def test_wrappers_of_mmengine(tmp_path):
    dataset = build(make_corpus(tmp_path / 'c', VIDEOS, [*ACTIONS, Action('a3', 'a', 30, 40, 0, 'train')]))
    assert len(RepeatDataset(dataset, 3)) == 18
    balanced = ClassBalancedDataset(dataset, oversample_thr=1.0)
    assert sorted({int(balanced[i]['data_samples'].gt_label) for i in range(len(balanced))}) == [0, 1]


def test_draws_depend_on_seed_epoch_and_sample_only(tmp_path):
    corpus = make_corpus(tmp_path / 'c', VIDEOS, ACTIONS)
    pipeline = [dict(type='vpd_mm.RandomTimeCrop', max_share=0.3), *PACK]
    first, second = (FeatureClipDataset(str(corpus.root), 'joints', pipeline=pipeline) for _ in range(2))
    for dataset in (first, second):
        dataset.set_epoch(4, 7)
    assert positions(first, 0) == positions(second, 0)
    assert positions(first, 0) != positions(first, 1)
    first.set_epoch(5, 7)
    assert positions(first, 0) != positions(second, 0)


def test_unseen_joints_are_interpolated_in_time():
    keypoints = np.zeros((3, 17, 2), np.float32)
    keypoints[:, :, 0] = np.arange(3)[:, None] * 10 + np.arange(17)
    scores = np.ones((3, 17), np.float32)
    keypoints[1, 9], scores[1, 9] = (-99, -99), 0
    filled = fill_unseen(PoseSequence(np.arange(3), keypoints, scores))
    assert filled.keypoints[1, 9].tolist() == [19, 0]
    assert (filled.keypoints[0] == keypoints[0]).all()
    scores[:, 9] = 0
    nowhere = fill_unseen(PoseSequence(np.arange(3), keypoints, scores)).keypoints[0, 9]
    others = keypoints[0, [0, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16]]
    np.testing.assert_allclose(nowhere, others.mean(0), rtol=1e-6)
