"""The tools in the order of the data flow, and how the command that started one is named."""

import ast
import re
import shlex
import sys
from pathlib import Path

from .paths import resource_dir

#: Group -> names of its tools (``tools/<name>.py``), both in the order of the data flow.
GROUPS = {
    'start': ('check_env', 'quickstart', 'demo', 'demo_real', 'completion'),
    'data': ('prepare', 'import_dataset', 'make_synthetic', 'corpus'),
    'train': ('calibrate_teacher', 'extract_features', 'train', 'pack_checkpoint'),
    'evaluate': ('test', 'fewshot', 'retrieve', 'detect', 'compare', 'paper'),
    'infer': ('infer', 'repair_poses', 'export', 'export_poses'),
    'label': ('studio', 'convert_labels'),
    'measure': ('benchmark',),
}
#: Commands that start tools by name.
PROGRAMS = ('vpd-mm', 'python -m vpd_mm')


def list_tools() -> dict[str, Path]:
    """Return name -> file of the tools, in the order of ``GROUPS``."""
    folder = resource_dir() / 'tools'
    return {name: path for names in GROUPS.values() for name in names if (path := folder / f'{name}.py').is_file()}


def first_line(tool: Path) -> str:
    """Return the first line of a tool's docstring, without its final stop; does not import the tool."""
    docstring = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8'))) or ''
    return docstring.partition('\n')[0].removesuffix('.')


def name_started_tools(text: str) -> str:
    """Replace ``tools/prepare.py`` by ``vpd-mm prepare`` if the running tool was started as ``vpd-mm TOOL``.

    ``sys.argv[0]`` holds that command, see :mod:`vpd_mm.__main__`.
    """
    program = sys.argv[0].rpartition(' ')[0]
    return re.sub(r'(?:python )?tools/(\w+)\.py', rf'{program} \1', text) if program in PROGRAMS else text


def tool_words(tool: str) -> list[str]:
    """Return the words that start a tool the way the running one was: ``vpd-mm prepare``, ``python DIR/prepare.py``."""
    program, beside = sys.argv[0].rpartition(' ')[0], Path(sys.argv[0]).parent / f'{tool}.py'
    if program in PROGRAMS:
        return [*program.split(), tool]
    return ['python', str(beside) if beside.is_file() else f'tools/{tool}.py']


def tool_command(tool: str, *words: object) -> str:
    """Return the command line of a tool with its arguments, to copy."""
    return shlex.join([*tool_words(tool), *map(str, words)])
