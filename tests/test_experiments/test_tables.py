"""Scores, ensembles, tables, plot, published numbers and metafile rows, by value."""

import json
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from compare import main as compare
from comparison_corpus import ROOT, easy_corpus, plan_of, spec_of, write_comparison
from scipy.stats import binomtest

from vpd_mm.baselines import ClipScoreMetric, ClipScores, mean_scores
from vpd_mm.baselines.clip_scores import as_probabilities
from vpd_mm.errors import UserError
from vpd_mm.experiments import Plan, RunStore, add_to_table, run_missing, summarize, tables, write_table

IDS = np.array(['a', 'b', 'c'])
LABELS = np.array([0, 1, 1])
FIRST = ClipScores(IDS, np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.float32), LABELS)
SECOND = ClipScores(IDS, np.array([[0.4, 0.6], [0.3, 0.7], [0.6, 0.4]], np.float32), LABELS)
BIGRU = 'configs/recognize/bigru.py'
METHODS = [
    dict(name='joint', group='skeletons', config=BIGRU),
    dict(name='bone', group='skeletons', config=BIGRU, options={'optim_wrapper.optimizer.lr': 0.5}),
    dict(name='joint + bone', group='skeletons', kind='ensemble', of=['joint', 'bone']),
    dict(name='nearest', group='given', kind='nearest', features='joints'),
    dict(name='all three', kind='ensemble', of=['joint + bone', 'nearest']),
]
DETECTION = dict(methods=[dict(name='detector', config='configs/detect/bigru_detector.py', features='joints')])


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A comparison whose k=2 runs are finished with known scores; one of k='all' is not."""
    folder = tmp_path_factory.mktemp('report')
    corpus = easy_corpus(folder / 'easy')
    fields = dict(methods=METHODS, detection=DETECTION, options={}, all_seeds=2)
    path = write_comparison(folder / 'c.py', corpus, **fields)
    plan, store = plan_of(path), RunStore(folder / 'runs')
    for run in plan.runs:
        about = dict(commit='abc', seconds=3.0)
        if run.section == 'detection':
            aps = {f'AP@0.{i}': 10.0 * i + 5 * run.seed for i in range(1, 10)}
            store.save(run, about | aps | dict(threshold=0.5, mAP=50.0))
        elif not run.members and (run.k is not None or run.seed == 0):
            scores = SECOND if run.method.name == 'bone' or run.subset == 1 else FIRST
            store.root.mkdir(exist_ok=True)
            scores.save(store.scores_path(run.key))
            store.save(run, about | scores.accuracy())
    ensembles = [run for run in plan.runs if run.members]
    assert run_missing(ensembles, store) == {}
    return folder, spec_of(path), plan, store, summarize(store.to_frame(plan.runs))


def test_scores_round_trip_and_a_damaged_file_is_named(tmp_path):
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
    sizes = {'clips': 3, 'classes': 2, 'chance': 50.0, 'majority': 66.67}
    assert FIRST.accuracy() == {'top1': 66.67, 'top5': None, 'mean1': 75.0} | sizes
    six = np.array([[0.3, 0.2, 0.15, 0.13, 0.12, 0.1]], np.float32)
    for scores, label, top5 in ((six, 4, 100.0), (six, 5, 0.0), (six[:, :5], 4, None)):
        assert ClipScores(np.array(['a']), scores, np.array([label])).accuracy()['top5'] == top5


def test_the_mean_of_scores_does_not_depend_on_the_order_of_clips():
    mean = mean_scores([FIRST, SECOND])
    np.testing.assert_allclose(mean.scores, [[0.65, 0.35], [0.45, 0.55], [0.4, 0.6]], atol=1e-6)
    assert mean.accuracy()['top1'] == 100.0
    turned = ClipScores(IDS[::-1], SECOND.scores[::-1], LABELS[::-1])
    np.testing.assert_array_equal(mean_scores([FIRST, turned]).scores, mean.scores)
    other = {'other clips': (np.array(['a', 'b', 'd']), LABELS), 'labelled differently': (IDS, LABELS[::-1])}
    for message, (ids, labels) in other.items():
        with pytest.raises(UserError, match=message):
            mean_scores([FIRST, ClipScores(ids, SECOND.scores, labels)])


def test_the_metric_writes_the_scores_of_the_model(tmp_path):
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


def test_ensembles_are_means_of_the_runs_of_their_members(finished):
    folder, _, plan, store, _ = finished
    frame = store.to_frame(plan.runs)
    both = frame[frame['method'] == 'joint + bone']
    assert both[['k', 'subset', 'seed']].values.tolist() == [[2, 0, 0], [2, 1, 0], ['all', 0, 0]]
    assert both['top1'].tolist() == [100.0, SECOND.accuracy()['top1'], 100.0]
    three = frame[frame['method'] == 'all three'].iloc[0]
    mean = (mean_scores([FIRST, SECOND]).scores + FIRST.scores) / 2
    assert three['top1'] == round(100 * float((mean.argmax(1) == LABELS).mean()), 2)
    assert three['config'] == f'{BIGRU} + joints'
    assert three['commit'] == 'abc'
    write_table(folder / 'results.csv', frame)
    header, first = (folder / 'results.csv').read_text().splitlines()[:2]
    assert header.startswith('section,method,group,kind,config,features,stream,corpus,k,subset,seed,split,')
    start = f'table,joint,skeletons,train,{BIGRU},joints,,{folder}/easy,2,0,0,annotations/fewshot/2_0.txt,val,default,'
    assert first.startswith(start)


def test_means_and_sample_deviations():
    identity = dict(section='t', method='m', group='', kind='train', config='c', features='', stream='', corpus='p')
    identity |= dict(protocol='default', settings='ab', split='s', selected_on='val', seed=0, commit='x')
    identity |= dict(clips=10, classes=2, chance=50.0, majority=60.0)
    rows = [identity | dict(k=4, subset=i, top1=t) for i, t in enumerate((50.0, 60.0, 70.0))]
    rows += [identity | dict(k='all', subset=0, top1=90.0)]
    frame = pd.DataFrame(rows, columns=[*rows[0], 'top5', 'mean1', 'mAP', *tables.AP_COLUMNS, *tables.PRECISIONS])
    few, full = summarize(frame).to_dict('records')
    assert (few['k'], few['runs'], few['top1_mean'], few['top1_sd']) == (4, 3, 60.0, 10.0)
    assert (full['k'], full['runs'], full['top1_mean']) == ('all', 1, 90.0)
    assert np.isnan(full['top1_sd'])  # a single run deviates from nothing
    assert few['warning'] == '60.0 % of 10 clips is at chance (60.0 %)'
    assert 'cannot be told from chance (60.0 %): the 95 % interval begins at 59.6 %' in full['warning']
    for row, hits in ((few, 6), (full, 9)):  # of the 10 clips, which all subsets share
        expected = binomtest(hits, 10).proportion_ci(method='wilson')
        assert (row['top1_low'], row['top1_high']) == pytest.approx((100 * expected.low, 100 * expected.high), abs=0.01)
    assert few['subset'] == [0, 1, 2]
    assert tables.cell_text(few, 'top1', 3) == '60.0 ± 10.0'
    assert tables.cell_text(few, 'top1', 5) == '60.0 ± 10.0 (3 of 5 runs)'
    assert tables.cell_text(full, 'top1', 1) == '90.0'
    assert tables.cell_text(None, 'top1', 1) == '-'


def test_the_newest_of_equal_runs_counts(finished, tmp_path):
    plan = finished[2]
    first, second = plan.runs[0], replace(plan.runs[0], key='0' * 12)  # its id list was changed, for example
    other = RunStore(tmp_path)
    third = next(run for run in plan.runs if run.k is None)
    other.save(first, {'top1': 10.0, 'seconds': 1, 'commit': '0012'})
    other.save(second, {'top1': 20.0, 'seconds': 1, 'commit': 'abc'})
    other.save(third, {'top1': 30.0, 'seconds': 1})
    path = tmp_path / 'results.csv'
    assert add_to_table(path, other.to_frame([first]))['top1'].tolist() == [10.0]
    write_table(path, other.to_frame([first, third]))
    both = add_to_table(path, other.to_frame([second]))
    assert both[['k', 'top1', 'commit']].fillna('').values.tolist() == [['all', 30.0, ''], [2, 20.0, 'abc']]
    first_again = add_to_table(path, other.to_frame([]))
    assert first_again[['k', 'group', 'commit']].fillna('').values.tolist() == [
        [2, 'skeletons', '0012'],
        ['all', 'skeletons', ''],
    ]
    path.write_text('section,method,k\n"')
    with pytest.raises(UserError, match=r'results\.csv: damaged .*; move it away'):
        add_to_table(path, both)
    other.path(first.key).write_text('{')
    with pytest.raises(UserError, match=r'truncated or not JSON.*move it away to run again'):
        other.to_frame([first])


@pytest.mark.parametrize('value', ['90', True, [1.0], {}, float('nan'), float('inf')])
def test_a_number_of_a_result_is_a_number(finished, tmp_path, value):
    run, store = finished[2].runs[0], RunStore(tmp_path)
    store.save(run, {'top1': 10, 'top5': None, 'mAP': value, 'seconds': 1.5})
    with pytest.raises(UserError, match=rf'{run.key}\.json: mAP must be a number or null, found .*move it away'):
        store[run.key]
    store.save(run, {'top1': 10, 'top5': None, 'seconds': 1.5})
    assert store[run.key]['top1'] == 10


def test_the_table_has_the_papers_numbers_beside_ours(finished, tmp_path):
    _, spec, plan, _, summary = finished
    section = spec.sections[0]
    table = tables.section_table(spec, plan, section, summary).splitlines()
    assert table[:3] == ['| method | 2-shot | all |', '|---|---:|---:|', '| *skeletons* |  |  |']
    assert table[3] == '| joint | 50.0 ± 23.6 | 66.7 (1 of 2 runs) |'
    numbers = {'joint': {'2': 61.5}, 'detector': {'AP@0.5': 40.5}}
    content = {'source': 'a paper', 'datasets': {'Easy': numbers, 'Other': {'bone': {'all': 1}}}}
    (tmp_path / 'r.json').write_text(json.dumps(content))
    stated = replace(spec, reference=str(tmp_path / 'r.json'))
    table = tables.section_table(stated, plan, section, summary).splitlines()
    assert table[0] == '| method | 2-shot | paper | all |'
    assert table[3].startswith('| joint | 50.0 ± 23.6 | 61.5 | 66.7')
    assert table[4].startswith('| bone | 33.3 ± 0.0 |  | 33.3')
    lines = tables.section_table(stated, plan, spec.sections[-1], summary).splitlines()
    assert lines[0] == '| method | AP@0.3 | AP@0.4 | AP@0.5 | paper | AP@0.6 | AP@0.7 |'
    assert lines[2].startswith('| detector | 32.5 ± 3.5 | 42.5 ± 3.5 | 52.5 ± 3.5 | 40.5 |')
    (tmp_path / 'r.json').write_text('{"datasets": {}}')
    with pytest.raises(UserError, match=r'r\.json: needs source and datasets'):
        tables.section_table(stated, plan, section, summary)


def test_the_report_names_the_origin_of_each_number(finished):
    _, spec, plan, _, summary = finished
    sources = tables.sources_table(summary)
    assert f'| joint | {BIGRU} on joints | 2 | 0, 1 | 0 | val | default | abc |' in sources
    assert '| nearest | DTW on joints | all | train | 0 |  | default | abc |' in sources
    text = tables.report_text(spec, plan, summary, 'p.png')
    assert text.index('# Two easy classes') < text.index('![Accuracy') < text.index('## Detection in uncut videos')


def test_the_plot_shows_every_method(finished, tmp_path):
    _, spec, _, _, summary = finished
    assert not tables.draw_section(tmp_path / 'p.png', spec, summary[:0])
    assert not (tmp_path / 'p.png').exists()
    assert tables.draw_section(tmp_path / 'p.png', spec, summary)
    assert tables.draw_section(tmp_path / 'q.png', spec, summary[summary['method'] != 'bone'])
    with_bone, without = (cv2.imread(str(tmp_path / name)) for name in ('p.png', 'q.png'))
    orange = np.array([14, 127, 255])  # BGR of the second method's line
    assert (with_bone == orange).all(2).sum() > (without == orange).all(2).sum() + 100


def test_metafile_rows_go_beside_other_rows_and_make_the_readme(finished, tmp_path):
    _, spec, _, _, summary = finished
    models = tables.metafile_rows(spec, summary, 'results.csv')
    path = tmp_path / 'metafile.yml'
    other = {'Name': 'x', 'In Collection': 'VPD', 'Metadata': {'Comparison': 'other'}}
    collection = {'Name': 'VPD', 'Paper': {'Title': 'VPD'}}
    path.write_text(yaml.safe_dump({'Collections': [collection], 'Models': [other]}))
    assert tables.merge_metafile(path, models[1:2], spec) == models[1:2]
    assert tables.merge_metafile(path, models, spec) == models
    # Rows that were run elsewhere stay, rows of removed methods go, the order is that of the comparison.
    assert tables.merge_metafile(path, models[2:3], spec) == models
    sections = spec.sections
    fewer = replace(spec, sections=(replace(sections[0], methods=sections[0].methods[1:]), *sections[1:]))
    without = [row for row in models if row['Metadata']['Method'] != 'joint']
    assert tables.merge_metafile(path, [], fewer) == without
    assert tables.merge_metafile(path, models[:2], spec) == models
    content = yaml.safe_load(path.read_text())
    assert content['Models'] == [other, *models]
    assert content['Collections'][0] == collection
    joint = content['Models'][1]
    assert (joint['Name'], joint['Config']) == ('easy-table: joint, 2-shot', BIGRU)
    lists = ['annotations/fewshot/2_0.txt', 'annotations/fewshot/2_1.txt']
    assert [joint['Metadata'][name] for name in ('Few Shot', 'Split', 'Seeds')] == [2, lists, [0]]
    assert joint['Results'][0]['Metrics'] == {'Top 1 Accuracy': 50.0, 'Top 1 Deviation': 23.57}
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- compare:easy -->\nold\n<!-- /compare -->\nafter\n')
    tables.update_readme(readme, 'easy', tables.readme_tables(content['Models'][1:]))
    text = readme.read_text()
    assert text.startswith('before\n<!-- compare:easy -->\n| method | 2-shot | all |\n')
    assert '| joint | 50.0 ± 23.6 | 66.7 |' in text
    assert '| detector | 32.5 |' in text
    assert text.endswith('protocol default; commits in the metafile.\n<!-- /compare -->\nafter\n')
    assert 'old' not in text
    with pytest.raises(UserError, match='needs the lines <!-- compare:penn -->'):
        tables.update_readme(readme, 'penn', '')
    readme.write_text('<!-- compare:penn -->\nmine\n<!-- compare:other -->\nb\n<!-- /compare -->\n')
    with pytest.raises(UserError, match='no other section inside'):
        tables.update_readme(readme, 'penn', '')
    path.write_text('- 1\n')
    with pytest.raises(UserError, match='not a metafile'):
        tables.merge_metafile(path, models, spec)
    stated = tables.read_metafile_rows(models)
    assert stated['k'].tolist() == summary['k'].tolist()
    for name in ('top1_mean', 'top1_sd', 'AP@0.5_mean'):
        np.testing.assert_allclose(stated[name], summary[name], atol=0.01)
    del models[0]['Metadata']['Few Shot']
    with pytest.raises(UserError, match=r"row 'easy-table: joint, 2-shot': has no 'Few Shot'"):
        tables.read_metafile_rows(models)


def test_the_results_are_made_from_the_metafile_alone(tmp_path, monkeypatch):
    """In a fresh clone, without a corpus, a work dir or a run."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / 'docs/results.md', tmp_path)
    shutil.copy(ROOT / 'configs/compare/metafile.yml', tmp_path)
    configs = [str(ROOT / f'configs/compare/{name}.py') for name in ('synthetic', 'penn_action')]
    options = ['--no-run', '--metafile', 'metafile.yml', '--readme', 'results.md']
    assert not compare([*configs, *options])
    assert (tmp_path / 'results.md').read_bytes() == (ROOT / 'docs/results.md').read_bytes()
    assert re.findall(r'<!-- compare:(\w+) -->', (ROOT / 'docs/results.md').read_text()) == ['synthetic', 'penn']
    assert (tmp_path / 'metafile.yml').read_bytes() == (ROOT / 'configs/compare/metafile.yml').read_bytes()
    plots = {'accuracy_synthetic.png', 'accuracy_penn.png'}
    assert {path.name for path in tmp_path.iterdir()} == {'results.md', 'metafile.yml', *plots}


