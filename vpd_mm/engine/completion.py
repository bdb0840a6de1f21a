"""Completion scripts for shells, made from the parsers of the tools."""

import argparse
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from unittest import mock

from ..errors import UserError
from .cli import ToolParser
from .tool_list import PROGRAMS, first_line, list_tools

SHELLS = ('bash', 'zsh', 'fish')


def completion_script(shell: str) -> str:
    """Return the script that completes tools, options and files of ``vpd-mm``; the script starts no Python.

    Raises:
        UserError: shtab, which writes the script, is not installed.
    """
    try:
        import shtab
    except ImportError as e:
        raise UserError(f'shtab is not installed ({e}): pip install shtab') from e
    command = argparse.ArgumentParser(PROGRAMS[0])
    command.add_argument('--version', action='store_true', help='show the version')
    tools = command.add_subparsers()
    for name, path in list_tools().items():
        parser = parser_of(path) or argparse.ArgumentParser()
        tools.add_parser(name, parents=[parser], add_help=False, help=first_line(path))
    for action in actions_of(command):
        if action.nargs != 0 and not action.choices and action.type in (None, str, Path):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(command, shell)


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the actions of a parser and of its subparsers."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from actions_of(subparser)


def parser_of(tool: Path) -> ToolParser | None:
    """Return the parser that a tool builds in its ``main``; None if it builds none."""
    with tools_on_path(tool.parent), mock.patch.object(ToolParser, 'parse_args', _stop):
        main = runpy.run_path(str(tool))['main']
        try:
            main(['--help'])
        except _Built as built:
            return built.parser
    return None


@contextmanager
def tools_on_path(folder: Path) -> Iterator[None]:
    """Import from the folder of the tools, as a tool does that runs as a script."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


class _Built(Exception):
    """Carries a parser out of the ``main`` that was about to use it."""

    def __init__(self, parser: ToolParser) -> None:
        super().__init__()
        self.parser = parser


def _stop(parser: ToolParser, *_: object) -> NoReturn:
    raise _Built(parser)
