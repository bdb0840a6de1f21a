"""The errors that a person can cure."""


class UserError(ValueError):
    """Input, file or option that the user can put right.

    The message is one line: what is wrong (file, field, value found) and the
    cure.  Tools print it without a traceback and exit with status 1; see
    ``vpd_mm.engine.cli.run_tool``.
    """
