"""The few-shot protocol: fixed subsets, the tool and its tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compare import main as compare
from comparison_corpus import write_comparison
from fewshot import main
from mmengine.logging import MessageHub, MMLogger
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.engine.model_files import find_one_trained
from vpd_mm.errors import UserError
from vpd_mm.experiments import Method, draw_few_shot, few_shot_list, few_shot_spec, fit_ks
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
    modified = {path: path.stat().st_mtime_ns for path in Path('w/runs').glob('*.json')}
    output = capsys.readouterr().out
    assert '6 test clips of 2 videos, 2 classes; chance: 50.0 % by a uniform guess, 50.0 % by always' in output
    assert 'top-5' not in output
    mean, hits = results['top1'].mean(), round(results['top1'].mean() * 6 / 100, 6)
    assert ('warning: k=2' in output) == (mean < 100)  # of six clips, only all right is above chance
    assert 'next: python tools/test.py w\n' in output
    assert Path(find_one_trained('w')[1]).samefile(Path('w/runs') / results['checkpoint'][0])
    predictions = pd.read_csv('w/predictions.csv')
    assert len(predictions) == 12
    assert predictions.columns[3:].tolist() == [
        *('subset', 'seed', 'clip', 'video', 'label', 'prediction', 'score_class0', 'score_class1')
    ]
    assert set(predictions['clip']) == {f'test{c}_{i}' for c in range(2) for i in range(3)}
    assert (predictions['video'].str[1] == predictions['label'].str[-1]).all()
    assert (predictions[['score_class0', 'score_class1']].idxmax(axis=1).str[6:] == predictions['prediction']).all()
    assert (predictions['label'] == predictions['prediction']).sum() == 2 * hits
    confusion = pd.read_csv('w/confusion.csv').set_index('label')[['predicted_class0', 'predicted_class1']]
    assert confusion.sum(axis=1).to_dict() == {'class0': 6, 'class1': 6}
    assert np.diag(confusion).sum() == 2 * hits
    assert not fewshot('--k', 'all', '2', '--subsets', '2', '--all-seeds', '1')
    assert {path: path.stat().st_mtime_ns for path in modified} == modified
    assert sorted(pd.read_csv('w/results.csv')['k']) == ['2', '2', 'all']
    summary = pd.read_csv('w/summary.csv').set_index('k')
    assert summary['runs'].to_dict() == {'2': 2, 'all': 1}
    assert summary.loc['2', 'top1_mean'] == results['top1'].mean()
    assert summary.loc['2', 'top1_sd'] == pytest.approx(results['top1'].std())
    assert np.isnan(summary.loc['all', 'top1_sd'])


def test_default_ks_are_those_that_fit(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'v0': (25.0, 99), 'v1': (25.0, 99)}, actions_of([9, 6]))

    def fitted(ks=(), **fields):
        spec, note = fit_ks(few_shot_spec(Method('m', config='c'), str(corpus.root), ks, **fields))
        return spec.sections[0].ks, note

    assert fitted() == ((4, None), 'k = 4, all: class class1 has 6 training actions, too few for 8, 16, 32, 64')
    assert fitted(allow_short=True)[0] == (4, 8, None)
    assert fitted([8]) == ((8,), '')  # planning refuses it
    for subset in range(5):
        few_shot_list(corpus, 16, subset, allow_short=True)
    assert fitted()[0] == (4, 16, None)
    save_actions(corpus.actions_path, actions_of([9, 0]))
    assert fitted(subsets=6) == ((None,), 'k = all: class class1 has 0 training actions, too few for 4, 8, 16, 32, 64')


def test_fewshot_and_compare_share_their_runs(fewshot, capsys):
    short = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1, 'default_hooks.checkpoint.interval': 1}
    methods = [dict(name='2D-VPD', config=CONFIG, features='teacher/joints')]
    config = write_comparison(Path('c.py'), Corpus.open('c'), ks=[2], subsets=1, methods=methods, options=short)
    assert not fewshot('--k', '2', '--subsets', '1', '--work-dir', 'work_dirs/a')
    [result] = Path('work_dirs/runs').glob('*.json')
    modified = result.stat().st_mtime_ns
    assert not compare([str(config), '--executor', 'debug'])
    assert [path.stat().st_mtime_ns for path in Path('work_dirs/runs').glob('*.json')] == [modified]
    tables = [pd.read_csv(f'work_dirs/{name}/results.csv').set_index('method') for name in ('a', 'c')]
    assert tables[0].loc['bigru', 'key'] == tables[1].loc['2D-VPD', 'key'] == result.stem
    assert tables[0].loc['bigru', 'top1'] == tables[1].loc['2D-VPD', 'top1']
    text = Path('work_dirs/c/report.md').read_text()
    assert '6 test clips of 2 videos, 2 classes' in text
    assert '| 2D-VPD | 2 |' in text.partition('## Top-1 and chance')[2]
    assert len(pd.read_csv('work_dirs/c/predictions.csv')) == 6


def test_the_tool_refuses_what_it_cannot_do(fewshot):
    for message, *arguments in (
        ('--k 0: must be a number above 0 or all', '0'),
        (r'k=9 is more than the training actions of class0 \(6\), class1 \(6\); pass a k of 6 or less', '9'),
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