#: Cells of the paper's tables: data set, row, column, percent.
PRINTED = [
    ('FSJump6', 'TSN (w/o crop)', 'all', 57.9),
    ('Tennis7', 'GSM (crop)', 'all', 67.1),
    ('FX35', 'MS-G3D (ensemble)', 'all', 92.1),
    ('Diving48', 'Concat-VPD', 'all', 88.7),
    ('FX35', '2D, w/o motion; RGB & flow', '16', 76.6),
    ('Diving48', 'VIPE*', '16', 35.0),
    ('Tennis7', 'VI-VPD (distilled w/ the entire video corpus)', '16', 72.6),
    ('FSJump6', 'VI-VPD', 'P@10', 86.8),
    ('FSJump6', 'Pretrained R3D', 'AP@0.3', 39.5),
    ('Tennis7', 'VI-VPD', 'AP@0.7', 13.8),
]


@pytest.mark.parametrize(('name', 'sport'), [('fsjump6', 'figure skating jumps'), ('tennis7', 'tennis swings')])
def test_table_4_prints_the_numbers_of_the_paper_beside_ours(name, sport, shared):
    """Five labelled videos, five subsets; a row for each of the five features."""
    spec = spec_of(ROOT / f'configs/compare/{name}.py')
    (section,) = [section for section in spec.sections if section.name == 'detection']
    assert (section.ks, spec.subsets, len(section.methods)) == ((5,), 5, 5)
    ours = dict(section='detection', k=5, runs=5) | {f'AP@0.{i}_mean': 10.0 * i for i in range(1, 10)}
    ours |= {f'AP@0.{i}_sd': 0.5 for i in range(1, 10)}
    summary = pd.DataFrame([ours | {'method': method.name} for method in section.methods])
    table = tables.section_table(spec, Plan([], {}), section, summary).splitlines()
    assert table[0].startswith('| method | AP@0.3 | paper | AP@0.4 | paper |')
    printed = json.loads((shared / 'paper_tables.json').read_text())['table4_detection_ap']
    numbers = next(rows for title, rows in printed.items() if title.startswith(sport))
    lines = {method.paper: line for method, line in zip(section.methods, table[2:], strict=True)}
    assert lines.keys() == numbers.keys()
    for row, line in lines.items():
        cells = [f' {10 * i + 30:.1f} ± 0.5 | {number:g} ' for i, number in enumerate(numbers[row])]
        assert line.endswith('|'.join(['', *cells, '']))


