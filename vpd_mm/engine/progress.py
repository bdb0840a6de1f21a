"""Progress bars of the tools."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

#: A progress callback: ``on_progress(done, total)``.
OnProgress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Ignore progress."""


class ProgressBars:
    """Several progress bars with rate and remaining time; show nothing without a terminal.

    Args:
        console: Target of the bars; None = stderr.

    Example:
        >>> with ProgressBars() as bars:
        ...     on_progress = bars.add('wall_flip', 'frames')
        ...     on_progress(20, 230)
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> 'ProgressBars':
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def add(self, description: str, unit: str = '') -> OnProgress:
        """Return the callback of a new bar.

        The bar appears with the first call, disappears when ``done`` reaches ``total`` and appears again with a
        later call.  A total of 0 means that it is not known.

        Args:
            description: Text before the bar.
            unit: Plural of the counted items, for example 'frames'.
        """
        task_id = self._progress.add_task(description, total=None, visible=False, start=False, unit=unit)

        def on_progress(done: int, total: int) -> None:
            task = next(task for task in self._progress.tasks if task.id == task_id)
            if task.finished or task.start_time is None:
                self._progress.reset(task_id)
            self._progress.update(task_id, completed=done, total=total or None, visible=not 0 < total <= done)

        return on_progress


@contextmanager
def progress_bar(description: str, unit: str = '', console: Console | None = None) -> Iterator[OnProgress]:
    """Show one progress bar; gives its callback.

    Args:
        description: Text before the bar.
        unit: Plural of the counted items, for example 'videos'.
        console: Target of the bar; None = stderr.

    Example:
        >>> with progress_bar('features', 'videos') as on_progress:
        ...     on_progress(1, 20)
    """
    with ProgressBars(console) as bars:
        yield bars.add(description, unit)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f'{speed:.1f} {task.fields["unit"]}/s' if speed else '')
