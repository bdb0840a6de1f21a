"""The corpus of the sport: layout, determinism, resume, refused folders."""

import hashlib
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.teacher_metrics import box_iou
from vpd_mm.errors import UserError
from vpd_mm.structures import PoseSequence, load_actions, load_classes
from vpd_mm.synthetic import CLASSES, SKILLS, GroundTruth
from vpd_mm.synthetic.corpus import SportRecipe, make_sport, sport_statistics
from vpd_mm.synthetic.shot import SPLITS, make_athlete, plan_videos

#: With this seed the first videos are short.
RECIPE = SportRecipe(seed=126, width=128, height=128, sub_frames=2)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return make_sport(tmp_path_factory.mktemp('sport') / 'synthetic', 1, 0, 1, RECIPE)


def _digest(root):
    files = sorted(p for name in ('ground_truth', 'annotations', 'athlete') for p in (root / name).rglob('*.*'))
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_layout(corpus):
    assert sorted(corpus.videos()) == ['test_0000', 'train_0000']
    statistics = sport_statistics(corpus)
    assert (statistics['videos'], statistics['classes']) == ('2 (0 without labels)', str(len(CLASSES)))
    assert float(statistics['action frames'].split('%')[0]) < 33
    assert load_classes(corpus.classes_path) == list(CLASSES)
    actions = load_actions(corpus.actions_path, len(CLASSES))
    for name, info in corpus.videos().items():
        with av.open(info.path) as container:
            assert sum(1 for _ in container.decode(video=0)) == info.num_frames
            assert container.streams.video[0].average_rate == info.fps
        assert (info.width, info.height) == (128, 128)
        mine = [a for a in actions if a.video == name]
        assert 3 <= len(mine) <= 6
        assert {a.split for a in mine} == {name.split('_')[0]}
        assert max(a.end_frame for a in mine) <= info.num_frames
        assert sum(a.num_frames for a in mine) < info.num_frames / 3
        poses = PoseSequence.load(corpus.root / 'ground_truth' / 'poses' / f'{name}.npz')
        assert poses.frame_inds[-1] == info.num_frames - 1


def test_ground_truth_is_consistent(corpus):
    ground_truth = GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / 'train_0000.npz')
    local = np.einsum('tij,tkj->tki', ground_truth.rotation, ground_truth.joints3d - ground_truth.centre)
    pixel = local[..., :2] / local[..., 2:] * ground_truth.focal[:, None, None] + 64
    np.testing.assert_allclose(pixel, ground_truth.keypoints, atol=0.02)
    inside = ((ground_truth.keypoints >= 0) & (ground_truth.keypoints < 128)).all(axis=-1)
    np.testing.assert_array_equal(ground_truth.visibility > 0, inside)
    low, high = ground_truth.boxes[:, None, :2], ground_truth.boxes[:, None, 2:]
    held = ((ground_truth.keypoints >= low - 1) & (ground_truth.keypoints <= high + 1)).all(axis=-1)
    assert held[inside].mean() > 0.999
    for action in (a for a in load_actions(corpus.actions_path) if a.video == 'train_0000'):
        assert ground_truth.airborne[action.start_frame : action.end_frame].mean() > 0.75
        assert not ground_truth.airborne[action.start_frame]


def test_boxes_are_jittered_around_the_athlete(corpus):
    ground_truth = GroundTruth.load(corpus.root / 'ground_truth' / 'scenes' / 'test_0000.npz')
    track = corpus.track('test_0000')
    boxes = ground_truth.boxes[track.frame_inds]
    assert 0.9 < len(track) / len(ground_truth.boxes) < 1
    assert 0.7 < box_iou(track.boxes, boxes).mean() < 0.97


