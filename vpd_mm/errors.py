"""Errors that the user can fix."""


class UserError(ValueError):
    """Invalid input, file or option.

    The message is one line: file, field, the value found, and how to fix it.  Tools print it without a traceback and
    exit with status 1; see ``vpd_mm.engine.cli.run_tool``.
    """
