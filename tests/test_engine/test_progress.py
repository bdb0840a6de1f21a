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


def test_without_a_terminal_only_printed_lines_appear(monkeypatch):
    assert _run(terminal=False).strip() == 'jump is done'
    monkeypatch.setattr('vpd_mm.engine.progress.LINE_SEC', 0)
    lines = ['features: 1 of 20 videos', 'videos: 0 of 2', 'jump is done', 'camera: 3 of ?']
    assert _run(terminal=False).splitlines() == lines


def test_a_line_says_how_much_time_is_left(monkeypatch):
    text, now = io.StringIO(), 0.0
    bars = ProgressBars(Console(file=text, force_terminal=False, width=120, get_time=lambda: now))
    on_progress = bars.add('runs', 'runs')
    for i in range(5):
        now = 10.0 * i
        on_progress(0.5 * i, 40)
    lines = ['runs: 1 of 40 runs, about 0:13:00 left', 'runs: 2 of 40 runs, about 0:12:40 left']
    assert text.getvalue().splitlines() == lines


def test_a_complete_bar_is_removed_and_can_start_again():
    bars = ProgressBars(Console(file=io.StringIO(), force_terminal=True))
    on_progress, shown = bars.add('jump'), []
    for done in (4, 1, 4, 2):
        on_progress(done, 4)
        shown.append([(task.completed, task.total, task.finished) for task in bars.tasks])
    assert shown == [[], [(1, 4, False)], [], [(2, 4, False)]]
