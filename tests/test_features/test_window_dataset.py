"""FeatureWindowDataset: frame labels, windows, folds."""

import numpy as np
import pytest
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.errors import UserError
from vpd_mm.features import FeatureWindowDataset
from vpd_mm.importers import import_labels, read_fsjump6, read_tennis7
from vpd_mm.structures import Action, save_actions

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
    assert (labels.video, labels.row_edges.tolist()) == ('fast', list(range(0, 201, 2)))
    assert labels.valid.all()


def test_one_column_per_class(root):
    labels = FeatureWindowDataset(root, 'joints', split='test', num_classes=2, test_mode=True)[0]['data_samples']
    assert np.flatnonzero(labels.gt_frames[:, 1]).tolist() == list(range(25, 35))
    assert np.flatnonzero(labels.gt_frames[:, 0]).tolist() == list(range(50, 55))
    assert (labels.gt_intervals.tolist(), labels.gt_labels.tolist()) == ([[50, 55], [25, 35]], [0, 1])


def test_actions_are_widened(root):
    widen = dict(before_sec=0.2, after_sec=0.1)
    dataset = FeatureWindowDataset(root, 'joints', fps=None, widen=widen, test_mode=True)
    assert dataset[0]['data_samples'].gt_intervals.tolist() == [[5, 23]]


@pytest.mark.parametrize(('fps', 'interval'), [(25.0, [97, 102]), (29.97, [81, 86]), (50.0, [48, 53])])
def test_a_swing_is_the_published_five_frames(fps, interval, tmp_path):
    """Contact at frame 100: int(100 - 2.5) to int(100 + 2.5) at 25 fps; at 29.97 frames 97 to 101, rows 81 to 85,
    at 50 fps 95 to 104, of which every second one is kept."""
    corpus = make_corpus(tmp_path / 'c', {'a': (fps, 200)}, [Action('x', 'a', 100, 101, 0, 'train')])
    widen = dict(before_sec=0.1, after_sec=0.1, around='start')
    labels = FeatureWindowDataset(str(corpus.root), 'joints', widen=widen, test_mode=True)[0]['data_samples']
    assert labels.gt_intervals.tolist() == [interval]
    frames = FeatureWindowDataset(str(corpus.root), 'joints', widen=widen, fps=None, lazy_init=True)
    assert frames.mean_lengths() == (10 if fps == 50 else 5)


def test_features_are_of_whole_frames(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'a': (29.97, 300)}, [Action('x', 'a', 100, 101, 0, 'train')])
    sample = FeatureWindowDataset(str(corpus.root), 'joints', test_mode=True)[0]
    frames = sample['inputs'][0, :, 0].numpy()
    assert frames.tolist() == sample['data_samples'].row_edges[:-1].tolist() == np.floor(frames).tolist()
    assert len(frames) == len(set(frames)) == 251


def test_touching_and_overlapping_actions_are_one(tmp_path):
    spans = [(5, 10), (10, 14), (20, 40), (25, 30), (41, 45)]
    actions = [Action(f'x{i}', 'a', *span, i % 2, 'train') for i, span in enumerate(spans)]
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 60)}, actions)
    labels = FeatureWindowDataset(str(corpus.root), 'joints', test_mode=True)[0]['data_samples']
    assert labels.gt_intervals.tolist() == [[5, 14], [20, 40], [41, 45]]
    both = FeatureWindowDataset(str(corpus.root), 'joints', num_classes=2, test_mode=True)[0]['data_samples']
    assert both.gt_intervals.tolist() == [[5, 10], [20, 40], [41, 45], [10, 14], [25, 30]]


@pytest.mark.parametrize(
    ('read', 'folder', 'videos', 'actions', 'merged'),
    [(read_fsjump6, 'fs', 134, 520, 456), (read_tennis7, 'tennis', 955, 2972, 2972)],
)
def test_published_numbers_of_test_videos_and_merged_actions(read, folder, videos, actions, merged, shared, tmp_path):
    import_labels(read, shared / 'vpd_annotations' / folder, tmp_path / 'c')
    corpus = Corpus.open(tmp_path / 'c')
    sport = corpus.settings('paper')
    dataset = FeatureWindowDataset(
        str(corpus.root), '', split='test', widen=vars(sport.widen), fps=sport.fps, lazy_init=True, test_mode=True
    )
    labelled = dataset.labelled_videos()
    assert (len(labelled), sum(len(of_video) for _, of_video in labelled)) == (videos, actions)
    assert sum(len(dataset.ground_truth(*one)[1]) for one in labelled) == merged
    lengths = FeatureWindowDataset(
        str(corpus.root), '', split=['train', 'val'], widen=vars(sport.widen), fps=None, lazy_init=True
    ).mean_lengths()
    assert lengths == pytest.approx([{'fs': 39.10907, 'tennis': 5.0}[folder]], abs=1e-5)


