#!/usr/bin/env python3
"""Check everything that a corpus holds; exit status 1 where something is damaged or does not fit.

tools/corpus.py check data/real
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rich.table import Table

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus.corpus_check import check_corpus
from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.progress import ProgressBars


def main(argv: Sequence[str] | None = None) -> int:
    parser = ToolParser(__doc__)
    parser.add_argument('action', choices=['check'], help='check: read every file and every crop, and compare them')
    parser.add_argument('corpus', help='folder of the corpus')
    args = parser.parse_args(argv)
    console = PlainConsole()

    def on_problem(line: str) -> None:
        console.print(line, soft_wrap=True)

    with ProgressBars(console) as bars:
        result = check_corpus(args.corpus, on_problem, bars.add('check', 'files and videos'), probe)
    table = Table('what', 'checked', 'problems', title=args.corpus, title_justify='left')
    for what, number in result.checked.items():
        table.add_row(what, str(number), str(result.problems[what] or '-'))
    console.print(table)
    for note in result.notes:
        on_problem(note)
    problems = result.problems.total()
    on_problem(f'{problems} problems' if problems else 'no problem found')
    return 1 if problems else 0


@cache
def probe(path: Path) -> dict[str, float]:
    reader = VideoReader(path)
    return {'fps': reader.fps, 'num_frames': reader.num_frames, 'width': reader.width, 'height': reader.height}


if __name__ == '__main__':
    run_tool(main)
