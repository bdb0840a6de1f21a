"""Stages run once, go on after an interruption, and run again when what decides them has changed."""

import json
import os
import time
from functools import partial

import pytest
from demo_old.stage_runner import Stage, StageRunner
from rich.console import Console

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


def met(folder, name, moved):
    """Comes back when the other one is at work as well; tells its process."""
    (folder / name).touch()
    moved(1, 2)
    end = time.monotonic() + 30
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < end, 'nobody else is at work'
        time.sleep(0.01)
    return {'process': os.getpid()}


def refused(moved):
    raise UserError('films: none')


def failed(moved):
    raise ValueError('a fault')


def died(moved):
    os._exit(9)


def waited(path, moved):
    path.write_text(str(os.getpid()))
    time.sleep(600)
    return {}


def alone(name, run, **fields):
    return Stage(name, name, run, single=True, **fields)


def test_stages_of_one_thread_are_side_by_side_and_their_seconds_add_up(tmp_path, capsys):
    (tmp_path / 'met').mkdir()
    stages = [alone(name, partial(met, tmp_path / 'met', name)) for name in ('one', 'two')]
    start = time.monotonic()
    runner = StageRunner(tmp_path / 'run', IDENTITY, Console(force_terminal=False, width=200), jobs=2)
    runner.run(stages)
    whole = time.monotonic() - start
    processes = {result['process'] for result in runner.results.values()}
    assert len(processes) == 2
    assert os.getpid() not in processes
    # what is missing is the start of the two processes
    assert 0.3 * whole < sum(runner.seconds.values()) <= whole + 0.1
    told = capsys.readouterr().out
    assert '1/2 one: ' in told
    assert '2/2 two: ' in told
    again = StageRunner(tmp_path / 'run', IDENTITY, jobs=2)
    again.run(stages)
    assert again.results == runner.results


def test_one_process_does_more_stages_than_there_are_jobs(tmp_path):
    runner = StageRunner(tmp_path / 'run', IDENTITY, jobs=2)
    runner.run([alone(str(i), partial(told_process)) for i in range(4)])
    assert len({result['process'] for result in runner.results.values()}) <= 2
    assert list(runner.results) == ['0', '1', '2', '3']


def told_process(moved):
    return {'process': os.getpid()}


@pytest.mark.parametrize(
    ('run', 'kind', 'line'),
    [
        (refused, UserError, '^films: none$'),
        (failed, RuntimeError, 'bad: Traceback(.|\n)*ValueError: a fault'),
        (died, UserError, 'bad: its process died.*--jobs 1'),
    ],
)
def test_a_stage_that_fails_ends_the_others(tmp_path, run, kind, line):
    note = tmp_path / 'process'

    def ends():
        os.kill(int(note.read_text()), 0)

    stages = [alone('slow', partial(waited, note)), alone('bad', partial(after, note, run)), alone('later', refused)]
    with pytest.raises(kind, match=line):
        StageRunner(tmp_path / 'run', IDENTITY, jobs=2).run(stages)
    with pytest.raises(ProcessLookupError):
        ends()
    markers = {path.stem: json.loads(path.read_text()) for path in (tmp_path / 'run' / 'stages').glob('*.json')}
    assert set(markers) == {'slow', 'bad'}
    assert not any(marker['done'] for marker in markers.values())


def after(path, run, moved):
    while not path.exists() or not path.read_text():
        time.sleep(0.01)
    return run(moved)
