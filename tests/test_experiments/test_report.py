"""Scores, ensembles, tables, plot and metafile rows, by value."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from comparison_corpus import ROOT, easy_corpus, plan_of, write_comparison
from mmengine.config import Config

from vpd_mm.baselines import ClipScoreMetric, ClipScores, mean_scores
from vpd_mm.baselines.clip_score_metric import as_probabilities
from vpd_mm.engine.paths import find_config
from vpd_mm.errors import UserError
from vpd_mm.experiments.comparison import read_comparison
from vpd_mm.experiments.report import Cell, cells_of, collect_rows, detection_rows, write_results
from vpd_mm.experiments.report_metafile import (
    merge_metafile,
    metafile_cells,
    metafile_rows,
    readme_tables,
    update_readme,
)
from vpd_mm.experiments.report_tables import accuracy_table, ap_table, report_text, sources_table
from vpd_mm.experiments.run_store import RunStore
from vpd_mm.visualize.plots import draw_accuracy

IDS = np.array(['a', 'b', 'c'])
LABELS = np.array([0, 1, 1])
FIRST = ClipScores(IDS, np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.float32), LABELS)
SECOND = ClipScores(IDS, np.array([[0.4, 0.6], [0.3, 0.7], [0.6, 0.4]], np.float32), LABELS)
BIGRU = 'configs/recognize/bigru_joints_500e_penn.py'
METHODS = [
    dict(name='joint', group='skeletons', config=BIGRU),
    dict(name='bone', group='skeletons', config=BIGRU, options={'optim_wrapper.optimizer.lr': 0.5}),
    dict(name='joint + bone', group='skeletons', kind='ensemble', of=['joint', 'bone']),
    dict(name='nearest', group='given', kind='nearest', features='joints'),
    dict(name='all three', kind='ensemble', of=['joint + bone', 'nearest']),
]
DETECTION = dict(methods=[dict(name='found', config='configs/detect/bigru_joints_100e_synthetic.py')])


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A comparison whose k=2 runs are finished with known scores; one of k='all' is not."""
    folder = tmp_path_factory.mktemp('report')
    corpus = easy_corpus(folder / 'easy')
    fields = dict(methods=METHODS, detection=DETECTION, options={}, all_seeds=2)
    plan = plan_of(write_comparison(folder / 'c.py', corpus, **fields))
    store = RunStore(folder / 'runs')
    for run in plan.runs:
        about = dict(kind=run.method.kind, config=run.config, features=run.method.features, corpus='easy')
        about |= dict(k=run.k or 'all', subset=run.subset, seed=run.seed, split=run.split, protocol='default')
        about |= dict(selected_on='val', settings=run.settings, commit='abc', checkpoint='', seconds=3.0)
        if run.section == 'detection':
            aps = {f'AP@0.{i}': 0.1 * i + 0.05 * run.seed for i in range(1, 10)}
            store.save(run.key, about | aps | dict(threshold=0.5, mAP=0.5))
            continue
        if run.k is None and run.seed == 1:
            continue
        scores = SECOND if run.method.name == 'bone' or run.subset == 1 else FIRST
        scores.save(store.scores_path(run.key))
        store.save(run.key, about | scores.accuracy())
    return folder, plan, store


def test_scores_round_trip_and_damage_is_named(tmp_path):
    FIRST.save(tmp_path / 's.npz')
    again = ClipScores.load(tmp_path / 's.npz')
    for name in ('action_ids', 'scores', 'labels'):
        np.testing.assert_array_equal(getattr(again, name), getattr(FIRST, name))
    (tmp_path / 's.npz').write_bytes((tmp_path / 's.npz').read_bytes()[:99])
    with pytest.raises(UserError, match=r's\.npz: unreadable'):
        ClipScores.load(tmp_path / 's.npz')
    for bad in (dict(labels=np.array([0, 1, 2])), dict(action_ids=np.array(['a', 'a', 'b'])), dict(labels=LABELS[:2])):
        with pytest.raises(UserError, match='ClipScores: '):
            ClipScores(**(vars(FIRST) | bad))


def test_accuracy_by_hand():
    assert FIRST.accuracy() == {'top1': 66.67, 'top5': 100.0, 'mean1': 75.0}
    six = np.eye(7, dtype=np.float32)[[6]] * 0 + np.array([[0.3, 0.2, 0.15, 0.13, 0.12, 0.06, 0.04]], np.float32)
    assert ClipScores(np.array(['a']), six, np.array([4])).accuracy() == {'top1': 0.0, 'top5': 100.0, 'mean1': 0.0}
    assert ClipScores(np.array(['a']), six, np.array([5])).accuracy()['top5'] == 0.0


