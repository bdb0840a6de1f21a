"""Several commands on one corpus at once, and a corpus that cannot be written."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from forked import curve_of, finish_tool, start_tool
from inference_files import STUDENT, save_model
from kills import run
from media import FRAMES, corpus_content, make_inputs, write_boxes
from test_kills import STEPS

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.experiments import few_shot_list
from vpd_mm.studio import Workspace, create_app

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / 'tools'
VIDEOS = ['a', 'b']
#: Trains on the videos that are there from the start.
TRAINING = """
_base_ = ['{root}/configs/distill/resnet18_2d-vpd_40e_real.py']
data = dict(corpus='corpus', teacher='joints', holdout='frame')
epoch = dict(num_samples=40)
train_dataloader = dict(sampler=epoch, batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=3)
default_hooks = dict(logger=dict(interval=1))
"""
SOURCES = ('--boxes', 'boxes', '--poses', 'poses', '--out', 'corpus')
EXTRACT = ('extract_features.py', 'student.py', 'student.pth', '--corpus', 'corpus', '--device', 'cpu', '--out')
TRAIN = ('train.py', 'c.py', '--work-dir')
INFER = ('--student', 'student.py:student.pth', '--boxes', 'boxes', '--no-video', '--out', 'out')


@pytest.fixture
def corpus(tmp_path, run_python) -> Corpus:
    """A prepared corpus of two videos, a third video beside them, and a student."""
    make_inputs(tmp_path, [*VIDEOS, 'c'])
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    (tmp_path / 'c.py').write_text(TRAINING.format(root=ROOT))
    shutil.move(tmp_path / 'videos/c.mp4', tmp_path / 'c.mp4')
    for command in (['prepare.py', 'videos', *SOURCES], ['extract_features.py', 'joints', '--corpus', 'corpus']):
        done = run_python(TOOLS / command[0], *command[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    return Corpus.open(tmp_path / 'corpus')


@pytest.mark.full
def test_two_prepares_an_extraction_a_training_and_the_joints_at_once(corpus, tmp_path, run_python):
    alone = run_python(TOOLS / 'extract_features.py', *EXTRACT[1:], 'alone', cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    commands = [
        ('prepare.py', 'c.mp4', *SOURCES),
        ('prepare.py', 'c.mp4', *SOURCES),
        (*EXTRACT, 'vpd'),
        (*TRAIN, 'w'),
        ('extract_features.py', 'joints', '--corpus', 'corpus'),
    ]
    files = [{'out': tmp_path / f'{i}.out', 'err': tmp_path / f'{i}.err'} for i in range(len(commands))]
    processes = [start_tool(TOOLS / tool, *rest, cwd=tmp_path, **to) for (tool, *rest), to in zip(commands, files)]
    first, second, *others = [finish_tool(process, **to, timeout=240) for process, to in zip(processes, files)]
    assert [done.returncode for done in others] == [0, 0, 0], others
    for done in (first, second):
        assert done.returncode == 0 or 'another prepare is writing this corpus' in done.stderr
    assert 0 in (first.returncode, second.returncode)
    assert CropStore(corpus.crops_dir).videos() == [*VIDEOS, 'c']
    features, expected = (FeatureStore(corpus.features_dir(name)) for name in ('vpd', 'alone'))
    for video in VIDEOS:
        assert np.array_equal(features[video].feats, expected[video].feats)
    assert curve_of(tmp_path / 'w').keys() == set(range(1, 31))
    assert (tmp_path / 'w/epoch_3.pth').is_file()
    assert not list(tmp_path.rglob('.*.tmp'))
    again = [run_python(TOOLS / tool, *rest, cwd=tmp_path) for tool, *rest in (commands[0], commands[2])]
    assert [done.returncode for done in again] == [0, 0], again
    assert FeatureStore(corpus.features_dir('vpd')).videos() == [*VIDEOS, 'c']


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mount a folder over itself so that nothing in it can be written."""
    if os.geteuid() != 0 or shutil.which('mount') is None:
        pytest.skip('needs root, which mounts the corpus')
    subprocess.run(['mount', '--bind', folder, folder], check=True)
    try:
        subprocess.run(['mount', '-o', 'remount,ro,bind', folder], check=True)
        yield
    finally:
        subprocess.run(['umount', folder], check=True)


