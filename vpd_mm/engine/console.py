"""Text on the terminal: nothing that was read from a file can control it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from ..errors import printable


class PlainConsole(Console):
    """A rich console that prints text as it is: no markup, control characters escaped; styles are passed as such.

    It writes past :func:`escaped_output`, as colours and progress bars need control sequences.
    """

    def __init__(self, file: TextIO | None = None, stderr: bool = False, **kwargs: Any) -> None:
        file = file or (sys.stderr if stderr else sys.stdout)
        super().__init__(file=getattr(file, 'unescaped', file), markup=False, highlight=False, emoji=False, **kwargs)

    def render_str(self, text: str, **kwargs: Any) -> Text:
        return super().render_str(printable(text), **kwargs)


class _EscapedStream:
    """A text stream that escapes control characters; everything but writing is that of ``unescaped``."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        self.unescaped.write(printable(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write(''.join(lines))

    def isatty(self) -> bool:
        return False  # libraries write no colours then

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextmanager
def escaped_output() -> Iterator[None]:
    """Escape the control characters in all text that is printed or logged inside, by libraries, too."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_EscapedStream(stream) for stream in streams)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
