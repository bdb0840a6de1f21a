"""The whole demonstration at its smallest, as a user starts it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from browser import PHONE, render_on_phone

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'demo.py'


@pytest.fixture(scope='module')
def demo(tmp_path_factory, run_python):
    """A folder in which ``tools/demo.py --scale tiny`` has run."""
    folder = tmp_path_factory.mktemp('demo')
    done = run_python(TOOL, '--scale', 'tiny', cwd=folder, timeout=1800)
    log = folder / 'runs' / 'demo.log'
    assert done.returncode == 0, f'{done.stdout[-1000:]}\n{done.stderr[-2000:]}\n{log.read_text()[-2000:]}'
    return folder, done.stdout


def test_results_are_of_every_part(demo):
    root = demo[0] / 'runs' / 'demo-tiny'
    results = json.loads((root / 'results.json').read_text())
    assert {'recognition', 'gap_filling', 'retrieval', 'detection', 'seconds', 'seed', 'versions'} <= set(results)
    for part in ('recognition', 'retrieval', 'detection'):
        methods = {row['method'] for row in results[part]}
        assert {'2D joints (teacher)', '2D-VPD'} <= methods, part
    for row in results['recognition']:
        assert 0 <= row['top1_mean'] <= 100
        assert row['runs'] == 1
    assert set(results['gap_filling']) == {'teacher_error', 'student_error', 'frames'}
    assert results['gap_filling']['frames'] > 0
    assert results['gap_filling']['student_error'] > 0
    assert all(seconds >= 0 for seconds in results['seconds'].values())


def test_progress_is_told_and_nothing_else(demo):
    lines = demo[1].splitlines()
    assert lines[0].strip().startswith('1/')
    assert 'film the synthetic sport' in lines[0]
    assert lines[-1].endswith('report.html')
    assert not [line for line in lines if 'Warning' in line or 'Loads checkpoint' in line]


def test_the_report_is_whole_on_a_phone(demo, tmp_path):
    report = demo[0] / 'runs' / 'demo-tiny' / 'report.html'
    text = report.read_text(encoding='utf-8')
    for words in ('What this is', 'Recognise from few clips', 'Fill the gaps', 'Find what is alike', 'How to go on'):
        assert words in text
    assert 'src="http' not in text
    shown = render_on_phone(report, tmp_path)
    assert shown.scroll_width == shown.width == PHONE
    assert shown.images >= 6
    assert shown.broken == 0
    assert shown.console == []


def test_a_second_run_resumes_and_says_the_same(demo, run_python):
    folder = demo[0]
    root = folder / 'runs' / 'demo-tiny'
    first = json.loads((root / 'results.json').read_text())
    (root / 'stages' / 'retrieve-features-vpd.json').unlink()
    shutil.rmtree(root / 'corpus' / 'features')
    (root / 'stages' / 'features-vpd.json').unlink()
    done = run_python(TOOL, '--scale', 'tiny', cwd=folder, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    ran = re.findall(r'^ *\d+/\d+ (.*): \d+ s$', done.stdout, re.MULTILINE)
    assert ran == ['2D-VPD on every frame', 'retrieve: 2D-VPD']
    second = json.loads((root / 'results.json').read_text())
    for part in ('recognition', 'gap_filling', 'retrieval', 'detection'):
        assert second[part] == first[part], part


def test_another_seed_or_a_foreign_folder_is_one_line(demo, run_python, tmp_path):
    done = run_python(TOOL, '--scale', 'tiny', '--seed', '1', cwd=demo[0])
    assert done.returncode == 1
    assert done.stderr.startswith('error: runs/demo-tiny: was made by')
    assert len(done.stderr.splitlines()) == 1
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'mine.txt').write_text('mine')
    done = run_python(TOOL, 'run', '--out', 'out', cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('error: out: not empty and not of a demonstration')
    done = run_python(TOOL, '--scale', 'huge', cwd=tmp_path)
    assert done.stderr == "error: scale 'huge': must be one of tiny, small, full\n"
