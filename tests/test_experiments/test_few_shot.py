"""The few-shot protocol: fixed subsets, a grid that resumes, means and deviations."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.engine.resume import config_digest, sole_training
from vpd_mm.errors import UserError
from vpd_mm.experiments.few_shot import draw_few_shot, few_shot_list
from vpd_mm.experiments.few_shot_grid import (
    GridRow,
    GridRun,
    read_rows,
    run_grid,
    summarize,
    write_rows,
)
from vpd_mm.features.corpus_config import adapt_config, datasets_of
from vpd_mm.structures import Action

CONFIG = Path(__file__).resolve().parents[2] / 'configs/recognize/bigru_joints_500e_penn.py'


def actions_of(counts, split='train', start=0):
    return [
        Action(f'{split}{c}_{i}', f'v{c}', 5 * i, 5 * i + 9, c, split) for c, n in enumerate(counts) for i in range(n)
    ]


def row(**kwargs):
    values = dict(config='c', corpus='p', features='joints', k='4', subset=0, seed=0, protocol='default')
    values |= dict(
        settings='ab', selected_on='val', checkpoint='best.pth', top1=50.0, top5=90.0, mean1=40.0, seconds=1.5
    )
    return GridRow(**(values | kwargs))


def test_k_of_every_class_from_training_only():
    actions = actions_of([6, 9]) + actions_of([5, 5], 'test')
    ids = draw_few_shot(actions, 4, np.random.default_rng(0), ['a', 'b'])
    assert len(set(ids)) == 8
    assert sum(i.startswith('train0') for i in ids) == 4
    assert not any(i.startswith('test') for i in ids)
    assert ids == draw_few_shot(actions[::-1], 4, np.random.default_rng(0), ['a', 'b'])
    assert ids != draw_few_shot(actions, 4, np.random.default_rng(1), ['a', 'b'])


def test_a_class_that_is_too_small_is_named():
    with pytest.raises(UserError, match=r'k=8 is more than the training actions of dive \(6\)'):
        draw_few_shot(actions_of([6, 9]), 8, np.random.default_rng(0), ['dive', 'turn'])
    assert len(draw_few_shot(actions_of([6, 9]), 8, np.random.default_rng(0), ['dive', 'turn'], True)) == 14


def test_lists_are_drawn_once_and_published_ones_win(tmp_path):
    corpus = make_corpus(tmp_path / 'c', {'v0': (25.0, 99), 'v1': (25.0, 99)}, actions_of([6, 6]))
    path = few_shot_list(corpus, 2, 0)
    text = path.read_text()
    assert len(text.split()) == 4
    assert few_shot_list(corpus, 2, 0).read_text() == text
    assert few_shot_list(corpus, 2, 1).read_text() != text
    corpus.fewshot_path(2, 2).write_text('train0_0\n')
    assert few_shot_list(corpus, 2, 2).read_text() == 'train0_0\n'


def test_rows_round_trip_and_are_summarised(tmp_path):
    rows = [row(subset=i, top1=t) for i, t in enumerate((50.0, 60.0, 70.0))] + [row(k='all', top1=90.0)]
    write_rows(tmp_path / 'fewshot.csv', rows)
    assert read_rows(tmp_path / 'fewshot.csv') == rows
    few, full = summarize(rows)
    assert (few['k'], few['runs'], few['top1_mean'], few['top1_sd']) == ('4', 3, 60.0, 10.0)
    assert (full['k'], full['runs'], full['top1_sd']) == ('all', 1, 0.0)
    assert (tmp_path / 'fewshot_summary.csv').read_text().startswith('config,corpus,features,protocol,settings,k,runs')
    (tmp_path / 'other.csv').write_text('a,b\n1,2\n')
    with pytest.raises(UserError, match='not a table'):
        read_rows(tmp_path / 'other.csv')


def small_grid(tmp_path, epochs):
    """The recognition config on a corpus of its own, for so many epochs."""
    videos = {'v0': (25.0, 200), 'v1': (25.0, 200)}
    actions = actions_of([6, 6]) + actions_of([2, 2], 'val') + actions_of([3, 3], 'test')
    corpus = make_corpus(tmp_path / 'c', videos, actions)
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(
        {'train_cfg.max_epochs': epochs, 'train_cfg.val_interval': 1, 'default_hooks.checkpoint.interval': 1}
    )
    cfg.val_evaluator[0].metric_options = cfg.test_evaluator[0].metric_options = dict(top_k_accuracy=dict(topk=(1, 5)))
    return adapt_config(cfg, str(corpus.root), 'joints')


def test_the_grid_trains_chooses_on_validation_and_does_nothing_twice(tmp_path):
    cfg = small_grid(tmp_path, 2)
    assert cfg.model.num_classes == 2
    assert cfg.model.backbone.in_dims == 2
    assert next(datasets_of(cfg, 'val')).split == 'val'
    reported = []
    runs = [GridRun(2, 0, 0), GridRun(None, 0, 0)]
    rows = run_grid(cfg, 'penn', runs, tmp_path / 'w', report=reported.append)
    assert [r.k for r in rows] == ['2', 'all']
    assert rows == sorted(read_rows(tmp_path / 'w/fewshot.csv'), key=lambda r: r.k)
    assert len(reported) == 2
    assert all(r.selected_on == 'val' and 0 <= r.top1 <= 100 for r in rows)
    again = run_grid(cfg, 'penn', runs, tmp_path / 'w', report=reported.append)
    assert again == rows
    assert len(reported) == 2
    with pytest.raises(UserError, match='protocol must be'):
        run_grid(cfg, 'penn', runs, tmp_path / 'w', protocol='best')


def test_rows_that_another_process_adds_stay(tmp_path):
    other = row(k='8')
    table = tmp_path / 'w/fewshot.csv'

    def meanwhile(found):
        if found.subset == 0:
            write_rows(table, [*read_rows(table), other])

    runs = [GridRun(2, 0, 0), GridRun(2, 1, 0)]
    rows = run_grid(small_grid(tmp_path, 1), 'penn', runs, tmp_path / 'w', report=meanwhile)
    assert set(read_rows(table)) == {*rows, other}


def test_a_run_that_was_killed_while_it_saved_is_done_anew(tmp_path):
    cfg = small_grid(tmp_path, 1)
    folder = tmp_path / 'w' / f'default-{config_digest(cfg)}' / '2_0_seed0'
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))  # deleted to make room for the next
    (found,) = run_grid(cfg, 'penn', [GridRun(2, 0, 0)], tmp_path / 'w')
    assert (folder / found.checkpoint).is_file()


def test_a_run_that_another_process_is_at_is_refused(tmp_path):
    cfg = small_grid(tmp_path, 1)
    folder = tmp_path / 'w' / f'default-{config_digest(cfg)}' / '2_0_seed0'
    with sole_training(folder), pytest.raises(UserError, match='2_0_seed0: another process trains there'):
        run_grid(cfg, 'penn', [GridRun(2, 0, 0)], tmp_path / 'w')
