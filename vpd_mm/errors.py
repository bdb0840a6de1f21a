"""Errors that the user can fix."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

#: Longest message; of a longer one the beginning and the end, which holds the hint, are kept.
MAX_MESSAGE = 1500
#: Begin of the message with which torch raises a UserError of a loader process.
_OF_A_LOADER = 'Caught UserError in DataLoader worker process'
_SPACES = str.maketrans('\n\r\t', '   ')


class UserError(ValueError):
    """Invalid input, file or option.

    The message is one line: file, field, the value found, and how to fix it.  Text of a file that would control a
    terminal is escaped, and a very long message is cut.  Tools print it without a traceback and exit with status 1;
    see ``vpd_mm.engine.cli.run_tool``.
    """

    def __init__(self, message: object = '') -> None:
        text = str(message)
        if text.startswith(_OF_A_LOADER):  # torch raises the error of a loader process with its traceback as the text
            text = text.rpartition(f'{UserError.__module__}.UserError: ')[2].strip()
        super().__init__(one_line(text))


def one_line(text: object) -> str:
    """Return a text on one printable line of at most ``MAX_MESSAGE`` characters."""
    line = str(text)
    if len(line) > 4 * MAX_MESSAGE:  # escaping takes time
        line = line[: 2 * MAX_MESSAGE] + line[-2 * MAX_MESSAGE :]
    line = printable(line.translate(_SPACES), keep='')
    if len(line) > MAX_MESSAGE:
        line = f'{line[: MAX_MESSAGE - 405]} ... {line[-400:]}'
    return line


def printable(text: str, keep: str = '\n\t') -> str:
    """Escape the characters of a text that are not printable, except those of ``keep``."""
    if text.isascii() and text.isprintable():
        return text
    return ''.join(c if c.isprintable() or c in keep else c.encode('unicode_escape').decode() for c in text)


def counted(number: int, noun: str) -> str:
    """A number with its noun: '1 video', '2 videos', '3 queries', '4 classes'."""
    return f'{number} {noun}' if number == 1 else f'{number} {plural(noun)}'


def plural(noun: str) -> str:
    return f'{noun[:-1]}ies' if noun.endswith('ry') else noun + ('es' if noun.endswith(('s', 'tch')) else 's')


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names, of many the first ones: 'a, b', 'a, b, c, d, e and 2 more'."""
    return ', '.join(names[:most]) + (f' and {len(names) - most} more' if len(names) > most else '')


@contextmanager
def errors_name(where: object) -> Iterator[None]:
    """Put ``where``, a file or an entry of it, in front of the message of a UserError raised inside."""
    try:
        yield
    except UserError as e:
        raise UserError(f'{where}: {e}') from e
