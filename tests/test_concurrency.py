"""Several commands on one corpus at once, and a corpus that cannot be written."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from forked import finish_tool, start_tool
from inference_files import STUDENT, save_model
from media import FRAMES, make_video, write_boxes, write_poses

from vpd_mm.corpus import Corpus, CropStore, FeatureStore

TOOLS = Path(__file__).resolve().parents[1] / 'tools'


@pytest.fixture
def corpus(tmp_path, run_python) -> Corpus:
    """A prepared corpus of two videos, a third video beside them, and a student."""
    for name in ('a', 'b', 'c'):
        make_video(tmp_path / 'videos' / f'{name}.mp4')
        write_boxes(tmp_path / 'boxes', name, range(FRAMES))
        write_poses(tmp_path / 'poses', name, range(FRAMES))
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    shutil.move(tmp_path / 'videos/c.mp4', tmp_path / 'c.mp4')
    for command in (['prepare.py', 'videos', *SOURCES], ['extract_features.py', 'joints', '--corpus', 'corpus']):
        done = run_python(TOOLS / command[0], *command[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    return Corpus.open(tmp_path / 'corpus')


SOURCES = ('--boxes', 'boxes', '--poses', 'poses', '--out', 'corpus')
EXTRACT = ('extract_features.py', 'student.py', 'student.pth', '--corpus', 'corpus', '--device', 'cpu', '--out', 'vpd')


@pytest.mark.full
def test_two_prepares_an_extraction_and_the_joints_at_once(corpus, tmp_path):
    commands = [
        ('prepare.py', 'c.mp4', *SOURCES),
        ('prepare.py', 'c.mp4', *SOURCES),
        EXTRACT,
        ('extract_features.py', 'joints', '--corpus', 'corpus'),
    ]
    files = [{'out': tmp_path / f'{i}.out', 'err': tmp_path / f'{i}.err'} for i in range(len(commands))]
    processes = [start_tool(TOOLS / tool, *rest, cwd=tmp_path, **to) for (tool, *rest), to in zip(commands, files)]
    first, second, *others = [finish_tool(process, **to, timeout=120) for process, to in zip(processes, files)]
    assert [done.returncode for done in others] == [0, 0], others
    for done in (first, second):
        assert done.returncode == 0 or 'another prepare is writing this corpus' in done.stderr
    assert 0 in (first.returncode, second.returncode)
    assert CropStore(corpus.crops_dir).videos() == ['a', 'b', 'c']
    assert {'a', 'b'} <= set(FeatureStore(corpus.features_dir('vpd')).videos())
    assert not list(corpus.root.rglob('.*.tmp'))


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which('mount') is None, reason='needs root, which mounts the corpus')
def test_a_read_only_corpus_is_read_and_refuses_what_would_be_written(corpus, tmp_path, run_python):
    folder = str(corpus.root)
    subprocess.run(['mount', '--bind', folder, folder], check=True)
    try:
        subprocess.run(['mount', '-o', 'remount,ro,bind', folder], check=True)
        checked = run_python(TOOLS / 'corpus.py', 'check', 'corpus', cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr
        for tool, *rest in (('prepare.py', 'c.mp4', *SOURCES), EXTRACT):
            done = run_python(TOOLS / tool, *rest, cwd=tmp_path)
            assert done.returncode == 1
            (line,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
            assert 'Read-only file system' in line, line
            assert 'Traceback' not in done.stderr
    finally:
        subprocess.run(['umount', folder], check=True)
