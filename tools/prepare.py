#!/usr/bin/env python3
"""Videos to a corpus (tracks, crops, flow, poses), and a look at what came out."""

import sys
from collections.abc import Sequence

from rich.console import Console

from vpd_mm.engine.cli import ToolParser, parse_rules, run_tool
from vpd_mm.prepare.corpus_builder import METHODS, build_corpus
from vpd_mm.prepare.inspector import inspect_corpus
from vpd_mm.prepare.report import report_table


def parse_args(argv: Sequence[str] | None):
    parser = ToolParser(__doc__, epilog='look at the result: prepare.py inspect CORPUS [VIDEO]')
    parser.add_argument('videos', nargs='+', metavar='VIDEO_OR_DIR', help='video files, or folders of them')
    parser.add_argument('--out', required=True, help='folder of the corpus, e.g. data/jumps')
    parser.add_argument(
        '--boxes',
        help='full, mmdet:<config>[:<checkpoint>], or a folder of box files; default: the tracks that are there, full '
        'for videos without',
    )
    parser.add_argument(
        '--poses',
        default='none',
        help='none, mediapipe, mmpose:<alias or config>[:<checkpoint>], or a folder of pose files',
    )
    parser.add_argument('--pose-name', default='', help='name of the pose set in the corpus (default: by --poses)')
    parser.add_argument('--masks', default='', help='a folder of mask files (default: that of --boxes)')
    parser.add_argument('--name', help='name of the corpus (default: that of the folder)')
    parser.add_argument('--sport', default='', help='kept in corpus.json')
    parser.add_argument('--size', type=int, default=128, help='side of the crops, px')
    parser.add_argument('--full-frame', action='store_true', help='keep whole frames too (shorter side 320 px)')
    parser.add_argument('--flow', choices=METHODS, default='dis', help='optical flow')
    parser.add_argument('--flow-checkpoint', help='weights of raft (default: downloaded)')
    parser.add_argument('--subtract-median', action='store_true', help="take the camera's motion out of the flow")
    parser.add_argument('--fps', type=float, help='resample to this constant rate (default: frames as decoded)')
    parser.add_argument('--workers', type=int, default=1, help='processes; each writes its own shard')
    parser.add_argument('--device', default='auto', help='of the models: auto, cpu, cuda')
    parser.add_argument('--batch-size', type=int, default=16, help='frames a model sees at once')
    parser.add_argument(
        '--track', nargs='+', default=[], metavar='RULE=VALUE', help='rules that choose the athlete (AthleteTracker)'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ['inspect']:
        return inspect(arguments[1:])
    options = vars(parse_args(arguments))
    options.pop('debug')
    console = Console()
    report = build_corpus(
        options.pop('videos'), options.pop('out'), tracker=parse_rules(options.pop('track')), console=console, **options
    )
    decoded = sum(r.decoded for r in report.videos)
    console.print(report_table(report.videos, f'{decoded} frames in {report.seconds:.1f} s'))
    console.print(f'crops on disk: {report.disk_bytes / 1e6:.1f} MB', highlight=False)
    if report.failures:
        errors = Console(stderr=True)
        errors.print(f'{len(report.failures)} failures; cure them and run the same command again:', highlight=False)
        for video, line in report.failures:
            errors.print(f'  {video}: {line}', markup=False, highlight=False, soft_wrap=True)
    return 1 if report.failures else 0


def inspect(argv: Sequence[str]) -> int:
    parser = ToolParser(
        'Numbers, a contact sheet and a film of a corpus: look before you train.', prog='prepare.py inspect'
    )
    parser.add_argument('corpus', help='its folder')
    parser.add_argument('video', nargs='?', help='one video (default: numbers of all)')
    parser.add_argument('--pose-name', help='pose set to draw (default: the first)')
    parser.add_argument('--out', help='folder of the pictures (default: CORPUS/inspect)')
    args = parser.parse_args(argv)
    console = Console()
    found = inspect_corpus(args.corpus, args.video, pose_name=args.pose_name, out=args.out)
    console.print(report_table(found.videos, str(args.corpus)))
    for line in found.lines:
        console.print(line, highlight=False, soft_wrap=True)
    return 0


if __name__ == '__main__':
    run_tool(main)
