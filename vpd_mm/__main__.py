"""``python -m vpd_mm TOOL ...``: the tools of an installed package, from any folder."""

import runpy
import sys
from collections.abc import Sequence

from .engine.cli import run_tool
from .engine.paths import resource_dir
from .errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(argv or [])
    tools = {path.stem: path for path in sorted((resource_dir() / 'tools').glob('*.py'))}
    if not arguments or arguments[0] in ('-h', '--help'):
        print(f'usage: python -m vpd_mm TOOL ...\ntools: {" ".join(tools)}')
        return 0
    name, *rest = arguments
    if name not in tools:
        raise UserError(f'no tool {name!r}; known are {", ".join(tools)}')
    sys.argv = [str(tools[name]), *rest]
    sys.path.insert(0, str(tools[name].parent))  # as python itself does for a script
    runpy.run_path(str(tools[name]), run_name='__main__')
    return 0


if __name__ == '__main__':
    run_tool(main)
