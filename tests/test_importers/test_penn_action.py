"""Penn Action: joints, visibility, boxes, split; on the real labels where they are, on small .mat files always."""

from collections import Counter

import numpy as np
import pytest
import scipy.io

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import import_labels, read_penn_action
from vpd_mm.importers.penn_action import read_penn_clip
from vpd_mm.structures import load_actions, load_classes


def write_mat(root, video, label='jump', train=1, n=4, **changes):
    x = np.arange(n * 13, dtype=float).reshape(n, 13) + 100
    fields = {
        'action': [label],
        'pose': ['back'],
        'x': x,
        'y': x + 0.5,
        'visibility': np.ones((n, 13), np.uint8),
        'train': np.array([[train]], np.int32),
        'bbox': np.tile([10.0, 20.0, 50.0, 90.0], (n, 1)),
        'dimensions': np.array([[270, 480, n]], np.uint16),
        'nframes': np.array([[n]], np.uint8),
    }
    (root / 'labels').mkdir(exist_ok=True)
    path = root / 'labels' / f'{video}.mat'
    scipy.io.savemat(path, {name: value for name, value in (fields | changes).items() if value is not None})
    return path


def test_thirteen_joints_in_coco_17(tmp_path):
    clip = read_penn_clip(write_mat(tmp_path, '0001'))
    assert clip.info == VideoInfo('0001', '', 25, 4, 480, 270)
    assert (clip.label, clip.split) == ('jump', 'train')
    assert clip.poses.keypoints[0, 0].tolist() == [100, 100.5]  # the head serves as the nose
    assert clip.poses.scores[0].tolist() == [1, 0, 0, 0, 0, *[1] * 12]
    # Penn: head, left and right shoulder, ... right ankle last; COCO: left shoulder 5, right ankle 16
    assert clip.poses.keypoints[0, 5, 0] == 101
    assert clip.poses.keypoints[0, 16, 0] == 112
    assert clip.track.boxes[0].tolist() == [10, 20, 50, 90]


def test_hidden_and_absent_joints(tmp_path):
    x = np.full((4, 13), 100.0)
    x[1, 2], x[2] = 1.36, 0.75
    visible = np.ones((4, 13), np.uint8)
    visible[0, 1] = visible[1, 2] = visible[2] = 0
    clip = read_penn_clip(write_mat(tmp_path, '0001', x=x, y=x, visibility=visible))
    assert clip.poses.frame_inds.tolist() == [0, 1, 3]  # nothing was placed in frame 2
    assert clip.poses.scores[0, 5] == 0.5  # hidden, but placed
    assert clip.poses.scores[1, 6] == 0  # not placed
    assert clip.poses.scores[2, [0, 5, 6]].tolist() == [1, 1, 1]


def test_boxes_without_area_or_missing_are_absent(tmp_path):
    boxes = np.array([[0, 0, 9, 9], [5, 5, 5, 5], [1, 1, 8, 8]], float)
    clip = read_penn_clip(write_mat(tmp_path, '0001', bbox=boxes))
    assert clip.track.frame_inds.tolist() == [0, 2]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'x': None}, "field 'x' is missing"),
        ({'x': np.ones((4, 14))}, r'x must hold 4 x 13 finite numbers .* has \(4, 14\)'),
        ({'y': np.full((4, 13), np.nan)}, 'y must hold 4 x 13 finite numbers'),
        ({'bbox': np.ones((5, 4))}, r'bbox must hold up to 4 x 4'),
        ({'bbox': np.full((4, 4), np.inf)}, 'bbox must hold'),
        ({'nframes': np.array([0])}, 'needs nframes and dimensions above 0'),
        ({'nframes': np.array([1, 2])}, 'nframes must be one number'),
        ({'nframes': ['many']}, "nframes must hold numbers, found 'many'"),
        ({'nframes': np.array([np.nan])}, 'nframes must be one number'),
        ({'x': np.full((4, 13), 1e308)}, 'x must hold 4 x 13 finite numbers'),
        ({'action': [' ']}, "action must be one name, found ' '"),
        ({'action': ['a', 'b']}, "field 'action' is missing"),
    ],
)
def test_errors_name_the_file(tmp_path, changes, message):
    path = write_mat(tmp_path, '0001', **changes)
    with pytest.raises(UserError, match=message) as caught:
        read_penn_clip(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('cut', [0, 3, 100, 200, 700])
def test_truncated_mat(tmp_path, cut):
    path = write_mat(tmp_path, '0001')
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match=r'0001\.mat: (unreadable|field)'):
        read_penn_clip(path)


