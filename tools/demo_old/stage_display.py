"""What a person sees of stages at work: bars with the time that is left; without a terminal, lines."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

#: Without a terminal a stage says how far it is every so many seconds.
_TELL_SEC = 20.0


class StageDisplay:
    """A context in which stages, named by their labels, begin, move and end.

    Args:
        console: Where they are shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._tasks: dict = {}
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bars = Progress(*columns, TextColumn('left'), TimeRemainingColumn(), console=console, transient=True)

    def __enter__(self) -> 'StageDisplay':
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def begin(self, label: str) -> None:
        """A stage is at work from now on."""
        self._begun[label] = self._told[label] = time.monotonic()
        if self._console.is_terminal:
            self._tasks[label] = self._bars.add_task(label, total=None)
        else:
            self._say(f'{label} ...')

    def moved(self, label: str, done: int, total: int) -> None:
        """It has done so many of its steps."""
        if self._console.is_terminal:
            self._bars.update(self._tasks[label], completed=done, total=total)
            return
        now = time.monotonic()
        if done and now - self._told[label] >= _TELL_SEC:
            self._told[label] = now
            left = (now - self._begun[label]) * (total - done) / done
            self._say(f'{label}: {done}/{total}, about {left:.0f} s left')

    def end(self, label: str) -> None:
        """It is done."""
        if label in self._tasks:
            self._bars.remove_task(self._tasks.pop(label))
        self._say(f'{label}: {time.monotonic() - self._begun[label]:.0f} s')

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)
        sys.stdout.flush()


__all__ = ['StageDisplay']