@pytest.mark.parametrize('name', ['fsjump6', 'tennis7', 'fx35', 'diving48'])
def test_each_row_of_the_paper_is_a_method_or_listed_as_unmapped(name):
    spec = spec_of(ROOT / f'configs/compare/{name}.py')
    numbers = tables.load_reference(spec)
    for dataset, row, column, value in PRINTED:
        assert dataset != spec.dataset or numbers[row][column] == value
    mapped = {method.paper or method.name for section in spec.sections for method in section.methods}
    unmapped = json.loads(tables.PAPER_NUMBERS.read_text())['unmapped']
    assert set(numbers) - mapped == set(numbers) & set(unmapped)
    assert not mapped & set(unmapped)
    sections = {section.name: {method.paper for method in section.methods} for section in spec.sections}
    for row, values in numbers.items():
        assert '16' not in values or row in sections['ablation']
        assert 'AP@0.5' not in values or row in sections['detection']


def test_comments_of_a_metafile_are_kept(finished, tmp_path):
    _, spec, _, _, summary = finished
    (tmp_path / 'm.yml').write_text('# by hand\nModels: []\n')
    with pytest.raises(UserError, match=r'm\.yml: has comments, which would be lost'):
        tables.merge_metafile(tmp_path / 'm.yml', tables.metafile_rows(spec, summary, 'r.csv'), spec)
    assert (tmp_path / 'm.yml').read_text().startswith('# by hand')
    (tmp_path / 'm.yml').write_text('mine: 1\n')
    with pytest.raises(UserError, match='not a metafile'):
        tables.merge_metafile(tmp_path / 'm.yml', [], spec, overwrite=True)
