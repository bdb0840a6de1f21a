"""Progress bars with and without a terminal."""

import io

from rich.console import Console

from vpd_mm.engine.progress import ProgressBars, progress_bar


def _run(terminal):
    text = io.StringIO()
    with ProgressBars(Console(file=text, force_terminal=terminal, width=120)) as bars:
        videos, frames = bars.add('videos'), bars.add('jump', 'frames')
        videos(0, 2)
        frames(10, 10)
        bars.console.print('jump is done')
        bars.add('camera')(3, 0)
    return text.getvalue()


def test_bars_show_counts_on_a_terminal():
    shown = _run(terminal=True)
    assert 'videos' in shown
    assert '0/2' in shown
    assert '3/?' in shown
    assert '10/10' not in shown


def test_without_a_terminal_only_printed_lines_appear():
    assert _run(terminal=False).strip() == 'jump is done'


def test_a_complete_bar_is_hidden_and_can_start_again():
    bars = ProgressBars(Console(file=io.StringIO(), force_terminal=True))
    on_progress = bars.add('jump')
    [task] = bars.tasks
    shown = [task.visible]
    for done in (1, 4, 2):
        on_progress(done, 4)
        shown.append(task.visible)
    assert shown == [False, True, False, True]
    assert (task.completed, task.total, task.finished) == (2, 4, False)


def test_progress_bar_gives_one_callback():
    text = io.StringIO()
    with progress_bar('features', 'videos', Console(file=text, force_terminal=True, width=120)) as on_progress:
        on_progress(1, 20)
    assert '1/20' in text.getvalue()
