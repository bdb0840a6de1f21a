"""Progress bars of the tools."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..errors import printable
from .console import PlainConsole

#: Seconds between the lines that stand for a bar where there is no terminal.
LINE_SEC = 15.0

#: A progress callback: ``on_progress(done, total)``; ``done`` may count parts.
OnProgress = Callable[[float, int], None]


def no_progress(done: float, total: int) -> None:
    """Ignore progress."""


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f'{speed:.1f} {task.fields["unit"]}/s' if speed else '')


class ProgressBars(Progress):
    """Several progress bars with rate and remaining time on stderr or ``console``.

    Without a terminal each of them prints a line every ``LINE_SEC`` seconds.

    Example:
        >>> with ProgressBars() as bars:
        ...     on_progress = bars.add('wall_flip', 'frames')
        ...     on_progress(20, 230)
    """

    def __init__(self, console: PlainConsole | None = None) -> None:
        console = console or PlainConsole(stderr=True)
        columns = BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn()
        text = TextColumn('{task.description}', markup=False)
        super().__init__(
            text,
            *columns,
            console=console,
            speed_estimate_period=600,  # slow items, such as trainings, have a rate too
            transient=True,
            disable=not console.is_terminal,
        )

    def add(self, description: str, unit: str = '') -> OnProgress:
        """Return the callback of a new bar with the plural of the counted items, for example 'frames'.

        The bar appears with the first call, disappears when ``done`` reaches ``total`` and appears again with a
        later call.  A total of 0 means that it is not known.
        """
        text, task_id, last_line = printable(description, keep=''), None, self.get_time()

        def on_progress(done: float, total: int) -> None:
            nonlocal task_id, last_line
            if 0 < total <= done:  # one of thousands of videos must not stay
                if task_id is not None:
                    self.remove_task(task_id)
                    task_id = None
                return
            if task_id is None:
                task_id = self.add_task(text, total=None, unit=unit)
            self.update(task_id, completed=done, total=total or None)
            task = next(task for task in self.tasks if task.id == task_id)
            if self.disable and self.get_time() - last_line >= LINE_SEC:
                last_line, seconds = self.get_time(), task.time_remaining
                left = f', about {timedelta(seconds=round(seconds))} left' if seconds else ''
                numbers = f'{round(done, 1):g} of {total or "?"} {unit}'.rstrip()
                self.console.print(f'{task.description}: {numbers}{left}', soft_wrap=True)

        return on_progress


@contextmanager
def progress_bar(description: str, unit: str = '', console: PlainConsole | None = None) -> Iterator[OnProgress]:
    """Show one progress bar; gives its callback, see :meth:`ProgressBars.add`.

    Example:
        >>> with progress_bar('features', 'videos') as on_progress:
        ...     on_progress(1, 20)
    """
    with ProgressBars(console) as bars:
        yield bars.add(description, unit)
