"""Errors that the user can fix."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Invalid input, file or option.

    The message is one line: file, field, the value found, and how to fix it.  Tools print it without a traceback and
    exit with status 1; see ``vpd_mm.engine.cli.run_tool``.
    """


@contextmanager
def errors_name(where: object) -> Iterator[None]:
    """Put ``where``, a file or an entry of it, in front of the message of a UserError raised inside."""
    try:
        yield
    except UserError as e:
        raise UserError(f'{where}: {e}') from e
