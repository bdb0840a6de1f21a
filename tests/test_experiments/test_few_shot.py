"""The few-shot protocol: fixed subsets, the tool and its tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fewshot import main
from mmengine.logging import MessageHub, MMLogger
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.experiments import draw_few_shot, few_shot_list
from vpd_mm.structures import Action, load_actions, save_actions

CONFIG = 'configs/recognize/bigru.py'


def actions_of(counts, split='train', start=0):
    return [
        Action(f'{split}{c}_{i}', f'v{c}', 5 * i, 5 * i + 9, c, split) for c, n in enumerate(counts) for i in range(n)
    ]


def test_k_training_actions_of_every_class_are_drawn():
    actions = actions_of([6, 9]) + actions_of([5, 5], 'test')
    ids = draw_few_shot(actions, 4, np.random.default_rng(0), ['a', 'b'])
    assert len(set(ids)) == 8
    assert sum(i.startswith('train0') for i in ids) == 4
    assert not any(i.startswith('test') for i in ids)
    assert ids == draw_few_shot(actions[::-1], 4, np.random.default_rng(0), ['a', 'b'])
    assert ids != draw_few_shot(actions, 4, np.random.default_rng(1), ['a', 'b'])


def test_a_class_with_too_few_actions_is_named():
    with pytest.raises(UserError, match=r'k=8 is more than the training actions of dive \(6\)'):
        draw_few_shot(actions_of([6, 9]), 8, np.random.default_rng(0), ['dive', 'turn'])
    assert len(draw_few_shot(actions_of([6, 9]), 8, np.random.default_rng(0), ['dive', 'turn'], True)) == 14


def test_lists_are_drawn_once_and_published_lists_are_kept(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'v0': (25.0, 99), 'v1': (25.0, 99)}, actions_of([6, 6]))
    path = few_shot_list(corpus, 2, 0)
    text = path.read_text()
    assert len(text.split()) == 4
    assert few_shot_list(corpus, 2, 0).read_text() == text
    assert few_shot_list(corpus, 2, 1).read_text() != text
    corpus.fewshot_path(2, 2).write_text('train0_0\n')
    assert few_shot_list(corpus, 2, 2).read_text() == 'train0_0\n'


@pytest.fixture
def fewshot(tmp_path, monkeypatch):
    """``main`` of tools/fewshot.py with a corpus of two classes and one epoch."""
    videos = {'v0': (25.0, 200), 'v1': (25.0, 200)}
    actions = actions_of([6, 6]) + actions_of([2, 2], 'val') + actions_of([3, 3], 'test')
    corpus = make_corpus(tmp_path / 'c', videos, actions)
    monkeypatch.chdir(tmp_path)
    short = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1']

    def run(*arguments):
        for shared in (MessageHub, MMLogger):
            shared._instance_dict.clear()
        where = ['--corpus', str(corpus.root), '--features', 'joints', '--executor', 'debug', '--work-dir', 'w']
        return main([CONFIG, *where, *arguments, '--cfg-options', *short])

    return run


def test_actions_without_features_are_an_error_before_the_training_or_counted(fewshot):
    corpus = Corpus.open('c')
    corpus.add_videos([VideoInfo('v2', '', 25.0, 50, 64, 64)])
    more = [Action('new0', 'v2', 5, 14, 0, 'train'), Action('new1', 'v2', 15, 24, 1, 'test')]
    save_actions(corpus.actions_path, [*load_actions(corpus.actions_path), *more])
    with pytest.raises(UserError, match=r'1 of 7 actions have no .*joints.* features: new1'):
        fewshot('--k', 'all', '--all-seeds', '1')
    assert not list(Path('w').rglob('*.pth'))
    fewshot('--k', 'all', '--all-seeds', '1', '--allow-missing')
    for name in ('results', 'summary'):
        assert pd.read_csv(f'w/{name}.csv')['left_out'].tolist() == [2]


def test_the_tool_trains_selects_on_validation_and_adds_to_its_tables(fewshot, capsys):
    assert not fewshot('--k', '2', '--subsets', '2')
    results = pd.read_csv('w/results.csv')
    assert results[['k', 'subset', 'seed', 'selected_on']].values.tolist() == [[2, 0, 0, 'val'], [2, 1, 0, 'val']]
    assert results['top1'].between(0, 100).all()
    assert results['features'].tolist() == ['joints', 'joints']
    assert 'bigru' in capsys.readouterr().out
    modified = {path: path.stat().st_mtime_ns for path in Path('w/runs').glob('*.json')}
    assert not fewshot('--k', 'all', '2', '--subsets', '2', '--all-seeds', '1')
    assert {path: path.stat().st_mtime_ns for path in modified} == modified
    assert sorted(pd.read_csv('w/results.csv')['k']) == ['2', '2', 'all']
    summary = pd.read_csv('w/summary.csv').set_index('k')
    assert summary['runs'].to_dict() == {'2': 2, 'all': 1}
    assert summary.loc['2', 'top1_mean'] == results['top1'].mean()
    assert summary.loc['2', 'top1_sd'] == pytest.approx(results['top1'].std())


def test_the_tool_refuses_what_it_cannot_do(fewshot):
    for message, *arguments in (
        ('--k 0: must be a number above 0 or all', '0'),
        (r'k=9 is more than the training actions of class0 \(6\), class1 \(6\)', '9'),
        (r'--print-jobs: removed in 0\.2; use --executor slurm', '2', '--print-jobs'),
    ):
        with pytest.raises(UserError, match=message):
            fewshot('--k', *arguments)


def test_a_list_without_a_class_is_refused_or_accepted_as_short(fewshot, tmp_path):
    path = tmp_path / 'c' / 'annotations' / 'fewshot' / '2_0.txt'
    path.parent.mkdir(exist_ok=True)
    path.write_text('train0_0\ntrain0_1\n')
    with pytest.raises(UserError, match=r'2_0\.txt: names no action of 1 of 2 classes that have training actions'):
        fewshot('--k', '2', '--subsets', '1')
    assert not fewshot('--k', '2', '--subsets', '1', '--allow-short')
