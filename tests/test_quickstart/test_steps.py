"""Steps: what is shown, recorded and judged, also where a step fails, stops or is interrupted."""

import json
import sys

import pytest
from rich.console import Console

from vpd_mm.errors import UserError
from vpd_mm.quickstart import Result, Steps, steps
from vpd_mm.quickstart.page import write_page
from vpd_mm.visualize.report import Gallery, Image, Table, Text, Verdict

TOOL = """
import sys
from pathlib import Path
from vpd_mm.errors import UserError

def main(argv):
    Path(argv[0]).write_text(' '.join([sys.argv[0], *argv]))
    if argv[1:] == ['fail']:
        raise UserError('file.csv:3: no such video; name another')
    if argv[1:] == ['interrupt']:
        raise KeyboardInterrupt
    return len(argv) - 1
"""


@pytest.fixture
def make_steps(tmp_path, monkeypatch):
    """A function that begins a run; ``write`` is its only tool."""
    (tmp_path / 'write.py').write_text(TOOL)
    monkeypatch.setattr(steps, 'list_tools', lambda: {'write': tmp_path / 'write.py'})
    monkeypatch.setattr(sys, 'argv', ['vpd-mm quickstart', 'videos'])
    page = tmp_path / 'run' / 'report.html'

    def make(identity='a'):
        console = Console(file=(tmp_path / 'shown.txt').open('w'), width=200)
        return Steps(tmp_path / 'run', 'demo', {'of': identity}, console, lambda r: write_page(page, 'T', 'Lead.', r))

    return make


def judged(level):
    return lambda: Result(Verdict(level, '3 frames.', 'add videos'), [Text('A table.')])


def test_a_tool_is_run_with_the_shown_command_and_judged(make_steps, tmp_path):
    run = make_steps()
    run.tool('one', 'First step', 'It is a test.', ['write', tmp_path / 'a file', '--x'], judged('warn'))
    run.tool('done', 'Third step', 'It is a test.', ['write', tmp_path / 'a file'], judged('ok'))
    run.tool('bad', 'Fourth step', 'It is a test.', ['write', tmp_path / 'b', '--x'], judged('ok'))
    assert [record.verdict.level for record in run.records] == ['warn', 'ok', 'warn']

    run.skip('two', 'Second step', 'it needs labels')
    assert (tmp_path / 'b').read_text() == f'vpd-mm write {tmp_path}/b --x'
    run.console.file.flush()
    shown = (tmp_path / 'shown.txt').read_text().splitlines()
    assert shown[:3] == ['First step ...', '    It is a test.', f"    $ vpd-mm write '{tmp_path}/a file' --x"]
    assert shown[3] == '    warn: 3 frames. add videos'
    text = (tmp_path / 'run' / 'report.html').read_text()
    for part in ('Steps done: 3.', 'First step', 'A table.', '3 frames.', 'Next: add videos', 'it needs labels'):
        assert part in text, part
    assert sys.argv == ['vpd-mm quickstart', 'videos']


@pytest.mark.parametrize(
    ('argument', 'level', 'error', 'shown'),
    [
        ('fail', 'ok', r'^file\.csv:3: no such video; name another \(step one; .*resumes', 'no such video'),
        ('pass', 'stop', r'^3 frames\. add videos', 'add videos'),
        ('interrupt', 'ok', '', 'interrupted'),
    ],
)
def test_a_step_that_ends_the_command_is_in_the_report(make_steps, tmp_path, argument, level, error, shown):
    run = make_steps()
    with pytest.raises(UserError if error else KeyboardInterrupt, match=error):
        run.tool('one', 'First step', 'It is a test.', ['write', tmp_path / 'f', argument], judged(level))
    text = (tmp_path / 'run' / 'report.html').read_text()
    assert 'Stopped at: First step.' in text
    assert shown in text
    assert run.records[0].state == 'stopped'
    assert run.records[0].verdict.level == 'stop'


def test_the_report_says_what_is_running_and_shows_early_images(make_steps, tmp_path):
    run = make_steps()
    with run('one', 'First step', 'It is a test.'):
        run.show(Text('An early image.'))
        text = (tmp_path / 'run' / 'report.html').read_text()
    assert 'Now running: First step' in text
    assert 'An early image.' in text


def test_seconds_add_up_and_another_identity_is_refused(make_steps, tmp_path):
    run = make_steps()
    run.seconds['one'] = 5.0
    with pytest.raises(KeyboardInterrupt), run('one', 'First step', 'It is a test.'):
        raise KeyboardInterrupt
    assert 5.0 <= json.loads((tmp_path / 'run' / 'seconds.json').read_text())['one'] < 6.0
    assert make_steps().seconds == run.seconds
    with pytest.raises(UserError, match=r"was made with \{'of': 'a'\}, not with \{'of': 'b'\}"):
        make_steps('b')
    (tmp_path / 'run' / 'demo.json').unlink()
    with pytest.raises(UserError, match=r'holds no run of demo'):
        make_steps()


def test_what_an_earlier_run_showed_is_kept_until_it_is_done_again(make_steps, tmp_path):
    run, page = make_steps(), tmp_path / 'run' / 'report.html'
    picture = Gallery([Image('data:image/png;base64,eA==', 'v0')], 100)
    blocks = [Text('An old table.'), Table(('a', 'b'), [('c', 3)]), picture]
    for name in ('one', 'two'):
        run.tool(name, f'Step {name}', 'It is a test.', ['write', tmp_path / 'f'], lambda: Result(None, blocks))
    run = make_steps()
    error = r'pass --overwrite \(step one; this command has no --overwrite: pass another'
    with pytest.raises(UserError, match=error), run('one', 'Step one', 'It is a test.'):
        raise UserError('a file exists; pass --overwrite')
    text = page.read_text()
    assert text.count('An old table.') == 2
    for part in ('Stopped at: Step one.', 'Step one (of the last run)', 'Step two (of the last run)'):
        assert part in text, part
    run = make_steps()
    run.tool('one', 'Step one', 'It is a test.', ['write', tmp_path / 'f'], judged('ok'))
    run.skip('two', 'Step two', 'it needs labels')
    text = page.read_text()
    assert 'Steps done: 1.' in text
    assert 'Step one (of the last run)' not in text
    assert 'Step two (of the last run)' in text
