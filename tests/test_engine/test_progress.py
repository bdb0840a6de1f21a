"""Progress bars with and without a terminal."""

import io

from rich.console import Console

from vpd_mm.engine.progress import ProgressBars, progress_bar


def _run(terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120)
    with progress_bar('features', 'videos', console) as on_progress:
        on_progress(1, 20)
    with ProgressBars(console) as bars:
        videos, frames = bars.add('videos'), bars.add('jump', 'frames')
        videos(0, 2)
        frames(10, 10)
        bars.console.print('jump is done')
        bars.add('camera')(3, 0)
    return text.getvalue()


def test_bars_show_counts_on_a_terminal():
    shown = _run(terminal=True)
    assert all(text in shown for text in ('videos', '1/20', '0/2', '3/?'))
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
