"""A comparison: what is read from its config, its runs and their keys, what is done once and goes on."""

import csv
import os
import shlex
import signal
import subprocess
import sys
import time
from importlib import util

import numpy as np
import pytest
from comparison_corpus import EPOCHS, ROOT, easy_corpus, plan_of, write_comparison
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import EpochBasedTrainLoop, ValLoop

from vpd_mm.errors import UserError
from vpd_mm.experiments.comparison_jobs import Command, job_lines, run_missing, seconds_left
from vpd_mm.experiments.comparison_run import execute
from vpd_mm.experiments.run_store import RunStore, code_commit

TOOL = ROOT / 'tools' / 'compare.py'


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return easy_corpus(tmp_path_factory.mktemp('data') / 'easy')


@pytest.fixture(scope='module')
def compare():
    """``main`` of tools/compare.py."""
    spec = util.spec_from_file_location('compare_tool', TOOL)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def results(work_dir):
    """Rows of results.csv without what differs from run to run."""
    with (work_dir / 'results.csv').open() as f:
        return [{k: v for k, v in row.items() if k not in ('seconds', 'commit')} for row in csv.DictReader(f)]


BAD = [
    (dict(methods=[]), 'methods must be set'),
    (dict(ks=[2, 'many']), "ks must hold whole numbers above 0 or 'all', found 'many'"),
    (dict(ks=[2, 2]), 'ks must name each k once'),
    (dict(protocol='best'), 'protocol must be one of default, paper'),
    (dict(subsets=0), 'subsets must be a whole number above 0, found 0'),
    (dict(methods=[dict(name='a', kind='guess')]), "method 'a': kind must be one of .*, found 'guess'"),
    (dict(methods=[dict(name='a', kind='nearest')]), "method 'a': kind 'nearest' needs 'features'"),
    (dict(methods=[dict(name='a', confg='b')]), "unknown field 'confg'"),
    (dict(methods=[dict(name='a', config='tsn_{sport}.py')]), "method 'a': its config needs 'sport' of names"),
    (dict(methods=[dict(name='a', config='b')] * 2), "two methods are called 'a'"),
    (dict(methods=[dict(name='a', kind='ensemble', of=['b'])]), "ensemble 'a' is of 'b', which is no other"),
    (dict(methods=[dict(name='a', kind='detect', config='b')]), "table: method 'a' cannot be of kind 'detect'"),
]


@pytest.mark.parametrize(('fields', 'message'), BAD, ids=lambda v: str(v)[:40])
def test_a_comparison_that_cannot_be_is_refused_in_a_line(fields, message, corpus, tmp_path):
    with pytest.raises(UserError, match=message):
        plan_of(write_comparison(tmp_path / 'c.py', corpus, **fields))


def test_runs_are_methods_by_k_by_subset_and_seed(corpus, tmp_path):
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, all_seeds=3))
    names = [run.name for run in plan.runs]
    assert names[:5] == [
        'BiGRU, k=2 subset 0, seed 0',
        'BiGRU, k=2 subset 1, seed 0',
        'BiGRU, all, seed 0',
        'BiGRU, all, seed 1',
        'BiGRU, all, seed 2',
    ]
    assert names[5:] == ['nearest, k=2 subset 0, seed 0', 'nearest, k=2 subset 1, seed 0', 'nearest, all, seed 0']
    assert len({run.key for run in plan.runs}) == 8
    assert [run.split for run in plan.runs[:3]] == [
        'annotations/fewshot/2_0.txt',
        'annotations/fewshot/2_1.txt',
        'train',
    ]
    assert [method.name for method in plan_of(tmp_path / 'c.py', ('both',)).comparison.sections[0].methods] == [
        'BiGRU',
        'nearest',
        'both',
    ]


def test_a_key_is_of_all_that_decides_the_number(corpus, tmp_path):
    keys = [run.key for run in plan_of(write_comparison(tmp_path / 'c.py', corpus)).runs]
    assert keys == [run.key for run in plan_of(write_comparison(tmp_path / 'c.py', corpus, title='other')).runs]
    assert not set(keys) & {r.key for r in plan_of(write_comparison(tmp_path / 'd.py', corpus, protocol='paper')).runs}
    changed = plan_of(write_comparison(tmp_path / 'd.py', corpus, options={'train_cfg.max_epochs': 9})).runs
    assert not {r.key for r in changed[:3]} & set(keys)
    assert [r.key for r in changed[3:]] == keys[3:]  # nearest neighbours take no options
    ids = corpus.fewshot_path(2, 1)
    text = ids.read_text()
    ids.write_text('a00\na01\n')
    relisted = [run.key for run in plan_of(tmp_path / 'c.py').runs]
    ids.write_text(text)
    assert [a == b for a, b in zip(keys, relisted, strict=True)] == [True, False, True, True, False, True]


