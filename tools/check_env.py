#!/usr/bin/env python3
"""Show what is installed, which bridges act and why, and what is optional; exit 0 where the main path can run.

tools/check_env.py --fix
"""

import shlex
import sys

from vpd_mm.compat import environment
from vpd_mm.compat.environment_fix import fix_commands, run_commands
from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.paths import resource_dir


def main(argv=None):
    parser = ToolParser(__doc__)
    text = 'print the commands that install what is missing; --fix run also runs them'
    parser.add_argument('--fix', nargs='?', choices=('print', 'run'), const='print', help=text)
    args = parser.parse_args(argv)
    if args.fix is None:
        return environment.main()
    if not environment.python_row().good:
        print(f'error: {environment.python_row().hint}', file=sys.stderr)
        return 1
    commands = fix_commands(resource_dir() / 'requirements')
    if not commands:
        print('Nothing is missing.')
        return 0
    for command in commands:
        print(shlex.join(command), flush=True)
    return run_commands(commands) if args.fix == 'run' else 1


if __name__ == '__main__':
    run_tool(main)
