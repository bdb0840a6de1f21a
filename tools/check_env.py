#!/usr/bin/env python3
"""Show what is installed, which bridges act and why, and what is optional; exit 0 where the main path can run."""

from vpd_mm.compat import environment
from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    ToolParser(__doc__).parse_args(argv)
    return environment.main()


if __name__ == '__main__':
    run_tool(main)
