"""A console on which no text that was read from a file can control the terminal; known noise of native libraries."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import printable


class PlainConsole(Console):
    """A rich console that prints text as it is: no markup, whole, control characters escaped; styles are arguments.

    It writes past :mod:`vpd_mm.engine.escaped_output`, as colours and progress bars need control sequences.
    """

    def __init__(self, file: TextIO | None = None, stderr: bool = False, **kwargs: Any) -> None:
        file = file or (sys.stderr if stderr else sys.stdout)
        super().__init__(file=getattr(file, 'unescaped', file), markup=False, highlight=False, emoji=False, **kwargs)

    def print(self, *objects: Any, **kwargs: Any) -> None:
        if self.quiet:  # rich would render it
            return
        for table in (table for table in objects if isinstance(table, Table)):
            heads = [max(map(len, str(column.header).split()), default=1) for column in table.columns]
            fit = sum(heads) + 3 * len(heads) < self.width
            for column, width in zip(table.columns, heads):
                column.overflow = 'fold'  # a long name takes several lines instead of losing its end
                column.min_width = width if fit else None  # the head breaks at spaces, where there is room
        super().print(*objects, **kwargs)

    def render_str(self, text: str, **kwargs: Any) -> Text:
        return super().render_str(printable(text), **kwargs)


@contextmanager
def without_native_lines(*known: str) -> Iterator[None]:
    """Leave lines with one of the texts out of what is written to stderr inside, by native code, too.

    All other lines are written at the end.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            written.seek(0)
            for line in written:
                if not any(text.encode() in line for text in known):
                    os.write(2, line)
