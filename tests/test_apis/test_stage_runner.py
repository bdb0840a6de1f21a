"""Stages run once, go on after an interruption, and run again when what decides them has changed."""

import json

import pytest
from rich.console import Console

from vpd_mm.apis.stage_runner import Stage, StageRunner
from vpd_mm.errors import UserError

IDENTITY = {'demo': 'test', 'seed': 0}


def counting(calls, name, value=1, **fields):
    def run(moved):
        moved(1, 1)
        calls.append(name)
        return {'value': value}

    return Stage(name, name, run, **fields)


def test_a_second_run_does_nothing_and_knows_the_same(tmp_path):
    calls = []
    stages = [counting(calls, 'one', 7), counting(calls, 'two', 8, needs=('one',))]
    first = StageRunner(tmp_path / 'run', IDENTITY)
    first.run(stages)
    second = StageRunner(tmp_path / 'run', IDENTITY)
    second.run(stages)
    assert calls == ['one', 'two']
    assert second.results == first.results == {'one': {'value': 7}, 'two': {'value': 8}}
    assert second.seconds == first.seconds


def test_changed_settings_run_the_stage_and_what_needs_it_and_remove_its_outputs(tmp_path):
    calls, old = [], tmp_path / 'run' / 'one'

    def stages(epochs):
        return [
            counting(calls, 'one', settings={'epochs': epochs}, outputs=(old,)),
            counting(calls, 'two', needs=('one',)),
            counting(calls, 'free'),
        ]

    StageRunner(tmp_path / 'run', IDENTITY).run(stages(1))
    old.mkdir()
    (old / 'checkpoint').write_text('old')
    StageRunner(tmp_path / 'run', IDENTITY).run(stages(2))
    assert calls == ['one', 'two', 'free', 'one', 'two']
    assert not old.exists()


def test_an_interrupted_stage_goes_on_with_its_files_and_its_seconds(tmp_path):
    out = tmp_path / 'run' / 'half'

    def broken(moved):
        out.write_text('half')
        raise KeyboardInterrupt

    def stage(run):
        return [Stage('work', 'work', run, {'epochs': 1}, outputs=(out,))]

    with pytest.raises(KeyboardInterrupt):
        StageRunner(tmp_path / 'run', IDENTITY).run(stage(broken))
    path = tmp_path / 'run' / 'stages' / 'work.json'
    marker = json.loads(path.read_text())
    assert marker['done'] is False
    path.write_text(json.dumps({**marker, 'seconds': 5.0}))
    runner = StageRunner(tmp_path / 'run', IDENTITY)
    runner.run(stage(lambda moved: {'found': out.read_text()}))
    assert runner.results['work'] == {'found': 'half'}
    assert 5.0 <= runner.seconds['work'] < 6.0


def test_progress_is_told_without_a_terminal(tmp_path, capsys):
    console = Console(force_terminal=False, width=200)
    StageRunner(tmp_path / 'run', IDENTITY, console).run([counting([], 'one')])
    assert '1/1 one: 0 s' in capsys.readouterr().out


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / 'note.txt').write_text('mine')
    with pytest.raises(UserError, match='not empty and not of a demonstration'):
        StageRunner(tmp_path, IDENTITY)
    with pytest.raises(UserError, match='is a file'):
        StageRunner(tmp_path / 'note.txt', IDENTITY)
    StageRunner(tmp_path / 'run', IDENTITY)
    with pytest.raises(UserError, match=r"asked for .*'seed': 1"):
        StageRunner(tmp_path / 'run', {**IDENTITY, 'seed': 1})
    assert (tmp_path / 'note.txt').read_text() == 'mine'


def test_a_damaged_marker_is_one_line(tmp_path):
    StageRunner(tmp_path / 'run', IDENTITY).run([counting([], 'one')])
    (tmp_path / 'run' / 'stages' / 'one.json').write_text('{')
    with pytest.raises(UserError, match=r'one\.json: no valid JSON .*delete it'):
        StageRunner(tmp_path / 'run', IDENTITY).run([counting([], 'one')])
