"""build_corpus and tools/prepare.py with bad files, a full disk, concurrent runs and killed processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from forked import start_tool
from media import (
    FRAMES,
    build_corpus,
    corpus_content,
    cut_file,
    damage_packets,
    make_sound,
    make_video,
    write_boxes,
    write_poses,
)

from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def prepare(run_python, tmp_path):
    """``tools/prepare.py`` in a process of its own; without ``--workers``, it prepares the videos itself."""
    own = ['--boxes', 'full', '--poses', 'none', '--workers', '1']
    return lambda *args: run_python(ROOT / 'tools' / 'prepare.py', *own, *args, cwd=tmp_path)


def test_bad_files_are_listed_and_the_others_prepared(prepare, tmp_path):
    folder = tmp_path / 'folder'
    make_video(folder / 'good.mp4', FRAMES)
    make_video(folder / 'one.mp4', 1)
    damage_packets(make_video(folder / 'scratched.mp4', 24), [8])
    cut_file(make_video(folder / 'cut.mp4', 30))
    (folder / 'empty.mp4').touch()
    (folder / 'text.avi').write_text('no video')
    make_sound(folder / 'sound.mp4')
    done = prepare(folder, folder / 'gone.mp4', '--out', tmp_path / 'c')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    assert lines[0].startswith('5 errors')
    assert len(lines) == 6
    for line, name in zip(lines[1:], ('cut.mp4', 'empty.mp4', 'gone.mp4', 'sound.mp4', 'text.avi'), strict=True):
        assert f'{Path(name).stem}: {folder / name}: ' in line
    corpus = Corpus.open(tmp_path / 'c')
    assert list(corpus.videos()) == ['good', 'one', 'scratched']
    assert len(CropStore(corpus.crops_dir).header('good')) == FRAMES
    assert 'damaged packets or frames skipped' in done.stdout
    again = prepare(folder / 'good.mp4', '--out', tmp_path / 'c')
    assert again.returncode == 0


def test_bad_boxes_and_poses_are_listed(tmp_path):
    videos = [make_video(tmp_path / f'{name}.mp4', FRAMES) for name in ('far', 'late', 'lost', 'none', 'well')]
    boxes = write_boxes(tmp_path / 'boxes', 'well')
    write_boxes(boxes, 'far', box=(500, 500, 20, 20))
    write_boxes(boxes, 'late', range(FRAMES + 3))
    write_boxes(boxes, 'lost')
    write_boxes(boxes, 'none', range(0))
    poses = write_poses(tmp_path / 'poses', 'well')
    report = build_corpus(videos, tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    failures = dict(report.failures)
    assert set(failures) == {'far', 'late', 'lost', 'none'}
    assert 'outside the 64x48 frame' in failures['far']
    assert 'boxes.json' in failures['late']
    assert "no poses of 'lost'" in failures['lost']
    assert 'no person found' in failures['none']
    # a missing pose file does not cost the crops, and can be given later
    assert CropStore(tmp_path / 'c' / 'athlete' / 'crops').videos() == ['lost', 'well']
    write_poses(poses, 'lost')
    again = build_corpus(videos[2:3], tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    assert [(r.decoded, r.posed, r.failures) for r in again.videos] == [(0, 6, [])]


@pytest.mark.parametrize('workers', ['1', '2'])
def test_names_and_titles_that_are_not_utf8(prepare, tmp_path, workers):
    folder = tmp_path / 'folder'
    make_video(folder / 'good.mp4', FRAMES)
    titled = make_video(folder / 'titled.mp4', FRAMES, title='Lüfte')
    titled.write_bytes(titled.read_bytes().replace('ü'.encode(), b'\xfcx'))
    os.link(folder / 'good.mp4', os.fsencode(folder) + b'/\xff\x1b.mp4')
    done = prepare(folder, '--out', tmp_path / 'c', '--workers', workers)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith('1 error;')
    assert "\\udcff\\x1b: video name '\\udcff\\x1b': must be" in done.stderr
    corpus = Corpus.open(tmp_path / 'c')
    assert list(corpus.videos()) == CropStore(corpus.crops_dir).videos() == ['good', 'titled']
    assert list(corpus.failures()) == ['\\udcff\\x1b']
    os.rename(os.fsencode(folder) + b'/\xff\x1b.mp4', folder / 'renamed.mp4')
    assert corpus.failures() == {}
    assert prepare(folder, '--out', tmp_path / 'c').returncode == 0


@pytest.mark.parametrize('workers', [1, 2])
def test_any_error_of_one_video_costs_that_video(tmp_path, workers):
    videos = [make_video(tmp_path / f'{name}.mp4', FRAMES) for name in ('a', 'b', 'c')]
    boxes = write_boxes(tmp_path / 'boxes', 'a')
    write_boxes(boxes, 'c')
    (boxes / 'b').mkdir()
    os.mkfifo(boxes / 'b' / 'boxes.json')
    (boxes / 'c' / 'mask.json').write_text('{"2": {"bogus": 1}}')
    report = build_corpus(videos, tmp_path / 'c', boxes=str(boxes), workers=workers)
    assert {video for video, _ in report.failures} == {'b', 'c'}
    assert Corpus.open(tmp_path / 'c').track('a').frame_inds.tolist() == list(range(2, 10))


def test_poses_of_a_wide_shot_with_full_boxes_and_of_another_video(tmp_path):
    """A person of 2.5 % of the frame, 26 joints in Pose2Sim's folder; no person in the poses of the third video."""
    videos = [make_video(tmp_path / f'{name}.mp4', FRAMES) for name in ('wide', 'other', 'empty')]
    for name, size in (('wide', (7, 10)), ('other', (200, 300)), ('empty', None)):
        folder = tmp_path / f'poses/{name}_json'
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            xy = np.random.default_rng(0).uniform((20 + frame, 20), np.add((20 + frame, 20), size or 0), (26, 2))
            people = [{'pose_keypoints_2d': np.column_stack([xy, np.full(26, 0.9)]).ravel().tolist()}] if size else []
            (folder / f'{name}_{frame:06d}.json').write_text(json.dumps({'people': people}))
    report = build_corpus(videos, tmp_path / 'c', boxes='full', poses=str(tmp_path / 'poses'))
    counts = {r.video: (r.posed, r.notes) for r in report.videos}
    assert counts['wide'] == (FRAMES, [f'{FRAMES} people with Halpe-26 joints'])
    failures = dict(report.failures)
    assert set(failures) == {'other', 'empty'}
    assert re.search(r'other_json: \d+ of 204 joints are not finite or outside of the frame', failures['other'])
    assert failures['empty'].endswith(f'empty_json: no usable person in its {FRAMES} frames')


