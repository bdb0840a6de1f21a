"""What is learned from, folds, calibration, threshold, and a training from end to end."""

import numpy as np
import pytest
from learning_corpus import CLASSES, LENGTH, make_learning_corpus

from vpd_mm.detect import temporal_iou
from vpd_mm.engine.paths import find_config
from vpd_mm.errors import UserError
from vpd_mm.files import list_folder
from vpd_mm.structures import Action, load_actions, save_actions, save_classes
from vpd_mm.studio import Workspace, learning
from vpd_mm.studio.calibration import calibrate, fit_temperature, reliability, temper
from vpd_mm.studio.folds import assign_folds
from vpd_mm.studio.predictions import PredictionStore
from vpd_mm.studio.reviews import Reviews
from vpd_mm.studio.segments import Segment
from vpd_mm.studio.training_worker import make_task, train, usable_labels


@pytest.fixture
def workspace(tmp_path):
    return Workspace(make_learning_corpus(tmp_path / 'c'), 'vpd')


def test_folds_keep_videos_together_and_stay(workspace):
    videos, actions = workspace.corpus.videos(), load_actions(workspace.corpus.actions_path)
    folds = assign_folds(actions, videos)
    assert folds.unit == 'video'
    assert all(len({folds.of(a, videos) for a in actions if a.video == name}) == 1 for name in ('v0', 'v1'))
    assert {folds.of(a, videos) for a in actions} == {0, 1, 2}
    later = assign_folds([*actions, Action('v5:0', 'v5', 0, 9, 1, 'train')], videos, folds)
    assert [later.of(a, videos) for a in actions] == [folds.of(a, videos) for a in actions]


def test_labels_of_one_video_are_spread_by_class():
    actions = [Action(f'{i}', 'v', 10 * i, 10 * i + 5, i % 2, 'train') for i in range(6)]

    class Info:
        file = 'v'

    folds = assign_folds(actions, {'v': Info})
    assert folds.unit == 'label'
    for label in (0, 1):
        assert sorted(folds.of_unit[a.action_id] for a in actions if a.label == label) == [0, 1, 2]


def test_too_little_to_learn_from_is_one_line(workspace):
    corpus, path = workspace.corpus, workspace.corpus.actions_path
    actions = load_actions(path)
    one_class = [a for a in actions if a.label == 0]
    cases = [
        ([], 'no labels yet'),
        (one_class, r'all labels are of one class \(rise\)'),
        ([one_class[0], one_class[1], actions[1]], 'too few labels: 3 labels of 2 classes'),
        ([a.__class__(**{**vars(a), 'split': 'test'}) for a in actions], 'no labels yet'),
    ]
    for rows, line in cases:
        save_actions(path, rows)
        with pytest.raises(UserError, match=line):
            usable_labels(workspace)
    with pytest.raises(UserError, match='has no features yet'):
        usable_labels(Workspace(corpus))


def test_temperature_repairs_overconfidence():
    rng = np.random.default_rng(0)
    true = rng.dirichlet([0.5] * 4, 3000)
    labels = np.array([rng.choice(4, p=p) for p in true])
    sharp = temper(true, 0.4)
    assert fit_temperature(sharp, labels) == pytest.approx(2.5, rel=0.1)
    before, _ = reliability(sharp, labels)
    after, bins = reliability(true, labels)
    assert after < 0.03 < 0.08 < before
    assert sum(b['n'] for b in bins) == 3000
    temperature, report = calibrate(sharp, labels, np.arange(3000) % 3)
    assert temperature == pytest.approx(2.5, rel=0.1)
    assert report['error'] < report['error_before']
    assert calibrate(sharp, labels, np.zeros(3000))[0] == 1.0


def test_a_temperature_that_does_not_help_is_not_used():
    probabilities = np.full((6, 2), 0.5)
    assert calibrate(probabilities, np.array([0, 1, 0, 1, 0, 1]), np.arange(6) % 3)[0] == 1.0