def test_the_mean_of_scores_by_hand_whatever_the_order():
    mean = mean_scores([FIRST, SECOND])
    np.testing.assert_allclose(mean.scores, [[0.65, 0.35], [0.45, 0.55], [0.4, 0.6]], atol=1e-6)
    assert mean.accuracy()['top1'] == 100.0
    turned = ClipScores(IDS[::-1], SECOND.scores[::-1], LABELS[::-1])
    np.testing.assert_array_equal(mean_scores([FIRST, turned]).scores, mean.scores)
    with pytest.raises(UserError, match='other clips'):
        mean_scores([FIRST, ClipScores(np.array(['a', 'b', 'd']), SECOND.scores, LABELS)])
    with pytest.raises(UserError, match='labelled differently'):
        mean_scores([FIRST, ClipScores(IDS, SECOND.scores, LABELS[::-1])])


def test_the_metric_writes_what_the_model_said(tmp_path):
    metric = ClipScoreMetric(str(tmp_path / 's.npz'))
    samples = [
        {'action_id': 'a', 'pred_score': torch.tensor([0.25, 0.75]), 'gt_label': torch.tensor([1])},
        {'action_id': 'b', 'pred_score': torch.tensor([[0.0, 0.0], [np.log(3), 0.0]]), 'gt_label': torch.tensor([0])},
    ]
    metric.process({}, samples)
    assert metric.evaluate(2) == {'scores/clips': 2}
    scores = ClipScores.load(tmp_path / 's.npz')
    assert scores.action_ids.tolist() == ['a', 'b']
    assert scores.labels.tolist() == [1, 0]
    np.testing.assert_allclose(scores.scores, [[0.25, 0.75], [0.625, 0.375]], atol=1e-6)
    np.testing.assert_allclose(as_probabilities(np.array([0.2, 0.8])), [0.2, 0.8], atol=1e-6)


def test_ensembles_are_means_of_their_members_runs(finished):
    _, plan, store = finished
    rows = collect_rows(plan, store)
    both = [row for row in rows if row.method == 'joint + bone']
    assert [(row.k, row.subset, row.seed) for row in both] == [('2', 0, 0), ('2', 1, 0), ('all', 0, 0)]
    assert [row.top1 for row in both] == [100.0, SECOND.accuracy()['top1'], 100.0]
    three = next(row for row in rows if row.method == 'all three')
    mean = (mean_scores([FIRST, SECOND]).scores + FIRST.scores) / 2
    assert three.top1 == round(100 * float((mean.argmax(1) == LABELS).mean()), 2)
    assert three.config == f'{BIGRU} + joints'
    write_results(finished[0] / 'results.csv', rows)
    header, first = (finished[0] / 'results.csv').read_text().splitlines()[:2]
    assert header.startswith('section,method,group,kind,config,features,corpus,k,subset,seed,split,')
    assert first.startswith(f'table,joint,skeletons,train,{BIGRU},,easy,2,0,0,annotations/fewshot/2_0.txt,')


def test_cells():
    assert str(Cell.of([50.0, 60.0, 70.0], 3)) == '60.0 ± 10.0'
    assert str(Cell.of([50.0], 1)) == '50.0'
    assert str(Cell.of([50.0], 3)) == '50.0 (1 of 3 runs)'


def test_the_table_has_the_papers_shape_and_its_numbers_beside_ours(finished, tmp_path):
    folder, plan, store = finished
    rows, section = collect_rows(plan, store), plan.comparison.sections[0]
    table = accuracy_table(plan, section, rows).splitlines()
    assert table[:3] == ['| method | 2-shot | all |', '|---|---:|---:|', '| *skeletons* |  |  |']
    assert table[3] == '| joint | 50.0 ± 23.6 | 66.7 (1 of 2 runs) |'
    numbers = {'source': 'a paper', 'datasets': {'Easy': {'joint': {'2': 61.5}}, 'Other': {'bone': {'all': 1}}}}
    (tmp_path / 'r.json').write_text(json.dumps(numbers))
    text = (folder / 'c.py').read_text() + f"reference = '{tmp_path}/r.json'\n"
    (tmp_path / 'c.py').write_text(text)
    stated = plan_of(tmp_path / 'c.py')
    table = accuracy_table(stated, stated.comparison.sections[0], rows).splitlines()
    assert table[0] == '| method | 2-shot | paper | all |'
    assert table[3].startswith('| joint | 50.0 ± 23.6 | 61.5 | 66.7')
    assert table[4].startswith('| bone | 33.3 ± 0.0 |  | 33.3')
    (tmp_path / 'r.json').write_text('{"datasets": {}}')
    with pytest.raises(UserError, match=r'r\.json: needs source and datasets'):
        accuracy_table(stated, stated.comparison.sections[0], rows)