def test_import_is_repeatable_and_completes_what_is_missing(tmp_path):
    for i in range(20):
        write_mat(tmp_path, f'{i:04d}', 'jump' if i % 2 else 'bow', train=1 if i < 16 else -1)
    report = import_labels(read_penn_action, tmp_path, tmp_path / 'out', val_share=0.25, seed=3)
    corpus = Corpus.open(tmp_path / 'out')
    actions = load_actions(corpus.actions_path, 2)
    assert Counter(a.split for a in actions) == {'train': 12, 'val': 4, 'test': 4}
    assert Counter(a.label for a in actions if a.split == 'val') == {0: 2, 1: 2}
    assert report.counts['official split, train'] == 16
    assert load_classes(corpus.classes_path) == ['bow', 'jump']
    assert (actions[1].action_id, actions[1].video, actions[1].end_frame) == ('0001', '0001', 4)
    before = {p: p.read_bytes() for p in (tmp_path / 'out').rglob('*') if p.is_file()}
    corpus.track_path('0003').unlink()
    corpus.actions_path.unlink()
    import_labels(read_penn_action, tmp_path, tmp_path / 'out', val_share=0.25, seed=3)
    assert before == {p: p.read_bytes() for p in (tmp_path / 'out').rglob('*') if p.is_file()}
    with pytest.raises(UserError, match='holds other actions than this import'):
        import_labels(read_penn_action, tmp_path, tmp_path / 'out', val_share=0.5, seed=3)


def test_an_import_keeps_what_the_user_has_edited(tmp_path):
    for i in range(6):
        write_mat(tmp_path, f'{i:04d}', 'jump' if i % 2 else 'bow', train=1 if i < 4 else -1)
    import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    corpus = Corpus.open(tmp_path / 'out')
    corpus.track('0001').save(corpus.track_path('0001'))
    for video in ('0001', '0002'):
        write_mat(tmp_path, video, 'jump' if video == '0001' else 'bow', bbox=np.tile([1.0, 2.0, 5.0, 9.0], (4, 1)))
    import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    assert [corpus.track(video).boxes[0, 2] > 10 for video in ('0001', '0002')] == [True, False]
    corpus.classes_path.write_text('Bow\nJump\n')
    with pytest.raises(UserError, match=r'classes\.txt: holds other classes than this import'):
        import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    assert corpus.classes_path.read_text() == 'Bow\nJump\n'


def test_a_refused_import_changes_nothing(tmp_path):
    write_mat(tmp_path, '0001')
    corpus = Corpus.create(tmp_path / 'out', sport='tennis')
    before = (corpus.root / 'corpus.json').read_bytes()
    with pytest.raises(UserError, match="sport is 'tennis'"):
        import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    assert [path.name for path in corpus.root.iterdir()] == ['corpus.json']
    assert (corpus.root / 'corpus.json').read_bytes() == before


def test_missing_or_invalid_labels_write_nothing(tmp_path):
    with pytest.raises(UserError, match=r'no labels/\*\.mat'):
        import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    write_mat(tmp_path, '0001')
    write_mat(tmp_path, '0002', x=None)
    with pytest.raises(UserError, match=r'0002\.mat'):
        import_labels(read_penn_action, tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_real_clip(shared):
    clip = read_penn_clip(shared / 'penn_action/labels/0002.mat')
    assert (clip.label, clip.info) == ('baseball_pitch', VideoInfo('0002', '', 25, 80, 480, 270))
    assert clip.poses.keypoints[0, 0].tolist() == [48, 52]
    assert clip.poses.scores[0, 6] == 0.5  # the right shoulder is hidden, but placed
    np.testing.assert_allclose(clip.track.boxes[0], [19.3333, 31.3333, 89.3333, 269.3333], rtol=1e-5)


def test_real_data_set(shared):
    labels = read_penn_action(shared / 'penn_action')
    assert labels.counts() == {
        'videos': 1797,
        'classes': 15,
        'actions': 1797,
        'actions, train': 1258,
        'actions, test': 539,
        'official split, train': 1258,
        'official split, test': 539,
        'frames': 125806,
        'boxes': 125786,
        'poses': 125805,
    }