def test_same_seed_same_bytes_with_two_workers_and_after_an_interruption(corpus, tmp_path):
    again = tmp_path / 'again'
    make_sport(again, 1, 0, 1, RECIPE, workers=2)
    assert _digest(again) == _digest(corpus.root)
    (again / 'videos' / 'train_0000.mp4').unlink()
    kept = (again / 'videos' / 'test_0000.mp4').stat().st_mtime_ns
    calls = []
    make_sport(again, 1, 0, 1, RECIPE, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert (again / 'videos' / 'test_0000.mp4').stat().st_mtime_ns == kept
    assert _digest(again) == _digest(corpus.root)


def test_paths_of_a_moved_corpus_are_corrected_and_smaller_numbers_remove_nothing(corpus, tmp_path):
    moved = tmp_path / 'moved'
    shutil.copytree(corpus.root, moved)
    rebuilt = make_sport(moved, 0, 0, 1, RECIPE)
    assert rebuilt.video('train_0000').path == str(moved / 'videos' / 'train_0000.mp4')
    assert len(load_actions(rebuilt.actions_path)) == len(load_actions(corpus.actions_path))


def test_a_rerun_keeps_what_the_user_has_edited(corpus, tmp_path):
    made = Path(shutil.copytree(corpus.root, tmp_path / 'made'))
    tables = [made / 'annotations' / 'actions.csv', made / 'annotations' / 'classes.txt']
    for path in (*tables, made / 'ground_truth' / 'performed.csv'):
        whole = path.read_text()
        lines = whole.splitlines(keepends=True)
        for edited in (whole + 'mine', ''.join([lines[0], *lines[2:]]), whole.replace('0', '1').replace('a', 'b')):
            path.write_text(edited)
            with pytest.raises(UserError, match=f'{path.name}: was changed since it was made'):
                make_sport(made, 1, 0, 1, RECIPE)
            assert path.read_text() == edited
        path.unlink()
        make_sport(made, 1, 0, 1, RECIPE)
        assert path.read_text() == whole
    for path in (tables[0], made / 'ground_truth' / 'performed.csv'):  # as before a run that was to extend the corpus
        path.write_text(''.join(line for line in path.read_text().splitlines(keepends=True) if 'test' not in line))
    make_sport(made, 1, 0, 1, RECIPE)
    assert _digest(made) == _digest(corpus.root)


def test_longer_plans_begin_with_shorter_ones_and_classes_are_even():
    plans = plan_videos(RECIPE, 'train', 40)
    assert plans != plan_videos(SportRecipe(1), 'train', 40)
    assert plans[:12] == plan_videos(RECIPE, 'train', 12)
    counts = [sum(plan.skills.count(skill) for plan in plans) for skill in SKILLS]
    assert max(counts) - min(counts) <= 1
    assert all(3 <= len(plan.skills) <= 6 for plan in plans)


def test_splits_share_no_kit_and_no_athlete():
    looks = {split: [make_athlete(RECIPE, split, k) for k in range(12)] for split in SPLITS}
    for one, other in (('train', 'test'), ('train', 'val'), ('val', 'test')):
        for body, _, look, hue in looks[one]:
            for body2, _, look2, hue2 in looks[other]:
                assert body != body2
                assert abs(hue - hue2) > 0.002
                assert not np.array_equal(look.colors, look2.colors)


def test_unlabelled_videos_have_other_athletes_and_no_actions(corpus, tmp_path):
    made = make_sport(shutil.copytree(corpus.root, tmp_path / 'out'), 1, 0, 1, RECIPE, unlabelled=1)
    assert sorted(made.videos()) == ['test_0000', 'train_0000', 'unlabelled_0000']
    assert {action.video for action in load_actions(made.actions_path)} == {'test_0000', 'train_0000'}
    assert make_athlete(RECIPE, 'unlabelled', 0)[0] != make_athlete(RECIPE, 'train', 0)[0]


def test_invalid_numbers_write_nothing(tmp_path):
    for fields, message in (
        ({'seed': -1}, 'seed must be a whole number, 0 or more; found -1'),
        *(({'seed': seed}, 'seed must be a whole number') for seed in (1.5, True)),
        ({'width': 129}, 'width must be an even number, from 128 to 1024; found 129'),
        ({'height': 4000}, 'height must be an even number'),
        ({'sub_frames': 0}, 'sub_frames must be a whole number, from 1 to 32'),
    ):
        with pytest.raises(UserError, match=message):
            SportRecipe(**fields)
    for numbers, message in (
        (dict(train=-1), 'train must be'),
        (dict(train=0, val=0, test=0), 'nothing to make'),
        (dict(workers=0), 'workers must be a whole number, 1 or more'),
    ):
        with pytest.raises(UserError, match=message):
            make_sport(tmp_path / 'out', **numbers)
    assert not (tmp_path / 'out').exists()


def test_foreign_folders_are_not_changed(corpus, tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    with pytest.raises(UserError, match=r'not empty and no corpus'):
        make_sport(tmp_path, 1, 0, 0, RECIPE)
    assert [p.name for p in tmp_path.iterdir()] == ['thesis.txt']
    before = _digest(corpus.root)
    with pytest.raises(UserError, match='was made with'):
        make_sport(corpus.root, 1, 0, 1, SportRecipe(seed=5, width=128, height=128, sub_frames=2))
    assert _digest(corpus.root) == before
    other = tmp_path / 'other'
    other.mkdir()
    shutil.copy(corpus.root / 'corpus.json', other)
    shutil.copy(corpus.root / 'videos.csv', other)
    with pytest.raises(UserError, match='not of the synthetic sport'):
        make_sport(other, 1, 0, 0, RECIPE)


def test_tool_reports_errors_in_one_line(run_python, tmp_path):
    done = run_python(
        ROOT / 'tools' / 'make_synthetic.py', 'sport', '--out', tmp_path / 'x', '--seed', 'seven', cwd=tmp_path
    )
    assert done.returncode == 1
    assert 'seven' in done.stderr
    assert done.stderr.count('\n') == 1
