"""Printed and logged text that cannot control the terminal; imports the standard library only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ..errors import printable


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
