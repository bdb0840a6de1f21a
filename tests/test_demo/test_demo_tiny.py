"""The whole demonstration at its smallest, as a user starts it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import PHONE, render_on_phone

pytestmark = pytest.mark.full
# One job: each more is a process that imports everything.
ARGUMENTS = ('--scale', 'tiny', '--jobs', '1')
TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'demo.py'
PARTS = ('recognition', 'gap_filling', 'retrieval', 'detection')


def run_again(run_python, folder: Path) -> tuple[str, dict]:
    """Call the tool again; returns its output and the results."""
    done = run_python(TOOL, *ARGUMENTS, cwd=folder, timeout=1800)
    log = folder / 'runs' / 'demo.log'
    assert done.returncode == 0, f'{done.stdout[-1000:]}\n{done.stderr[-2000:]}\n{log.read_text()[-2000:]}'
    return done.stdout, json.loads((folder / 'runs' / 'demo-tiny' / 'results.json').read_text())


@pytest.fixture(scope='module')
def demo(tmp_path_factory, run_python):
    """Folder, output and results of ``tools/demo.py --scale tiny``, killed in a training and then completed."""
    folder = tmp_path_factory.mktemp('demo')
    log = folder / 'killed.txt'
    with log.open('w') as out:
        process = subprocess.Popen([sys.executable, TOOL, *ARGUMENTS], cwd=folder, stdout=out)
    end = time.monotonic() + 600
    while 'distil 2D-VPD ...' not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((folder / 'runs' / 'demo-tiny' / 'work').glob('*.finished'))
    return folder, *run_again(run_python, folder)


def test_results_have_all_parts(demo):
    results = demo[2]
    assert {*PARTS, 'seconds', 'seed', 'scale', 'versions'} == set(results)
    features = ['2D joints (teacher)', 'VIPE* (teacher)', '2D-VPD', 'VI-VPD']
    assert [row['method'] for row in results['recognition']] == [*features, 'ST-GCN', 'TSN, crops']
    assert [row['method'] for row in results['retrieval']] == features
    assert [row['method'] for row in results['detection']] == features
    for row in results['recognition']:
        assert set(row) == {'method', 'k', 'top1_mean', 'top1_std', 'runs', 'clips', 'chance', 'majority'}
        assert 0 <= row['top1_mean'] <= 100
        assert (row['k'], row['runs']) == ('all', 1)
    for row in results['retrieval']:
        assert {'method', 'queries', 'gallery', 'chance'} == {name for name in row if '@' not in name}
        assert {'precision@1', 'precision@3', 'hit@1', 'hit@3'} == {name for name in row if '@' in name}
    for row in results['detection']:
        assert {'method', 'threshold', 'videos', 'AP@0.1', 'AP@0.3', 'AP@0.5', 'AP@0.7', 'AP@0.9', 'mAP'} < set(row)
        assert 0 <= row['mAP'] <= 1
        assert row['videos'] == 1
    gaps = results['gap_filling']
    assert set(gaps) == {'teacher_error', 'student_error', 'frames'}
    # the pose estimator is deterministic; the student has seen 200 crops
    assert gaps['frames'] == 20
    assert gaps['teacher_error'] == pytest.approx(1.0075, abs=1e-3)
    assert gaps['student_error'] == pytest.approx(0.6369, abs=0.05)
    assert results['versions']['mmpose'].startswith('1.')
    assert all(seconds >= 0 for seconds in results['seconds'].values())


def test_only_progress_and_results_are_printed(demo):
    lines = demo[1].splitlines()
    assert lines[0] == 'make the synthetic sport ...'
    assert lines[1].startswith('    Videos of athletes')  # the purpose of the step
    assert lines[2] == 'first image: runs/demo-tiny/sport.jpg'
    assert (demo[0] / 'runs' / 'demo-tiny' / 'sport.jpg').is_file()
    assert lines[-1].endswith('report.html')
    assert not [line for line in lines if 'Warning' in line or 'Loads checkpoint' in line]


def test_the_report_is_complete_on_a_phone(demo, tmp_path):
    report = demo[0] / 'runs' / 'demo-tiny' / 'report.html'
    text = report.read_text(encoding='utf-8')
    titles = ['Low-confidence frames', 'Few-shot recognition', 'Retrieval', 'Detection', 'Method']
    assert re.findall('<h2>(.*?)</h2>', text) == [*titles, 'Next steps', 'Time and versions']
    assert text.count('<li class="warn">') >= 1  # tiny trains for seconds
    assert text.count('data:image/webp') >= 5  # gaps that are filled, and a query with its nearest clips
    assert 'Confusion matrices (k = all, sum of all runs)</summary>' in text
    assert len(text) < 12e6
    assert 'src="http' not in text
    shown = render_on_phone(report, tmp_path)
    assert shown.scroll_width == shown.width == PHONE
    assert shown.images >= 20
    assert shown.broken == 0
    assert shown.console == []


def made_files(folder: Path) -> dict[Path, int]:
    """Modification times of everything that takes long to make."""
    root = folder / 'runs' / 'demo-tiny'
    return {path: path.stat().st_mtime_ns for path in root.rglob('*') if path.suffix in ('.mp4', '.npz', '.pth')}


def test_another_run_makes_what_is_missing_and_nothing_else(demo, run_python):
    root = demo[0] / 'runs' / 'demo-tiny'
    before = made_files(demo[0])
    shutil.rmtree(root / 'corpus' / 'features' / 'vpd')
    runs = sorted((root / 'work' / 'runs').glob('*.json'))
    runs[0].unlink()
    _, results = run_again(run_python, demo[0])
    assert sorted((root / 'work' / 'runs').glob('*.json')) == runs
    remade = {path for path, time_ns in made_files(demo[0]).items() if before.get(path) != time_ns}
    assert all('features/vpd' in str(path) or runs[0].stem in str(path) for path in remade)
    for part in PARTS:
        assert results[part] == demo[2][part], part


def test_another_seed_or_a_foreign_folder_is_refused_in_one_line(demo, run_python, tmp_path):
    done = run_python(TOOL, '--scale', 'tiny', '--seed', '1', cwd=demo[0])
    assert done.returncode == 1
    assert done.stderr.startswith('error: runs/demo-tiny: was made with')
    assert "'seed': 1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mine.txt').write_text('mine')
    done = run_python(TOOL, 'run', '--out', 'out', cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('error: out: is not empty and holds no run of demo')
    done = run_python(TOOL, '--scale', 'huge', cwd=tmp_path)
    assert done.returncode == 1
    assert "invalid choice: 'huge'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'runs').exists() or not list((tmp_path / 'runs').glob('demo-*'))


def test_moved_commands_name_their_tool(run_python, tmp_path):
    done = run_python(TOOL, 'make-sport', '--help', cwd=tmp_path)
    assert done.returncode == 0
    assert '--sub-frames' in done.stdout
    assert 'deprecated since 0.2, removed in 0.3; use tools/make_synthetic.py sport' in done.stderr