def test_the_ap_table_and_the_sources(finished):
    _, plan, store = finished
    if 'found' in plan.faults:
        pytest.fail(plan.faults['found'])
    section = plan.comparison.sections[-1]
    lines = ap_table(section, detection_rows(plan, store)).splitlines()
    assert lines[0] == '| method | AP@0.3 | AP@0.4 | AP@0.5 | AP@0.6 | AP@0.7 |'
    assert lines[2].startswith('| found | 32.5 ± 3.5 | 42.5 ± 3.5 |')
    sources = sources_table(collect_rows(plan, store))
    assert f'| joint | {BIGRU} | 2 | 0, 1 | 0 | val | default | abc |' in sources
    assert '| nearest | DTW on joints | all | train | 0 |  | default | abc |' in sources
    text = report_text(plan, collect_rows(plan, store), detection_rows(plan, store), 'p.png')
    assert text.index('# Two easy classes') < text.index('![Accuracy') < text.index('## Detection in uncut videos')


def test_the_plot_shows_every_method(finished, tmp_path):
    _, plan, store = finished
    section = plan.comparison.sections[0]
    assert not draw_accuracy(tmp_path / 'p.png', 'x', section, {})
    assert not (tmp_path / 'p.png').exists()
    cells = cells_of(plan, collect_rows(plan, store), section)
    assert draw_accuracy(tmp_path / 'p.png', 'x', section, cells)
    assert draw_accuracy(
        tmp_path / 'q.png', 'x', section, {place: c for place, c in cells.items() if place[0] != 'bone'}
    )
    with_bone, without = (cv2.imread(str(tmp_path / name)) for name in ('p.png', 'q.png'))
    orange = np.array([14, 127, 255])  # BGR of the second method's line
    assert (with_bone == orange).all(2).sum() > (without == orange).all(2).sum() + 100


def test_metafile_rows_go_beside_those_of_others_and_make_the_readme(finished, tmp_path):
    _, plan, store = finished
    models = metafile_rows(plan, collect_rows(plan, store), detection_rows(plan, store), 'results.csv')
    path = tmp_path / 'metafile.yml'
    other = {'Name': 'x', 'In Collection': 'VPD', 'Metadata': {'Comparison': 'other'}}
    collection = {'Name': 'VPD', 'Paper': {'Title': 'VPD'}}
    path.write_text(yaml.safe_dump({'Collections': [collection], 'Models': [other]}))
    assert merge_metafile(path, models[1:2], plan.comparison) == models[1:2]
    assert merge_metafile(path, models, plan.comparison) == models
    # What was run elsewhere stays, what is no longer a method goes, the order is the comparison's.
    assert merge_metafile(path, models[2:3], plan.comparison) == models
    sections = plan.comparison.sections
    fewer = replace(plan.comparison, sections=(replace(sections[0], methods=sections[0].methods[1:]), *sections[1:]))
    assert merge_metafile(path, [], fewer) == [row for row in models if row['Metadata']['Method'] != 'joint']
    assert merge_metafile(path, models[:2], plan.comparison) == models
    content = yaml.safe_load(path.read_text())
    assert content['Models'] == [other, *models]
    assert content['Collections'][0] == collection
    joint = content['Models'][1]
    assert joint['Config'] == BIGRU
    assert joint['Metadata']['Split'] == ['annotations/fewshot/2_0.txt', 'annotations/fewshot/2_1.txt']
    assert joint['Metadata']['Seeds'] == [0]
    assert joint['Results'][0]['Metrics'] == {'Top 1 Accuracy': 50.0, 'Top 1 Deviation': 23.57}
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- compare:easy -->\nold\n<!-- /compare -->\nafter\n')
    update_readme(readme, 'easy', readme_tables(content['Models'][1:]))
    text = readme.read_text()
    assert text.startswith('before\n<!-- compare:easy -->\n| method | 2-shot | all |\n')
    assert '| joint | 50.0 ± 23.6 | 66.7 |' in text
    assert '| found | 32.5 |' in text
    assert text.endswith('protocol default; commits in the metafile.\n<!-- /compare -->\nafter\n')
    assert 'old' not in text
    with pytest.raises(UserError, match='needs the lines <!-- compare:penn -->'):
        update_readme(readme, 'penn', '')
    path.write_text('- 1\n')
    with pytest.raises(UserError, match='is no metafile'):
        merge_metafile(path, models, plan.comparison)
    for section in plan.comparison.sections[:1]:
        own, stated = cells_of(plan, collect_rows(plan, store), section), metafile_cells(models, section)
        assert own.keys() == stated.keys()
        for place, cell in own.items():
            assert (stated[place].mean, stated[place].deviation) == pytest.approx((cell.mean, cell.deviation), abs=0.01)


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/compare').glob('*.py')), ids=lambda p: p.stem)
def test_the_comparisons_of_this_project_name_configs_that_are_there(path):
    comparison = read_comparison(Config.fromfile(path))
    assert comparison.sections
    names = {name for s in comparison.sections for m in s.methods for name in (m.config, m.config_all) if name}
    for name in names:
        assert Path(find_config(name)).is_file()