def test_the_threshold_finds_labels_with_few_proposals():
    scores = np.full((200, 1), 0.3)
    scores[50:70] = 0.9
    scores[120:140] = 0.6  # labelled as well
    actions = [Action('a', 'v', 50, 70, 0, 'train'), Action('b', 'v', 120, 140, 1, 'train')]
    rule, report = learning.choose_rule([('v', scores, np.arange(201))], actions, 20.0)
    assert 0.3 < rule.threshold <= 0.6
    assert report['found']['value'] == 1.0
    assert report['num_proposals'] == 2
    assert report['found']['chance'] < 0.5
    assert learning.choose_rule([], actions, 20.0)[1] is None


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Configs of a few steps; a function that sets others."""
    steps = {'recognizer': 'train_cfg = dict(max_iters=40)', 'scorer': 'train_cfg = dict(max_epochs=1)'}
    bases = {kind: find_config(learning.CONFIGS[kind]) for kind in steps}

    def write(scorer_steps, **steps):
        monkeypatch.setattr(learning, 'SCORER_STEPS', scorer_steps)
        for kind, line in steps.items():
            path = tmp_path / f'{kind}.py'
            path.write_text(f'_base_ = [{str(bases[kind])!r}]\n{line}\n')
            monkeypatch.setitem(learning.CONFIGS, kind, str(path))

    write(10, **steps)
    return write


def test_a_training_predicts_the_rest_of_the_corpus(workspace, quick):
    stages = []
    report = train(workspace, lambda stage, done: stages.append((stage, done)))
    store = PredictionStore(workspace)
    assert stages[0] == ('train', 0.0)
    assert stages[-1][0] == 'save'
    assert not store.is_stale()
    assert report['accuracy']['value'] > 0.8
    assert report['accuracy']['n'] == 16
    assert report['accuracy']['chance'] == pytest.approx(6 / 16)
    assert np.sum(report['confusion']) == 16
    assert report['validated_by'] == 'video'
    assert not report['warm']
    found = [p for p in store.read().all() if p.segment.video in ('v4', 'v5')]
    right = 0
    for i in (4, 5):
        spans = np.array([(p.segment.start_frame, p.segment.end_frame) for p in found if p.segment.video == f'v{i}'])
        labels = [p.label for p in found if p.segment.video == f'v{i}']
        for j in range(4):
            tiou = temporal_iou((20 + 40 * j, 20 + 40 * j + LENGTH), spans)
            right += tiou.max() > 0.5 and labels[tiou.argmax()] == CLASSES[(i + j) % 3]
    assert right >= 6  # by chance less than once in 50
    assert all(sum(p.scores.values()) == pytest.approx(1, abs=1e-3) for p in found)
    frames, scores = store.frame_scores('v4')
    assert frames.tolist() == list(range(200))
    assert scores[25:35].mean() > scores[0:15].mean() + 0.2
    rejected = found[0]
    Reviews(workspace).add(rejected.segment, rejected.label, 'reject', '-', 1.0)
    save_classes(workspace.corpus.classes_path, CLASSES)
    assert not store.is_stale()
    save_actions(workspace.corpus.actions_path, load_actions(workspace.corpus.actions_path)[1:])
    assert store.is_stale()
    quick(2, recognizer='train_cfg = dict(max_iters=20)', scorer='train_cfg = dict(max_epochs=1)')
    again = train(workspace, lambda stage, done: None)
    assert again['warm']
    assert again['num_labels'] == 15
    assert not store.is_stale()
    assert not any(p.segment.tiou(rejected.segment) >= 0.5 for p in store.read().all())
    assert [t.num_labels for t in Reviews(workspace).trainings()] == [16, 15]
    assert [f.name for f in list_folder(store.root) if f.is_dir()] == [store.folder.name]


def test_other_classes_start_from_random_weights(workspace):
    task, _ = make_task(workspace, None, workspace.folder / 'trainings' / '1')
    assert task.before is None
    same, _ = make_task(workspace, task.folder, workspace.folder / 'trainings' / '2')
    assert same.before == task.folder
    assert same.folds.of_unit == task.folds.of_unit
    save_classes(workspace.corpus.classes_path, [*CLASSES, 'roll'])
    other, _ = make_task(workspace, task.folder, workspace.folder / 'trainings' / '3')
    assert other.before is None
    assert other.folds.of_unit == task.folds.of_unit
    assert task.rejected == []
    assert Segment('v0', 0, 1).tiou(Segment('v1', 0, 1)) == 0
