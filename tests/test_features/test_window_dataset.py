"""FeatureWindowDataset: frame labels, windows, folds."""

import numpy as np
import pytest
from sequence_corpus import make_corpus

from vpd_mm.errors import UserError
from vpd_mm.features import FeatureWindowDataset
from vpd_mm.structures import Action

VIDEOS = {f'v{i}': (25.0, 60 + i) for i in range(6)} | {'fast': (50.0, 200)}
ACTIONS = [Action(f'x{i}', f'v{i}', 10, 20, i % 2, 'train') for i in range(6)] + [
    Action('y', 'fast', 50, 70, 1, 'test'),
    Action('z', 'fast', 100, 110, 0, 'test'),
]


@pytest.fixture
def root(tmp_path):
    return str(make_corpus(tmp_path / 'c', VIDEOS, ACTIONS).root)


def test_test_sample_is_a_video(root):
    dataset = FeatureWindowDataset(root, 'joints', split='test', test_mode=True)
    sample = dataset[0]
    assert sample['inputs'].shape == (2, 100, 2)
    assert sample['inputs'][0, :, 0].tolist() == list(range(0, 200, 2))
    labels = sample['data_samples']
    assert np.flatnonzero(labels.gt_frames[:, 0]).tolist() == [*range(25, 35), *range(50, 55)]
    assert labels.gt_intervals.tolist() == [[25, 35], [50, 55]]
    assert (labels.video, labels.frame_step) == ('fast', 2)
    assert labels.valid.all()


def test_one_column_per_class(root):
    labels = FeatureWindowDataset(root, 'joints', split='test', num_classes=2, test_mode=True)[0]['data_samples']
    assert np.flatnonzero(labels.gt_frames[:, 1]).tolist() == list(range(25, 35))
    assert np.flatnonzero(labels.gt_frames[:, 0]).tolist() == list(range(50, 55))
    assert labels.gt_labels.tolist() == [1, 0]


def test_actions_are_widened(root):
    widen = dict(before_sec=0.2, after_sec=0.1)
    dataset = FeatureWindowDataset(root, 'joints', fps=None, widen=widen, test_mode=True)
    assert np.flatnonzero(dataset[0]['data_samples'].gt_frames[:, 0]).tolist() == list(range(5, 23))[:-1]
    assert dataset[0]['data_samples'].gt_intervals.tolist() == [[5, 22.5]]


def test_windows_cover_every_view_and_depend_on_the_epoch(root):
    dataset = FeatureWindowDataset(root, 'joints', window=25)
    assert len(dataset) == 2 * 3 * 6
    sample = dataset[0]
    frames = sample['inputs'][0, :, 0].tolist()
    assert frames == sample['data_samples'].frame_inds.tolist()
    assert np.diff(frames).tolist() == [1] * 24
    starts = {float(dataset[0]['inputs'][0, 0, 0])}
    for epoch in range(1, 20):
        dataset.set_epoch(epoch, 0)
        starts.add(float(dataset[0]['inputs'][0, 0, 0]))
    assert len(starts) > 3
    assert (
        dataset[0]['data_samples'].gt_frames[:, 0]
        == ((dataset[0]['inputs'][0, :, 0] >= 10) & (dataset[0]['inputs'][0, :, 0] < 20))
    ).all()


def test_folds_partition_the_videos(root):
    videos = lambda mode, i: {  # noqa: E731
        s['meta']['video'] for s in FeatureWindowDataset(root, 'joints', fold=(i, 3), test_mode=mode).data_list
    }
    out = [videos(True, i) for i in range(3)]
    assert sorted(v for fold in out for v in fold) == [f'v{i}' for i in range(6)]
    assert [len(fold) for fold in out] == [2, 2, 2]
    for i in range(3):
        assert videos(False, i) == {f'v{j}' for j in range(6)} - out[i]
    with pytest.raises(UserError, match='7 folds need as many videos, found 6'):
        FeatureWindowDataset(root, 'joints', fold=(0, 7))


def test_max_videos_are_equal_for_every_fold(root):
    names = lambda **kwargs: {s['meta']['video'] for s in FeatureWindowDataset(root, 'joints', **kwargs).data_list}  # noqa: E731
    few = names(max_videos=3)
    assert len(few) == 3
    assert names(max_videos=3) == few
    assert names(max_videos=2) < few
    assert set.union(*(names(max_videos=3, fold=(i, 3), test_mode=True) for i in range(3))) == few
    with pytest.raises(UserError, match='max_videos must be 1 to 6'):
        FeatureWindowDataset(root, 'joints', max_videos=7)


def test_frames_far_from_features_are_not_valid(tmp_path):
    frames = {'a': np.r_[0:10, 60:100]}
    actions = [Action('x', 'a', 5, 20, 0, 'train')]
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 100)}, actions, frames=frames)
    labels = FeatureWindowDataset(str(corpus.root), 'joints', max_gap_sec=0.4, test_mode=True)[0]['data_samples']
    assert np.flatnonzero(~labels.valid).tolist() == list(range(20, 50))


def test_errors_name_the_problem(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 30)}, [Action('x', 'a', 5, 31, 0, 'train')])
    with pytest.raises(UserError, match='x ends after its video'):
        FeatureWindowDataset(str(corpus.root), 'joints')
    corpus = make_corpus(
        tmp_path / 'd', {'a': (25.0, 30), 'b': (25.0, 30)}, [Action('x', 'a', 5, 9, 0, 'train')], missing=('a',)
    )
    with pytest.raises(UserError, match='video a has no joints features'):
        FeatureWindowDataset(str(corpus.root), 'joints')
