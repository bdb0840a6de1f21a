"""Execution of runs: in this process, in local processes, by the tools; what a stop or a killed process leaves."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pandas as pd
import pytest
import submitit
import torch
from compare import main as compare
from comparison_corpus import EPOCHS, ROOT, easy_corpus, plan_of, write_comparison
from detect import main as detect
from documentation import blocks
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import EpochBasedTrainLoop, ValLoop
from sequence_corpus import make_corpus

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.corpus import Corpus
from vpd_mm.engine.locks import file_lock
from vpd_mm.errors import UserError
from vpd_mm.experiments import RunStore, execute, run_missing
from vpd_mm.experiments import jobs as jobs_module
from vpd_mm.experiments import run as run_module
from vpd_mm.experiments.store import code_commit
from vpd_mm.retrieve import load_clips, rank_corpus
from vpd_mm.structures import Action, load_actions, save_actions

BIGRU = 'configs/recognize/bigru.py'
NEAREST = dict(name='nearest', kind='nearest', features='joints')
TRAINED = dict(name='trained', config=BIGRU)


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return easy_corpus(tmp_path_factory.mktemp('data') / 'easy')


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own():
    """mmengine names what it shares in a process by the second in which a run starts."""
    for shared in (MessageHub, MMLogger):
        shared._instance_dict.clear()


def results(work_dir):
    """results.csv without the columns that differ from run to run."""
    frame = pd.read_csv(work_dir / 'results.csv', keep_default_na=False)
    return frame.drop(columns=['seconds', 'commit']).to_dict('records')


@pytest.fixture
def page(corpus, tmp_path, monkeypatch):
    """The comparison of docs/evaluate.md, in a folder with a corpus that has its features."""
    monkeypatch.chdir(tmp_path)
    [text] = [block.text for block in blocks('docs/evaluate.md') if "kind='nearest'" in block.text]
    assert len(text.splitlines()) == 10
    Path('my_comparison.py').write_text(text)
    own = Corpus.open(shutil.copytree(corpus.root, 'own'))
    shutil.copytree(own.teacher_dir('joints'), own.features_dir('vpd'))


@pytest.mark.full
def test_the_comparison_of_the_page_runs_on_another_corpus(page, capsys):
    short = ['train_cfg.max_iters=4', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2']
    options = ['subsets=1', 'all_seeds=1', *(f'options.{option}' for option in short)]
    compare(['my_comparison.py', '--corpus', 'own', '--executor', 'debug', '--cfg-options', *options])
    rows = results(Path('work_dirs/my_comparison_own'))
    assert [(row['method'], row['k']) for row in rows if row['section'] == 'table'] == [
        *[(name, k) for name in ('2D joints', '2D-VPD', '2D-VPD, nearest clip') for k in ('2', 'all')]
    ]
    assert float(rows[-1]['P@1']) > 50
    assert '# my_comparison' in capsys.readouterr().out


def test_an_option_that_the_comparison_of_the_page_lacks_is_refused(page):
    for option, message in (
        ('subset=1', "--cfg-options subset: changes nothing: the config has no 'subset'; did you mean subsets"),
        (
            'options.model.nam_classes=2',
            '2 methods cannot run .*model.nam_classes: changes nothing: .* mean model.num_classes',
        ),
    ):
        with pytest.raises(UserError, match=message):
            compare(['my_comparison.py', '--corpus', 'own', '--cfg-options', option])


def test_nearest_neighbours_learn_from_the_list_alone(corpus, tmp_path):
    corpus.fewshot_path(1, 0).parent.mkdir(exist_ok=True)
    corpus.fewshot_path(1, 0).write_text('a00\na02\n')  # of class 0 alone
    comparison = write_comparison(tmp_path / 'c.py', corpus, ks=[1, 'all'], subsets=1, allow_short=True)
    plan = plan_of(comparison, ('nearest',))
    few, whole = plan.runs
    store = RunStore(tmp_path / 'runs')
    execute(few, store)
    execute(whole, store)
    scores = store.scores(few.key)
    assert scores.action_ids.tolist() == [f'a{i}' for i in range(24, 36)]
    assert scores.labels.tolist() == [0, 1] * 6
    assert scores.scores.tolist() == [[1, 0]] * 12
    result = store[few.key]
    assert (result['top1'], result['top5'], result['mean1']) == (50.0, None, 50.0)
    assert (result['k'], result['split'], result['commit']) == (1, 'annotations/fewshot/1_0.txt', code_commit())
    assert store[whole.key]['top1'] > 50


def test_nearest_neighbours_of_the_paper_learn_from_all_but_the_test_data_of_diving48(tmp_path):
    corpus = easy_corpus(tmp_path / 'easy', 'diving48')
    actions = [a for a in load_actions(corpus.actions_path) if a.split != 'train' or a.label == 0]
    save_actions(corpus.actions_path, actions)
    store, accuracy = RunStore(tmp_path / 'runs'), {}
    for protocol in ('default', 'paper'):
        path = write_comparison(tmp_path / 'c.py', corpus, ks=['all'], methods=[NEAREST], protocol=protocol)
        [run] = plan_of(path).runs
        execute(run, store)
        accuracy[protocol] = store[run.key]['top1']
    assert accuracy['default'] == 50 < accuracy['paper']


def test_a_stopped_training_resumes_and_ends_as_if_not_stopped(corpus, tmp_path, monkeypatch):
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus))
    run, whole, stopped = plan.runs[2], RunStore(tmp_path / 'whole'), RunStore(tmp_path / 'stopped')
    trained, train, validate = [], EpochBasedTrainLoop.run_epoch, ValLoop.run

    def note(loop):
        trained.append(loop.epoch + 1)
        return train(loop)

    def stop(loop):  # the checkpoint of this epoch is written, its validation is not done
        if loop.runner.epoch == EPOCHS - 1:
            raise KeyboardInterrupt
        return validate(loop)

    def epochs_of(store):
        for shared in (MessageHub, MMLogger):
            shared._instance_dict.clear()
        trained.clear()
        execute(run, store)
        return list(trained)

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_epoch', note)
    assert epochs_of(whole) == [*range(1, EPOCHS + 1)]
    monkeypatch.setattr(ValLoop, 'run', stop)
    with pytest.raises(KeyboardInterrupt):
        epochs_of(stopped)
    assert trained == [*range(1, EPOCHS)]
    assert run.key not in stopped
    monkeypatch.setattr(ValLoop, 'run', validate)
    assert epochs_of(stopped) == [EPOCHS]
    assert stopped[run.key]['checkpoint'] == whole[run.key]['checkpoint']
    np.testing.assert_array_equal(stopped.scores(run.key).scores, whole.scores(run.key).scores)
    assert not list(stopped.work_dir(run.key).glob('epoch_*.pth'))
    assert (stopped.root / stopped[run.key]['checkpoint']).is_file()


def test_a_training_killed_while_it_saved_starts_anew(corpus, tmp_path):
    run, store = plan_of(write_comparison(tmp_path / 'c.py', corpus)).runs[0], RunStore(tmp_path / 'runs')
    folder = store.work_dir(run.key)
    folder.mkdir(parents=True)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'))  # deleted to make room for the next
    execute(run, store)
    assert (store.root / store[run.key]['checkpoint']).is_file()


def test_a_run_of_another_process_is_refused(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, 'LOCK_WAIT_SEC', 0.0)
    run, store = plan_of(write_comparison(tmp_path / 'c.py', corpus)).runs[0], RunStore(tmp_path / 'runs')
    busy = pytest.raises(UserError, match=f'{run.key}: another process does this run')
    with file_lock(store.root / f'.{run.key}-0.lock'), busy:
        execute(run, store)


def test_ap_of_a_detection_run_is_kept_in_percent(corpus, tmp_path, monkeypatch):
    detector = dict(name='detector', config='configs/detect/bigru_detector.py', features='joints')
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, options={}, detection=dict(methods=[detector])))
    run, store = plan.runs[-1], RunStore(tmp_path / 'runs')
    result = {'threshold': 0.4, 'videos': 1, 'AP@0.5': 0.12345, 'mAP': 0.5}
    search = create_autospec(run_module.search_corpus, return_value=result)
    monkeypatch.setattr(run_module, 'search_corpus', search)
    execute(run, store)
    row = store.to_frame([run]).iloc[0]
    assert row[['section', 'k', 'threshold', 'AP@0.5', 'mAP']].tolist() == ['detection', 'all', 0.4, 12.35, 50]
    cfg = search.call_args.args[0]
    assert cfg.randomness['seed'] == run.seed
    assert cfg.test_dataloader.dataset.corpus == str(corpus.root)
    assert search.call_args.kwargs == {'overwrite': True}
    few = dict(ks=[5], methods=[detector])
    run = plan_of(write_comparison(tmp_path / 'c.py', corpus, options={}, detection=few)).runs[-1]
    execute(run, store)
    training = search.call_args.args[0].train_dataloader.dataset
    assert (training.max_videos, training.subset, run.subset) == (5, 1, 1)


def test_a_detection_run_has_the_models_of_the_tool(tmp_path):
    actions = [Action(f'x{i}', f'v{i}', 20, 40, 0, 'train' if i < 2 else 'test') for i in range(3)]
    corpus = make_corpus(tmp_path / 'c', {f'v{i}': (25.0, 60) for i in range(3)}, actions)
    config, options = 'configs/detect/bigru_detector.py', {'train_cfg.max_epochs': 1, 'model.backbone.hidden_dims': 4}
    options |= {'folds': 2, 'default_hooks.checkpoint.interval': 1}
    section = dict(methods=[dict(name='detector', config=config, features='joints')])
    run = plan_of(write_comparison(tmp_path / 'c.py', corpus, options=options, detection=section)).runs[-1]
    store = RunStore(tmp_path / 'runs')
    execute(run, store)
    given = [f'{name}={value}' for name, value in options.items()]
    detect([config, '--corpus', str(corpus.root), '--work-dir', str(tmp_path / 'w'), '--cfg-options', *given])
    of_run, of_tool = (sorted(folder.glob('*/fold*/*.pth')) for folder in (store.work_dir(run.key), tmp_path / 'w'))
    assert len(of_run) == len(of_tool) == 2
    for paths in zip(of_run, of_tool, strict=True):
        first, second = (load_checkpoint_safely(str(path))['state_dict'] for path in paths)
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_table_has_a_row_for_each_run_and_nothing_runs_twice(corpus, tmp_path):
    plan, store = plan_of(write_comparison(tmp_path / 'c.py', corpus)), RunStore(tmp_path / 'w' / 'runs')
    progress, ended = [], []
    options = dict(executor='debug', on_progress=lambda *numbers: progress.append(numbers))
    assert run_missing(plan.runs, store, **options, on_end=lambda run, error: ended.append((run.name, error))) == {}
    assert [n for n in dict.fromkeys(progress) if n[0] == int(n[0])] == [(i, 9) for i in range(10)]
    assert ended == [(run.name, '') for run in plan.runs]
    assert list((tmp_path / 'w' / 'jobs').iterdir()) == []
    frame = store.to_frame(plan.runs)
    assert frame['k'].tolist() == [2, 2, 'all'] * 3
    assert frame['kind'].tolist() == ['train'] * 3 + ['nearest'] * 3 + ['ensemble'] * 3
    assert frame['features'].tolist() == ['joints'] * 3 + ['teacher/joints'] * 3 + [''] * 3
    assert frame['top1'].between(50, 100).all()
    assert sorted(path.stem for path in store.root.glob('*.json')) == sorted(frame['key'])
    modified = {path: path.stat().st_mtime_ns for path in store.root.glob('*.json')}
    assert run_missing(plan.runs, store, **options) == {}
    assert {path: path.stat().st_mtime_ns for path in store.root.glob('*.json')} == modified
    with pytest.raises(UserError, match='--jobs must be 1 or more'):
        run_missing(plan.runs, store, jobs=0)


def test_a_killed_process_is_reported_and_the_others_finish(corpus, tmp_path):
    endless = dict(name='endless', config=BIGRU, options={'train_cfg.max_epochs': 10**6})
    path = write_comparison(tmp_path / 'c.py', corpus, ks=['all'], methods=[NEAREST, endless, TRAINED])
    plan, store, here = plan_of(path), RunStore(tmp_path / 'w' / 'runs'), RunStore(tmp_path / 'here')
    first, endless, other = plan.runs
    lock = store.root / f'.{endless.key}-0.lock'
    modes = []

    def kill():
        while not (lock.is_file() and lock.read_text()) or not list(store.work_dir(endless.key).glob('*.pth')):
            time.sleep(0.05)
        modes.append(stat.S_IMODE(next((tmp_path / 'w' / 'jobs').iterdir()).stat().st_mode))
        os.kill(int(lock.read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    failed = run_missing(plan.runs, store, executor='local', jobs=1)
    assert list(failed) == [endless.key]
    assert 'ended without a result: it was killed' in failed[endless.key]
    log = failed[endless.key].partition('(log: ')[2].rstrip(')')
    assert 'training: ' in Path(log).read_text()
    assert first.key in store
    execute(other, here)
    np.testing.assert_array_equal(store.scores(other.key).scores, here.scores(other.key).scores)
    assert modes == [0o700]
    assert not list((tmp_path / 'w' / 'jobs').rglob('*.pkl'))


def test_jobs_that_are_killed_together_share_what_is_left_and_no_run_is_done_twice(corpus, tmp_path, monkeypatch):
    path = write_comparison(tmp_path / 'c.py', corpus, methods=[NEAREST], ks=[2], subsets=5)
    runs, store, batches = plan_of(path).runs, RunStore(tmp_path / 'w' / 'runs'), []

    class Executor:
        """Two jobs that end when each has taken a run, and one that takes all runs, which fail."""

        def __init__(self, folder, cluster):
            self.parameters = {}

        def update_parameters(self, **kwargs):
            pass

        def submit_array(self, jobs):
            (job,) = jobs
            batches.append([run.key for run in job.runs])
            job_id = str(len(batches))
            for run in job.runs if len(batches) > 2 else [job.runs[len(batches) - 1]]:
                if jobs_module._take(job.folder, run, job_id) and len(batches) == 3:
                    (job.folder / f'{run.key}.error').write_text('failed')
            ended = create_autospec(submitit.Job, instance=True, job_id=job_id)
            ended.done.side_effect = lambda: len(batches) > 1
            ended.task.return_value.paths.result_pickle = tmp_path / 'none'
            return [ended]

    monkeypatch.setattr(submitit, 'AutoExecutor', Executor)
    failed = run_missing(runs, store, jobs=2)
    keys = [run.key for run in runs]
    assert batches == [keys, keys, keys[2:], keys[2:]]
    assert [key for key in keys if 'was killed' in failed[key]] == keys[:2]
    assert [key for key in keys if failed[key].startswith('failed')] == keys[2:]


@pytest.mark.full
def test_processes_share_the_runs_and_a_killed_one_costs_its_run_alone(corpus, tmp_path):
    endless = dict(name='endless', config=BIGRU, options={'train_cfg.max_epochs': 10**6})
    path = write_comparison(tmp_path / 'c.py', corpus, methods=[endless, TRAINED], ks=[2], subsets=4)
    runs, store, here = plan_of(path).runs, RunStore(tmp_path / 'w' / 'runs'), RunStore(tmp_path / 'here')
    lock, ended = store.root / f'.{runs[0].key}-0.lock', []
    runs = [runs[0], *runs[4:]]

    def on_end(run, error):
        ended.append((run.key, error))
        if len(ended) == len(runs) - 1:  # the other process has done all that is left
            os.kill(int(lock.read_text()), signal.SIGKILL)

    failed = run_missing(runs, store, jobs=2, on_end=on_end)
    assert list(failed) == [runs[0].key]
    assert 'ended without a result: it was killed' in failed[runs[0].key]
    assert sorted(key for key, _ in ended) == sorted(run.key for run in runs)
    assert run_missing(runs[1:], here, executor='debug') == {}
    for run in runs[1:]:
        np.testing.assert_array_equal(store.scores(run.key).scores, here.scores(run.key).scores)


@pytest.mark.full
def test_killed_with_its_jobs_a_comparison_resumes_to_the_same_tables(corpus, tmp_path):
    short, long = ({'train_cfg.max_epochs': epochs} for epochs in (1, 8))  # long: it has not ended when it is killed
    methods = [
        dict(name='first', config=BIGRU, options=short),
        dict(name='second', config=BIGRU, options=long),
        dict(name='both', kind='ensemble', of=['first', 'second']),
    ]
    config = write_comparison(tmp_path / 'c.py', corpus, ks=[2], subsets=1, methods=methods)
    work = [str(config), '--executor', 'debug', '--work-dir']
    assert not compare([*work, str(tmp_path / 'whole')])
    runs = tmp_path / 'killed' / 'runs'
    command = [sys.executable, str(ROOT / 'tools/compare.py'), str(config), '--work-dir', str(tmp_path / 'killed')]
    environment = {**os.environ, 'PYTHONPATH': f'{ROOT}:{os.environ.get("PYTHONPATH", "")}'}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    while not list(runs.glob('*.json')):  # the first run is finished
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        time.sleep(0.02)
    process.kill()
    process.wait()
    process.stderr.close()
    for lock in runs.glob('.*.lock'):
        with file_lock(lock, wait_sec=60):  # the job ends with the process that started it
            pass
    finished = {path: path.read_text() for path in runs.glob('*.json')}
    assert len(finished) == 1
    assert not compare([*work, str(tmp_path / 'killed')])
    assert {path: path.read_text() for path in finished} == finished
    assert results(tmp_path / 'killed') == results(tmp_path / 'whole')
    reports = [(tmp_path / name / 'report.md').read_text() for name in ('killed', 'whole')]
    # without the commit, which changes with the checkout
    reports = [re.sub(r'[0-9a-f]{9}[0-9a-f+ ]*\|', '|', text) for text in reports]
    assert reports[0] == reports[1]


def test_a_method_without_inputs_is_named_and_can_be_left_out(corpus, tmp_path):
    methods = [
        NEAREST,
        dict(name='ours', kind='nearest', features='vpd'),
        dict(name='odd', config=BIGRU, options={'modle.x': 1}),
    ]
    path = write_comparison(tmp_path / 'c.py', corpus, methods=methods, ks=['all'])
    arguments = [str(path), '--work-dir', str(tmp_path / 'w'), '--executor', 'debug']
    with pytest.raises(UserError, match=r"2 methods cannot run \(ours: features 'vpd': no folder.*has no 'modle'"):
        compare(arguments)
    assert not compare([*arguments, '--skip-missing'])
    assert [row['method'] for row in results(tmp_path / 'w')] == ['nearest']
    assert 'Left out: ours' in (tmp_path / 'w/report.md').read_text()


def test_finished_results_are_reported_without_their_inputs_and_a_cause_is_named_once(corpus, tmp_path):
    folder = corpus.teacher_dir('gone')
    shutil.copytree(corpus.teacher_dir('joints'), folder)
    methods = [
        NEAREST,
        *(dict(name=name, kind='nearest', features=run) for name, run in (('a', 'gone'), ('b', 'joints+gone'))),
    ]
    path = write_comparison(tmp_path / 'c.py', corpus, methods=methods, ks=['all'])
    arguments = [str(path), '--work-dir', str(tmp_path / 'w'), '--executor', 'debug']
    compare(arguments)
    before = results(tmp_path / 'w')
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"2 methods cannot run \(a, b: features 'gone': no folder") as error:
        compare(arguments)
    assert str(error.value).count('no folder') == 1
    compare([*arguments, '--no-run'])
    assert results(tmp_path / 'w') == before
    assert 'Results of earlier runs, now: a, b: features' in (tmp_path / 'w/report.md').read_text()


def test_a_run_that_fails_does_not_stop_the_others(corpus, tmp_path):
    methods = [dict(name='broken', config=BIGRU, options={'model.dropout': 3}), NEAREST]
    path = write_comparison(tmp_path / 'c.py', corpus, methods=methods, ks=['all'])
    arguments = [str(path), '--work-dir', str(tmp_path / 'w'), '--executor', 'debug']
    with pytest.raises(UserError, match=r'1 run failed; the first: error: .*dropout'):
        compare(arguments)
    assert [row['method'] for row in results(tmp_path / 'w')] == ['nearest']
    assert '| broken | - |' in (tmp_path / 'w/report.md').read_text()


def test_retrieval_ranks_all_actions_and_has_its_own_table(corpus, tmp_path):
    retrieval = dict(title='Ranked', ks=['all'], methods=[dict(name='joints', features='joints')])
    path = write_comparison(tmp_path / 'c.py', corpus, ks=['all'], methods=[NEAREST], retrieval=retrieval)
    compare([str(path), '--work-dir', str(tmp_path / 'work'), '--executor', 'debug'])
    clips = load_clips(corpus, 'joints')
    _, metrics = rank_corpus(clips, clips, [1, 10])
    (row,) = [row for row in results(tmp_path / 'work') if row['section'] == 'retrieval']
    assert [float(row[name]) for name in ('P@1', 'P@10')] == [
        round(100 * metrics[f'precision@{k}'], 2) for k in (1, 10)
    ]
    assert 'P@50' not in row  # of 36 actions
    report = (tmp_path / 'work/report.md').read_text().split('## Ranked')[1]
    assert f'| joints | {float(row["P@1"]):.1f} | {float(row["P@10"]):.1f} | - |' in report
