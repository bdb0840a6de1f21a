#!/usr/bin/env python3
"""Run benchmarks by name; exit status 1 where a goal is missed.

tools/benchmark.py NAME --help shows the options of a benchmark.
"""

import sys
from collections.abc import Sequence
from itertools import takewhile

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.paths import resource_dir
from vpd_mm.errors import UserError

sys.path.insert(0, str(resource_dir()))
from benchmarks import BENCHMARKS, load_benchmark


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    names = list(takewhile(BENCHMARKS.__contains__, arguments))
    options = arguments[len(names) :]
    if not names and options and not options[0].startswith('-'):
        raise UserError(f'no benchmark {options[0]!r}; there are {", ".join(BENCHMARKS)}')
    if not names:
        parser = ToolParser(__doc__, usage='%(prog)s NAME ... [OPTION ...]')
        parser.add_argument('name', nargs='+', choices=list(BENCHMARKS), help='benchmarks, run one after the other')
        parser.parse_args(options)
    status = 0
    for name in names:
        print(f'== {name}')
        status |= load_benchmark(name)(options)
    return status


if __name__ == '__main__':
    run_tool(main)
