"""The tools on a real Slurm: ranks of srun, jobs that are cancelled, requeued or killed, arrays of jobs."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from comparison_corpus import easy_corpus, write_comparison
from forked import curve_of
from inference_files import STUDENT, save_model
from media import corpus_content, make_inputs
from slurm_cluster import finish, jobs, output, slurm_cluster, submit, wait_for, why_not

from vpd_mm.corpus import Corpus, FeatureStore

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(why_not()), reason=why_not())]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
VIDEOS = ('a', 'b', 'c')


@pytest.fixture(scope='module', autouse=True)
def _slurm(tmp_path_factory):
    environment = {'PYTHONPATH': str(ROOT), 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'}
    with pytest.MonkeyPatch.context() as patch, slurm_cluster(tmp_path_factory.mktemp('slurm')):
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def run_alone(tmp_path, run_python):
    """Run a tool in one process in the folder of the test."""

    def run(name, *arguments):
        done = run_python(TOOLS / name, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]

    return run


def words(*arguments: object) -> str:
    return shlex.join(map(str, arguments))


def test_a_training_that_is_cancelled_and_requeued_ends_as_in_one_process(tmp_path, run_alone):
    config, half = 'configs/baselines/stgcn-gn_joint_8e_generated.py', ['train_dataloader.batch_size=8']
    options = ['train_dataloader.dataset.num_clips=32', 'val_dataloader.dataset.num_clips=16']
    options += ['train_cfg.max_epochs=8', 'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=1']
    run_alone('train.py', config, '--work-dir', 'one', '--cfg-options', *options)
    command = ['bash', TOOLS / 'slurm_train.sh', 'debug', 'job', config, '--work-dir', 'two', '--resume']
    script = f'GPUS=2 GPUS_PER_NODE=2 CPUS_PER_TASK=1 {words(*command, "--cfg-options", *options, *half)}'
    resources = ('--requeue', '-n2', '--gres=gpu:2')
    cancelled = submit(script, tmp_path, *resources)
    wait_for((tmp_path / 'two/epoch_1.pth').exists, 120)
    output('scancel', cancelled)
    assert 'resumed' not in finish(cancelled, tmp_path)
    requeued = submit(script, tmp_path, *resources)
    wait_for((tmp_path / 'two/epoch_4.pth').exists, 120)
    output('scontrol', 'requeue', requeued)
    text = finish(requeued, tmp_path)
    assert 'resumed: epoch' in text
    one, two = curve_of(tmp_path / 'one'), curve_of(tmp_path / 'two')
    assert one.keys() == two.keys() == set(range(1, 17)), text[-2000:]
    for step, loss in one.items():
        assert two[step] == pytest.approx(loss, abs=1e-4), step
    starts = len(list(tmp_path.glob('two/*/*.log')))
    assert starts == 3, 'the first one, after scancel, after the requeue'
    assert not list(tmp_path.rglob('.*.tmp'))


@pytest.fixture
def videos(tmp_path):
    make_inputs(tmp_path, VIDEOS)
    return ['videos', '--boxes', 'boxes', '--poses', 'poses']


def test_ranks_of_srun_prepare_and_extract_what_one_process_does(tmp_path, videos, run_alone):
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    extract = ['student.py', 'student.pth', '--out', 'vpd', '--device', 'cpu', '--corpus']
    run_alone('prepare.py', *videos, '--out', 'one')
    run_alone('extract_features.py', *extract, 'one')
    lines = [
        words('srun', '-n2', 'python', TOOLS / 'prepare.py', *videos, '--out', 'two'),
        words('srun', '-n2', 'python', TOOLS / 'extract_features.py', *extract, 'two'),
    ]
    text = finish(submit('\n'.join(['set -e', *lines]), tmp_path, '-n2'), tmp_path)
    one, two = (Corpus.open(tmp_path / name) for name in ('one', 'two'))
    assert corpus_content(one.root) == corpus_content(two.root), text
    assert len({path.name.split('-')[1] for path in two.crops_dir.glob('*.lmdb')}) == 2, 'both ranks wrote crops'
    features = [FeatureStore(corpus.features_dir('vpd')) for corpus in (one, two)]
    assert features[0].videos() == features[1].videos() == list(VIDEOS)
    for name in VIDEOS:
        assert np.array_equal(features[0][name].feats, features[1][name].feats)
    assert '3 videos written' not in text
    assert not list(two.root.rglob('.*.tmp'))


def test_a_batch_script_without_srun_is_one_process(tmp_path, videos, run_alone):
    """Slurm tells a batch script of two tasks its number of tasks and rank 0, but starts one process."""
    run_alone('prepare.py', *videos, '--out', 'one')
    script = words('python', TOOLS / 'prepare.py', *videos, '--out', 'two')
    text = finish(submit(script, tmp_path, '-n2'), tmp_path)
    assert corpus_content(tmp_path / 'one') == corpus_content(tmp_path / 'two'), text


def test_a_comparison_as_an_array_of_jobs_survives_a_cancelled_and_a_requeued_one(tmp_path, run_alone):
    corpus = easy_corpus(tmp_path / 'corpus')
    bigru = 'configs/recognize/bigru.py'
    methods = [
        *(dict(name=f'long{i}', config=bigru, options={'train_cfg.max_epochs': 200 + i}) for i in range(2)),
        dict(name='nearest', kind='nearest', features='teacher/joints'),
        dict(name='both', kind='ensemble', of=['long0', 'nearest']),
    ]
    config = write_comparison(tmp_path / 'c.py', corpus, ks=[2], subsets=1, methods=methods)
    run_alone('compare.py', config, '--work-dir', 'one', '--executor', 'debug')
    command = [sys.executable, TOOLS / 'compare.py', config, '--work-dir', tmp_path / 'two']
    command = list(map(str, [*command, '--executor', 'slurm', '--jobs', '2', '--partition', 'debug']))
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    wait_for(lambda: first.poll() is not None or len(list(tmp_path.glob('two/runs/*/epoch_*.pth'))) >= 2, 360)
    assert first.poll() is None, first.communicate()
    arrays = sorted(job for job, state in jobs().items() if state == 'RUNNING')
    output('scancel', arrays[0])
    output('scontrol', 'requeue', arrays[1])
    _, errors = first.communicate(timeout=480)
    assert first.returncode == 1
    assert '1 run failed; the first: error: its process ended without a result' in errors, errors
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=480)
    assert again.returncode == 0, again.stderr
    assert '2 of 4 runs to do' in again.stderr, 'only the cancelled run and the ensemble of it are left'
    results = [
        {path.name: json.loads(path.read_text()) for path in tmp_path.glob(f'{name}/runs/*.json')}
        for name in ('one', 'two')
    ]
    assert len(results[0]) == 4
    for of_run in (*results[0].values(), *results[1].values()):
        for name in ('seconds', 'commit'):
            of_run.pop(name)
    assert results[0] == results[1]
    logs = tmp_path.glob('two/runs/*/*/*.log')
    assert sum(1 for _ in logs) == 4, 'both trainings were started twice'
    assert not list((tmp_path / 'two').rglob('.*.tmp'))