def test_a_method_of_two_tables_runs_once(corpus, tmp_path):
    bigru = dict(name='the same', config='configs/recognize/bigru_joints_500e_penn.py')
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, ablation=dict(ks=['all'], methods=[bigru])))
    assert len(plan.runs) == 7
    assert len(plan.distinct()) == 6


def test_a_method_without_inputs_is_named_and_can_be_left_out(corpus, tmp_path, compare):
    methods = [
        dict(name='nearest', kind='nearest', features='joints'),
        dict(name='ours', kind='nearest', features='vpd'),
        dict(name='odd', config='configs/recognize/bigru_joints_500e_penn.py', options={'modle.x': 1}),
    ]
    path = write_comparison(tmp_path / 'c.py', corpus, methods=methods, ks=['all'])
    arguments = [str(path), '--work-dir', str(tmp_path / 'w'), '--jobs', '0']
    with pytest.raises(UserError, match=r"2 methods cannot run \(ours: features 'vpd': no folder.*has no 'modle'"):
        compare(arguments)
    assert compare([*arguments, '--skip-missing']) == 0
    assert [row['method'] for row in results(tmp_path / 'w')] == ['nearest']
    assert 'Left out: ours' in (tmp_path / 'w/report.md').read_text()


def test_nearest_neighbours_learn_from_the_list_alone(corpus, tmp_path):
    corpus.fewshot_path(1, 0).write_text('a00\na02\n')  # of class 0 alone
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus, ks=[1, 'all'], subsets=1), ('nearest',))
    few, whole = plan.runs
    store = RunStore(tmp_path / 'runs')
    execute(few, plan.comparison, store)
    execute(whole, plan.comparison, store)
    scores = store.scores(few.key)
    assert scores.action_ids.tolist() == [f'a{i}' for i in range(24, 36)]
    assert scores.labels.tolist() == [0, 1] * 6
    assert scores.scores.tolist() == [[1, 0]] * 12
    found = store[few.key]
    assert (found['top1'], found['top5'], found['mean1']) == (50.0, None, 50.0)
    assert (found['k'], found['split'], found['commit']) == (1, 'annotations/fewshot/1_0.txt', code_commit())
    assert store[whole.key]['top1'] > 50


def test_a_training_goes_on_as_if_it_had_not_stopped(corpus, tmp_path, monkeypatch):
    plan = plan_of(write_comparison(tmp_path / 'c.py', corpus))
    run, whole, stopped = plan.runs[2], RunStore(tmp_path / 'whole'), RunStore(tmp_path / 'stopped')
    trained, train, validate = [], EpochBasedTrainLoop.run_epoch, ValLoop.run

    def note(loop):
        trained.append(loop.epoch + 1)
        return train(loop)

    def stop(loop):  # the checkpoint of this epoch is there, its validation is not
        if loop.runner.epoch == EPOCHS - 1:
            raise KeyboardInterrupt
        return validate(loop)

    def go(store):
        """As in a process of its own: mmengine names what it shares in one by the second in which it starts."""
        for shared in (MessageHub, MMLogger):
            shared._instance_dict.clear()
        trained.clear()
        execute(run, plan.comparison, store)
        return list(trained)

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_epoch', note)
    assert go(whole) == [*range(1, EPOCHS + 1)]
    monkeypatch.setattr(ValLoop, 'run', stop)
    with pytest.raises(KeyboardInterrupt):
        go(stopped)
    assert trained == [*range(1, EPOCHS)]
    assert run.key not in stopped
    monkeypatch.setattr(ValLoop, 'run', validate)
    assert go(stopped) == [EPOCHS]
    assert stopped[run.key]['checkpoint'] == whole[run.key]['checkpoint']
    np.testing.assert_array_equal(stopped.scores(run.key).scores, whole.scores(run.key).scores)
    assert not list(stopped.work_dir(run.key).glob('epoch_*.pth'))


