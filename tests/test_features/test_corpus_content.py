"""Digest of the settings of a training: it follows what the training reads, not how that is named."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.structures import Action, FeatureSequence, save_actions

ACTIONS = [Action('x0', 'v0', 20, 40, 0, 'train'), Action('x1', 'v1', 20, 40, 1, 'test')]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp('content') / 'c'
    corpus = make_corpus(root, {'v0': (25.0, 60), 'v1': (25.0, 60), 'other': (25.0, 9)}, ACTIONS)
    corpus.localize_path(0).parent.mkdir()
    corpus.localize_path(0).write_text('v0\n')
    (root / 'weights.pth').write_text('1')
    return corpus


def _digest(root, **fields):
    dataset = {'corpus': str(root), 'features': 'joints', 'max_videos': 1, **fields}
    model = {'backbone': {'init_cfg': {'checkpoint': str(root / 'weights.pth')}}}
    return settings_digest(Config({'model': model, 'train_dataloader': {'dataset': dataset}, 'work_dir': str(root)}))


def _add_one(path):
    sequence = FeatureSequence.load(path)
    FeatureSequence(sequence.frame_inds, sequence.feats + np.float32(1), sequence.scores).save(path)


def _save_again(path):
    FeatureSequence.load(path).save(path, {'config': 'x.py', 'inputs': {}})


@pytest.mark.parametrize(
    ('change', 'differs'),
    [
        (lambda c: _save_again(c / 'teacher/joints/v0.npz'), False),
        (lambda c: _add_one(c / 'teacher/joints/other.npz'), False),  # it has no action
        (lambda c: _add_one(c / 'teacher/joints/v0.npz'), True),
        (lambda c: (c / 'teacher/joints/v0.npz').unlink(), True),
        (lambda c: save_actions(c / 'annotations/actions.csv', [ACTIONS[0], replace(ACTIONS[1], label=0)]), True),
        (lambda c: save_actions(c / 'annotations/detect.csv', ACTIONS), True),
        (lambda c: (c / 'annotations/classes.txt').write_text('a\nb\n'), True),
        (lambda c: (c / 'annotations/localize/0.txt').write_text('v1\n'), True),
        (lambda c: (c / 'videos.csv').write_text((c / 'videos.csv').read_text().replace('v0,,25.0', 'v0,,50.0')), True),
        (lambda c: (c / 'weights.pth').write_text('2'), True),
    ],
)
def test_the_digest_follows_the_content(whole, tmp_path, change, differs):
    copy = shutil.copytree(whole.root, tmp_path / 'renamed')
    before = _digest(whole.root)
    assert _digest(copy) == before
    change(copy)
    assert (_digest(copy) != before) == differs


def test_a_detector_reads_videos_of_a_split_without_actions(whole, tmp_path):
    copy = Corpus.open(shutil.copytree(whole.root, tmp_path / 'c'))
    copy.splits_path.write_text('video,split\nother,train\n')
    before = _digest(copy.root)
    _add_one(copy.teacher_dir('joints') / 'other.npz')
    assert _digest(copy.root) != before


def test_a_distillation_reads_all_videos_of_its_teacher(whole, tmp_path):
    copy = Corpus.open(shutil.copytree(whole.root, tmp_path / 'c'))
    before = _digest(copy.root, teacher='joints', features=None)
    _add_one(copy.teacher_dir('joints') / 'other.npz')
    assert _digest(copy.root, teacher='joints', features=None) != before