def test_huge_box_is_refused_before_allocation(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes = write_boxes(tmp_path / 'boxes', 'jump', box=(-1e6, -1e6, 2e6, 2e6))
    [(_, line)] = build_corpus([video], tmp_path / 'c', boxes=str(boxes)).failures
    assert '8 of 8 boxes, first [-1000000.0, -1000000.0, 1000000.0, 1000000.0] (xyxy) of frame 2, are not' in line


def test_second_prepare_on_the_same_corpus(prepare, tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    corpus = Corpus.create(tmp_path / 'c')
    with corpus.lock():
        done = prepare(video, '--out', tmp_path / 'c')
        assert done.returncode == 1
        assert done.stderr.startswith(f'error: {tmp_path / "c"}: another prepare is writing this corpus')
        assert done.stderr.count('\n') == 1
    assert prepare(video, '--out', tmp_path / 'c').returncode == 0


@pytest.mark.parametrize('workers', ['1', pytest.param('2', marks=pytest.mark.full)])
def test_setup_errors_end_the_run_with_one_line(prepare, tmp_path, workers):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    args = (video, make_video(tmp_path / 'b.mp4', 2), '--out', tmp_path / 'c', '--workers', workers)
    done = prepare(*args, '--flow', 'raft', '--flow-checkpoint', tmp_path / 'weights.pth')
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: checkpoint {tmp_path / "weights.pth"}: no such file'), done.stderr
    assert done.stderr.count('\n') == 1


def _script(folder, text):
    path = folder / 'script.py'
    path.write_text(text)
    return path


def test_kill_in_the_first_video_of_all(run_python, tmp_path):
    """A shard without a finished video can be resumed."""
    video = make_video(tmp_path / 'a.mp4', 24)
    (tmp_path / 'c').mkdir()
    code = _SLOW.replace('time.sleep(0.03)', 'args[0] > 20 and __import__("os").kill(__import__("os").getpid(), 9)')
    killed = run_python(_script(tmp_path, code), video, tmp_path / 'c', 'none', cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / 'c' / 'athlete' / 'crops' / 'shard-000-00.lmdb').exists()
    assert build_corpus([video], tmp_path / 'c').videos[0].crops == 24
    build_corpus([video], tmp_path / 'whole')
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')


_SLOW = """
import resource, sys, time
from vpd_mm.prepare import build_corpus
from vpd_mm.corpus import crop_writer
crop_writer._CHUNK_BYTES = 20_000
add = crop_writer.VideoCropWriter.add
def slow_add(self, *args, **kwargs):
    time.sleep(0.03)
    add(self, *args, **kwargs)
crop_writer.VideoCropWriter.add = slow_add
build_corpus([sys.argv[1]], sys.argv[2], boxes='full', poses=sys.argv[3])
"""


def test_kill_in_the_middle_then_rerun(tmp_path):
    folder = tmp_path / 'folder'
    for name in ('a', 'b', 'c'):
        make_video(folder / f'{name}.mp4', 24)
        write_poses(tmp_path / 'poses', name)
    poses = str(tmp_path / 'poses')
    arguments = [_script(tmp_path, _SLOW), folder, tmp_path / 'c', poses]
    process = start_tool(*arguments, cwd=tmp_path, out=tmp_path / 'out', err=tmp_path / 'err')
    track = tmp_path / 'c' / 'athlete' / 'tracks' / 'b.npz'
    end = time.monotonic() + 60
    while not track.exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.4)  # in the middle of b's frames
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store = CropStore(tmp_path / 'c' / 'athlete' / 'crops')
    assert store.videos() == ['a'], 'the kill must fall into b'
    report = build_corpus([folder], tmp_path / 'c', poses=poses)
    assert [(r.video, r.decoded) for r in report.videos] == [('a', 0), ('b', 24), ('c', 24)]
    build_corpus([folder], tmp_path / 'whole', poses=poses)
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')
    assert not list((tmp_path / 'c').rglob('*.tmp')), 'nothing half-written is left'


_FULL_DISK = """
import resource, sys
from vpd_mm.prepare import build_corpus
from vpd_mm.corpus import crop_writer
crop_writer._CHUNK_BYTES = 20_000
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for video, line in build_corpus([sys.argv[1]], sys.argv[2], boxes='full', poses='none').failures:
    print(video, line)
"""


def test_full_disk_is_one_line_per_video_and_can_be_resumed(run_python, tmp_path):
    folder = tmp_path / 'folder'
    for name in ('a', 'b', 'c'):
        make_video(folder / f'{name}.mp4', 24)
    done = run_python(_script(tmp_path, _FULL_DISK), folder, tmp_path / 'c', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 1 <= len(lines) <= 2
    assert all('free some space and run again' in line for line in lines)
    failed = {line.split()[0] for line in lines}
    assert 'a' not in failed
    assert set(CropStore(tmp_path / 'c' / 'athlete' / 'crops').videos()) == {'a', 'b', 'c'} - failed
    report = build_corpus([folder], tmp_path / 'c')
    assert {r.video for r in report.videos if r.decoded} == failed
    build_corpus([folder], tmp_path / 'whole')
    assert corpus_content(tmp_path / 'c') == corpus_content(tmp_path / 'whole')


def test_unknown_layout_is_refused(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    build_corpus([video], tmp_path / 'c')
    path = tmp_path / 'c' / 'corpus.json'
    path.write_text(path.read_text().replace('"layout_version": 1', '"layout_version": 9'))
    with pytest.raises(UserError, match='layout_version is 9'):
        build_corpus([video], tmp_path / 'c')


def test_a_dead_worker_costs_one_video(tmp_path):
    for name in ('a', 'b', 'c', 'd'):
        make_video(tmp_path / 'folder' / f'{name}.mp4', 6)
    script = tmp_path / 'run.py'
    script.write_text(
        """
import os, sys
from vpd_mm.prepare import video_preparer
prepare = video_preparer.VideoPreparer.prepare
def dying(self, job, on_progress):
    if job.path.stem == 'b':
        os.kill(os.getpid(), 9)
    return prepare(self, job, on_progress)
video_preparer.VideoPreparer.prepare = dying  # runs again in every spawned process
if __name__ == '__main__':
    from vpd_mm.prepare import build_corpus
    report = build_corpus([sys.argv[1]], sys.argv[2], boxes='full', poses='none', workers=2)
    print(report.failures)
    print([r.video for r in report.videos if not r.failures])
"""
    )
    command = [sys.executable, script, tmp_path / 'folder', tmp_path / 'c']
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env, timeout=120)
    failures, well = done.stdout.splitlines()
    assert "('b', " in failures
    assert 'its worker process died' in failures
    assert well == "['a', 'c', 'd']"


_SLOW_WORKERS = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs without it
from vpd_mm.prepare import video_preparer
step = video_preparer.CropTask.step
def slow_step(self, *args):
    time.sleep(0.2)
    step(self, *args)
video_preparer.CropTask.step = slow_step  # also in every spawned process
if __name__ == '__main__':
    from vpd_mm.prepare import build_corpus
    build_corpus([sys.argv[1]], sys.argv[2], boxes='full', poses='none', workers=2)
"""


@pytest.mark.parametrize('ending', [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, ending):
    for name in ('a', 'b', 'c', 'd'):
        make_video(tmp_path / 'videos' / f'{name}.mp4', 50)
    script = tmp_path / 'run.py'
    script.write_text(_SLOW_WORKERS)
    command = [sys.executable, script, tmp_path / 'videos', tmp_path / 'c']
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': str(ROOT)}, stderr=subprocess.PIPE)
    tracks = tmp_path / 'c' / 'athlete' / 'tracks'
    end = time.monotonic() + 60
    while len(list(tracks.glob('*.npz'))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    workers = [int(pid) for pid in Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()]
    assert len(workers) >= 2
    process.send_signal(ending)
    process.communicate(timeout=60)
    assert process.returncode == -ending
    end = time.monotonic() + 5
    while any(Path(f'/proc/{pid}').exists() for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in workers if Path(f'/proc/{pid}').exists()]
    report = build_corpus([tmp_path / 'videos'], tmp_path / 'c')
    assert [(r.video, r.crops, r.failures) for r in report.videos] == [(name, 50, []) for name in 'abcd']
