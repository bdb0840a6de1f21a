#!/usr/bin/env python3
"""Print the settings of the paper, of the published code, and ours under both protocols.

tools/paper.py --markdown > docs/paper.md
"""

from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('--markdown', action='store_true', help='the page of the documentation')
    args = parser.parse_args(argv)

    from rich.table import Table

    from vpd_mm.engine.console import PlainConsole
    from vpd_mm.experiments.paper_settings import HEADER, SETTINGS, cells, settings_markdown

    if args.markdown:
        print(settings_markdown(), end='')
        return
    for step, rows in SETTINGS.items():
        table = Table(*HEADER, title=step)
        for row in rows:
            table.add_row(*cells(row))
        PlainConsole().print(table)


if __name__ == '__main__':
    run_tool(main)