@pytest.mark.full
def test_a_read_only_corpus_is_read_and_refuses_what_would_be_written(corpus, tmp_path, run_python):
    before = corpus_content(corpus.root)
    with read_only(corpus.root):
        for tool, *rest in (
            ('corpus.py', 'check', 'corpus'),
            (*TRAIN, 'w'),
            ('test.py', 'w'),
            ('infer.py', 'videos/a.mp4', *INFER),
            ('export_poses.py', '--corpus', 'corpus', '--poses', 'files', '--format', 'trc', '--out', 'trc'),
        ):
            done = run_python(TOOLS / tool, *rest, cwd=tmp_path)
            assert done.returncode == 0, (tool, done.stderr)
        for tool, *rest in (('prepare.py', 'c.mp4', *SOURCES), (*EXTRACT, 'vpd')):
            done = run_python(TOOLS / tool, *rest, cwd=tmp_path)
            assert done.returncode == 1
            (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
            assert 'Read-only file system' in line, line
            assert 'Traceback' not in done.stderr
    assert corpus_content(corpus.root) == before


@pytest.mark.full
def test_repair_refuses_a_read_only_corpus_in_one_line(tmp_path):
    STEPS['repair'].make(tmp_path / 'c')
    with read_only(tmp_path / 'c' / 'corpus'):
        code, errors, _ = run(STEPS['repair'], tmp_path / 'c')
    assert code == 1
    (line,) = [line for line in errors.splitlines() if line.startswith('error: ')]
    assert 'Read-only file system' in line, line
    assert 'Traceback' not in errors


@pytest.mark.full
def test_a_clock_that_was_set_back_a_day_makes_nothing_stale_current(corpus, tmp_path, run_python):
    def run_tool(tool: str, *rest: object) -> str:
        done = run_python(TOOLS / tool, *rest, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_times() -> None:
        for path in filter(Path.is_file, tmp_path.rglob('*')):
            os.utime(path, (tomorrow, tomorrow))

    tomorrow = time.time() + 24 * 3600
    assert '2 videos written' in run_tool(*EXTRACT, 'vpd')
    set_times()
    assert run_tool('prepare.py', 'videos', *SOURCES).count('nothing to do') == 2
    assert '0 videos written' in run_tool(*EXTRACT, 'vpd')
    write_boxes(tmp_path / 'boxes', 'a', range(FRAMES), (20, 6, 20, 30))
    set_times()
    assert run_tool('prepare.py', 'videos', *SOURCES).count('nothing to do') == 1
    set_times()
    assert '1 video written' in run_tool(*EXTRACT, 'vpd')
    run_tool(*EXTRACT, 'alone')
    features, expected = (FeatureStore(corpus.features_dir(name)) for name in ('vpd', 'alone'))
    for video in VIDEOS:
        assert np.array_equal(features[video].feats, expected[video].feats)


@pytest.mark.full
@pytest.mark.parametrize('name', ['train', 'fewshot', 'compare', 'detect'])
def test_a_read_only_corpus_of_features_trains(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    STEPS[name].make(folder)
    if name in ('fewshot', 'compare'):
        with read_only(folder / 'corpus'):
            code, errors, _ = run(STEPS[name], folder)
        assert code == 1
        assert 'cannot be written (Read-only file system); start this command once' in errors
        for subset in range(2):
            few_shot_list(Corpus.open(folder / 'corpus'), 2, subset)
    with read_only(folder / 'corpus'):
        code, errors, _ = run(STEPS[name], folder)
    assert code == 0, errors


@pytest.mark.full
def test_a_read_only_corpus_is_searched_exported_and_opened(tmp_path, run_python):
    STEPS['detect'].make(tmp_path)
    corpus = Corpus.open(tmp_path / 'corpus')
    with read_only(corpus.root):
        for tool, *rest in (
            ('retrieve.py', '--corpus', 'corpus', '--features', 'vpd', '--ks', 1, '--out', 'nearest.csv'),
            ('convert_labels.py', 'corpus', '--to', 'boris', '--out', 'labels.boris'),
        ):
            done = run_python(TOOLS / tool, *rest, cwd=tmp_path)
            assert done.returncode == 0, (tool, done.stderr)
        client = TestClient(
            create_app(Workspace(corpus, 'vpd')), base_url='http://127.0.0.1:8765', headers={'X-VPD-Studio': '1'}
        )
        for place in ('corpus', 'videos', 'videos/v0', 'labels', 'labels/history', 'training', 'review'):
            assert client.get(f'/api/{place}').status_code == 200, place
        label = {'video': 'v5', 'start_frame': 100, 'end_frame': 120, 'label': 'rise', 'note': ''}
        answer = client.post('/api/labels', json={'changes': [{'before': None, 'after': label}]})
        assert answer.status_code == 400
        assert 'Read-only file system' in answer.json()['error']