@pytest.mark.parametrize(
    ('read', 'folder'), [(read_fsjump6, 'fs'), pytest.param(read_tennis7, 'tennis', marks=pytest.mark.full)]
)
def test_labelled_videos_are_the_first_of_the_published_list(read, folder, shared, tmp_path):
    import_labels(read, shared / 'vpd_annotations' / folder, tmp_path / 'c')
    for subset in range(5):
        lines = (shared / f'vpd_annotations/{folder}/train.localize.{subset}.txt').read_text().split()[:5]
        players = ['front__', 'back__'] if folder == 'tennis' else ['']
        few = FeatureWindowDataset(
            str(tmp_path / 'c'), '', split=['train', 'val'], max_videos=5, subset=subset, lazy_init=True
        )
        assert {v.video for v, _ in few.labelled_videos()} == {player + line for line in lines for player in players}
        few.fold = (0, 5)
        assert len(few.labelled_videos()) == 4 * len(players)


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
    with pytest.raises(UserError, match='folds must be 2 to 6, the training videos, found 7'):
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


def test_athletes_of_one_file_are_drawn_and_listed_together(tmp_path):
    names = [f'{player}__p{i}' for i in range(4) for player in ('front', 'back')]
    actions = [Action(f'x{i}', name, 5, 9, 0, 'train') for i, name in enumerate(names)]
    corpus = make_corpus(tmp_path / 'c', dict.fromkeys(names, (25.0, 30)), actions)

    def chosen(**options):
        few = FeatureWindowDataset(str(corpus.root), 'joints', max_videos=2, lazy_init=True, **options)
        return {video.video.rpartition('__')[2] for video, _ in few.labelled_videos()}, len(few.labelled_videos())

    drawn = [chosen(subset=i) for i in range(6)]
    assert {count for _, count in drawn} == {4}
    assert len({frozenset(files) for files, _ in drawn}) > 1
    corpus.localize_path(1).parent.mkdir()
    corpus.localize_path(1).write_text('front__p3\nback__p3\ngone\nfront__p0\nback__p0\nfront__p1\n')
    assert chosen(subset=1) == ({'p3', 'p0'}, 4)
    with pytest.raises(UserError, match=r'0\.txt: no such list of videos; subset must be one of 1'):
        chosen()
    with pytest.raises(UserError, match=r'1\.txt: max_videos must be 1 to 3'):
        FeatureWindowDataset(str(corpus.root), 'joints', max_videos=4, subset=1)


def test_one_class_reads_detect_csv(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'a': (25.0, 30), 'b': (25.0, 30)}, [Action('x', 'a', 5, 9, 1, 'train')])
    save_actions(corpus.detect_path, [Action('x', 'a', 5, 9, 0, 'train'), Action('serve', 'b', 2, 4, 0, 'train')])
    intervals = lambda **options: [  # noqa: E731
        sample['data_samples'].gt_intervals.tolist()
        for sample in FeatureWindowDataset(str(corpus.root), 'joints', test_mode=True, **options)
    ]
    assert intervals() == [[[5, 9]], [[2, 4]]]
    assert intervals(num_classes=2) == [[[5, 9]]]


def test_drawn_windows_prefer_long_videos(tmp_path):
    videos = {'long': (25.0, 100), 'longer': (25.0, 220), 'short': (25.0, 20)}
    actions = [Action(name, name, 5, 9, 0, 'train') for name in videos]
    corpus = make_corpus(tmp_path / 'c', videos, actions)
    dataset = FeatureWindowDataset(str(corpus.root), 'joints', window=20, num_windows=300)
    assert len(dataset) == 300
    samples = [dataset[i] for i in range(300)]
    assert {sample['inputs'].shape for sample in samples} == {(1, 20, 2)}
    names = [sample['data_samples'].video for sample in samples]
    assert 'short' not in names
    assert 180 < names.count('longer') < 246  # 200 of 80 + 200
    starts = [int(abs(s['inputs'][0, 0, 0])) for s in samples if s['data_samples'].video == 'long']
    assert 0 <= min(starts) < 10 < 70 < max(starts) < 80
    assert {bool(sample['inputs'][0, 1, 0] < 0) for sample in samples} == {True, False}  # both views
    first = dataset[0]['inputs']
    dataset.set_epoch(1, 0)
    assert not np.array_equal(dataset[0]['inputs'], first)
    with pytest.raises(UserError, match='no video is longer than window=220'):
        FeatureWindowDataset(str(corpus.root), 'joints', window=220, num_windows=3)


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
    with pytest.raises(UserError, match='1 video without joints features, the first is a; extract them'):
        FeatureWindowDataset(str(corpus.root), 'joints')


def test_videos_without_features_can_be_left_out(tmp_path):
    videos, actions = dict.fromkeys('abc', (25.0, 30)), [Action(v, v, 5, 9, 0, 'train') for v in 'ab']
    corpus = make_corpus(tmp_path / 'c', videos, actions, missing=('a',))
    dataset = FeatureWindowDataset(str(corpus.root), 'joints', allow_missing=True, test_mode=True)
    assert [sample['data_samples'].video for sample in dataset] == ['b']
    (corpus.teacher_dir('joints') / 'b.npz').unlink()
    with pytest.raises(UserError, match='2 videos without joints features'):
        FeatureWindowDataset(str(corpus.root), 'joints', allow_missing=True)