def test_killed_in_the_middle_it_goes_on_to_the_same_table(corpus, tmp_path, compare):
    config = write_comparison(tmp_path / 'c.py', corpus, ks=[2])
    assert compare([str(config), '--work-dir', str(tmp_path / 'whole'), '--jobs', '0']) == 0
    runs = tmp_path / 'killed' / 'runs'
    command = [sys.executable, str(TOOL), str(config), '--work-dir', str(tmp_path / 'killed')]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    end = time.monotonic() + 600
    # the first run is finished and the second has begun
    while not (list(runs.glob('*.json')) and len(list(runs.glob('.*.lock'))) == 2):
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    finished = {path: path.read_text() for path in runs.glob('*.json')}
    assert 1 <= len(finished) < 4
    for lock in runs.glob('.*.lock'):  # the child ends with its parent
        _wait_until_free(lock)
    assert compare([str(config), '--work-dir', str(tmp_path / 'killed'), '--jobs', '0']) == 0
    assert {path: path.read_text() for path in finished} == finished
    assert results(tmp_path / 'killed') == results(tmp_path / 'whole')
    whole, again = (RunStore(tmp_path / name / 'runs') for name in ('whole', 'killed'))
    for run in plan_of(config).runs:
        np.testing.assert_array_equal(again.scores(run.key).scores, whole.scores(run.key).scores)
    text = (tmp_path / 'killed/report.md').read_text()
    assert text == (tmp_path / 'whole/report.md').read_text()
    modified = {path: path.stat().st_mtime_ns for path in runs.glob('*.json')}
    assert compare([str(config), '--work-dir', str(tmp_path / 'killed'), '--jobs', '0']) == 0
    assert {path: path.stat().st_mtime_ns for path in runs.glob('*.json')} == modified


def _wait_until_free(lock):
    from vpd_mm.engine.locks import file_lock

    with file_lock(lock, wait_sec=60):
        pass


def test_a_run_that_fails_stops_no_other(corpus, tmp_path, compare):
    methods = [
        dict(name='broken', config='configs/recognize/bigru_joints_500e_penn.py', options={'model.head': 3}),
        dict(name='nearest', kind='nearest', features='joints'),
    ]
    path = write_comparison(tmp_path / 'c.py', corpus, methods=methods, ks=['all'])
    with pytest.raises(UserError, match=r'1 of 2 runs failed; the first: .*head'):
        compare([str(path), '--work-dir', str(tmp_path / 'w'), '--jobs', '0'])
    assert [row['method'] for row in results(tmp_path / 'w')] == ['nearest']
    assert '| broken | - |' in (tmp_path / 'w/report.md').read_text()


def test_two_at_a_time_in_processes_of_their_own(corpus, tmp_path):
    path = write_comparison(tmp_path / 'c.py', corpus)
    plan, store = plan_of(path), RunStore(tmp_path / 'w' / 'runs')
    runs = [run for run in plan.runs if run.method.name == 'nearest'][:2]
    command, ended = Command(str(path), str(tmp_path / 'w')), []
    failed = run_missing(runs, plan.comparison, store, command, 2, ended=lambda run, error: ended.append((run, error)))
    assert failed == {}
    assert {run.key for run, _ in ended} == {run.key for run in runs}
    assert all(run.key in store for run in runs)
    wrong = Command(str(path), str(tmp_path / 'w'), ('options.nothing=1',))
    failed = run_missing(plan.runs[:1], plan.comparison, store, wrong, 1)
    assert "has this key (method 'BiGRU'" in failed[plan.runs[0].key]


def test_printed_lines_do_the_missing_runs(corpus, tmp_path, compare, capsys):
    path = write_comparison(tmp_path / 'c.py', corpus)
    work = ['--work-dir', str(tmp_path / 'w')]
    compare([str(path), *work, '--print-jobs', 'torchrun', '--cfg-options', 'subsets=1'])
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 4
    assert lines[0][:2] == ['python', str(TOOL)]
    assert lines[-1][-2:] == ['--cfg-options', 'subsets=1']
    assert compare(lines[-1][2:]) == 0
    compare([str(path), *work, '--print-jobs', 'torchrun', '--cfg-options', 'subsets=1'])
    assert len(capsys.readouterr().out.splitlines()) == 3
    with pytest.raises(UserError, match='--run 123: no run of'):
        compare([str(path), *work, '--run', '123'])
    plan = plan_of(path)
    command = Command('c.py', 'w')
    line = next(job_lines(plan.runs, command, 'torchrun', gpus=4))
    assert line.startswith('torchrun --nproc-per-node=4 ')
    assert line.endswith(f'--run {plan.runs[0].key} --launcher pytorch')
    line = shlex.split(next(job_lines(plan.runs, command, 'sbatch', gpus=4, partition='gpu')))
    assert line[:4] == ['sbatch', '--partition=gpu', '--ntasks=4', '--gpus=4']
    assert line[-1].startswith('--wrap=srun python ')
    assert line[-1].endswith('--launcher slurm')


def test_the_rest_takes_as_long_as_what_is_like_it(corpus, tmp_path):
    runs = plan_of(write_comparison(tmp_path / 'c.py', corpus)).runs
    few, other, whole, *nearest = runs
    assert seconds_left(runs, {}, runs) is None
    assert seconds_left([other], {few.key: 10.0}, runs) == 10
    assert seconds_left([other, whole], {few.key: 10.0, nearest[0].key: 2.0}, runs) == 20
    assert seconds_left([other, nearest[2]], {few.key: 10.0}, runs, jobs=2) == 10
