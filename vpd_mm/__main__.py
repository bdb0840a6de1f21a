"""The tools by name, from any folder: ``vpd-mm TOOL ...``, or ``python -m vpd_mm TOOL ...``."""

import difflib
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from .engine.cli import run_tool
from .engine.tool_list import GROUPS, PROGRAMS, first_line, list_tools
from .errors import UserError
from .version import __version__

COMPLETION = """\
Completion of tools, options and files: `vpd-mm completion bash`, or zsh, or fish, prints the script of a shell;
`vpd-mm completion --help` shows where it belongs."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(argv or [])
    program = PROGRAMS[Path(sys.argv[0]).name == '__main__.py']
    if not arguments or arguments[0] in ('-h', '--help'):
        print(usage(program))
        return 0
    if arguments[0] == '--version':
        print(f'vpd_mm {__version__}')
        return 0
    name, *rest = arguments
    tools = list_tools()
    if name not in tools:
        similar = difflib.get_close_matches(name.replace('-', '_'), tools, 1)
        hint = f'did you mean {similar[0]!r}? ' if similar else ''
        raise UserError(f'no tool {name!r}; {hint}{program} --help lists the tools')
    start(tools[name], f'{program} {name}', rest)
    return 0


def usage(program: str) -> str:
    """Return the help: every tool with the first line of its docstring, by group."""
    width = min(shutil.get_terminal_size().columns, 120)
    tools = list_tools()
    column = max(map(len, tools)) + 4
    lines = [f'usage: {program} TOOL ...', '', f'{program} TOOL --help shows the options of a tool.']
    for group, names in GROUPS.items():
        lines += ['', f'{group}:']
        for name in (name for name in names if name in tools):
            lead = f'  {name}'.ljust(column)
            lines += textwrap.wrap(lead + first_line(tools[name]), width, subsequent_indent=' ' * column)
    return '\n'.join([*lines, '', COMPLETION])


def start(tool: Path, command: str, arguments: Sequence[str]) -> None:
    """Run a tool as Python runs a script, but with ``command`` as the name that its usage line shows."""
    sys.argv = [command, *arguments]
    sys.path.insert(0, str(tool.parent))
    module = ModuleType('__main__')
    module.__file__ = os.fspath(tool)
    sys.modules['__main__'] = module
    exec(compile(tool.read_bytes(), tool, 'exec'), vars(module))  # noqa: S102  a tool of this project


def run() -> NoReturn:
    """Run the command line and exit (the entry point ``vpd-mm``)."""
    run_tool(main)


if __name__ == '__main__':
    run()
