"""Errors that the user can fix."""

from collections.abc import Iterator
from contextlib import contextmanager

#: Longest message; of a longer one the beginning and the end, which holds the hint, are kept.
MAX_MESSAGE = 1500


class UserError(ValueError):
    """Invalid input, file or option.

    The message is one line: file, field, the value found, and how to fix it.  Text of a file that would control a
    terminal is escaped, and a very long message is cut.  Tools print it without a traceback and exit with status 1;
    see ``vpd_mm.engine.cli.run_tool``.
    """

    def __init__(self, message: object = '') -> None:
        super().__init__(one_line(message))


def one_line(text: object) -> str:
    """Return a text on one printable line of at most ``MAX_MESSAGE`` characters."""
    line = str(text)
    if len(line) > 4 * MAX_MESSAGE:  # escaping takes time
        line = line[: 2 * MAX_MESSAGE] + line[-2 * MAX_MESSAGE :]
    line = ''.join(c if c.isprintable() else _escape(c) for c in line)
    if len(line) > MAX_MESSAGE:
        line = f'{line[: MAX_MESSAGE - 405]} ... {line[-400:]}'
    return line


def _escape(character: str) -> str:
    return ' ' if character in '\n\r\t' else character.encode('unicode_escape').decode()


@contextmanager
def errors_name(where: object) -> Iterator[None]:
    """Put ``where``, a file or an entry of it, in front of the message of a UserError raised inside."""
    try:
        yield
    except UserError as e:
        raise UserError(f'{where}: {e}') from e
