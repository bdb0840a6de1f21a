#!/usr/bin/env python3
"""Prepare videos into a corpus (tracks, crops, flow, poses), and inspect the result.

tools/prepare.py my_videos/ --out data/real
tools/prepare.py inspect data/real [VIDEO]
tools/prepare.py leave-out data/real VIDEO ...
"""

import sys
from collections.abc import Sequence

from vpd_mm.athlete.flow import METHODS
from vpd_mm.athlete.track_rules import rules_help
from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, add_track_argument, run_tool
from vpd_mm.engine.config import parse_options
from vpd_mm.engine.console import PlainConsole
from vpd_mm.errors import counted
from vpd_mm.prepare import build_corpus, report_table
from vpd_mm.prepare.inspector import inspect_corpus
from vpd_mm.prepare.options import DEFAULT_BOXES, DEFAULT_POSES
from vpd_mm.prepare.report import summary


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__, epilog=rules_help())
    parser.add_argument('videos', nargs='+', metavar='VIDEO_OR_DIR', help='video files, or folders of them')
    parser.add_argument('--out', required=True, help='folder of the corpus, e.g. data/jumps')
    parser.add_argument(
        '--boxes',
        help='mmdet:<alias or config>[:<checkpoint>], mediapipe (one athlete), full, or a folder of box files; '
        f'default: existing tracks, {DEFAULT_BOXES} (downloaded once) for videos without',
    )
    parser.add_argument(
        '--poses',
        help='mmpose:<alias or config>[:<checkpoint>], mediapipe, mediapipe:heavy, none, or a folder of pose files; '
        f'default: existing poses, {DEFAULT_POSES} (downloaded once) for videos without',
    )
    parser.add_argument('--pose-name', default='', help='name of the pose set in the corpus (default: from --poses)')
    parser.add_argument('--masks', default='', help='folder of mask files (default: folder of --boxes)')
    parser.add_argument('--name', help='name of the corpus (default: name of the folder)')
    parser.add_argument('--sport', default='', help='stored in corpus.json')
    parser.add_argument('--size', type=int, default=128, help='side of the crops, px')
    parser.add_argument('--full-frame', action='store_true', help='store whole frames too (shorter side 320 px)')
    parser.add_argument('--flow', choices=METHODS, default='dis', help='optical flow')
    parser.add_argument('--flow-checkpoint', help='weights of raft (default: downloaded)')
    parser.add_argument('--subtract-median', action='store_true', help='subtract the camera motion from the flow')
    parser.add_argument('--fps', type=float, help='resample to this constant rate (default: frames as decoded)')
    parser.add_argument('--workers', type=int, default=1, help='number of processes; each writes one shard')
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1; auto: a GPU where there is one')
    parser.add_argument('--batch-size', type=int, default=16, help='frames per batch of a model')
    add_track_argument(parser, 'rules that choose the athlete, see below')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='make again what was made of other boxes, rules, poses or crop options',
    )
    parser.add_argument(
        '--redo', nargs='+', default=[], metavar='VIDEO', help='make tracks, crops and poses of these videos again'
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ['inspect']:
        return inspect(arguments[1:])
    if arguments[:1] == ['leave-out']:
        return leave_out(arguments[1:])
    options = vars(make_parser().parse_args(arguments))
    options.pop('debug')
    options['tracker'] = parse_options('--track', options.pop('track'))
    console, out = PlainConsole(), options['out']
    report = build_corpus(options.pop('videos'), options.pop('out'), console=console, **options)
    decoded = sum(r.decoded for r in report.videos)
    console.print(report_table(report.videos, f'{decoded} frames in {report.seconds:.1f} s'))
    console.print(f'crops on disk: {report.disk_bytes / 1e6:.1f} MB')
    console.print(f'{summary(report.videos)}; whether to train: tools/prepare.py inspect {out}', soft_wrap=True)
    if report.failures:
        print(
            f'{counted(len(report.failures), "error")}; fix the cause and run the same command again:', file=sys.stderr
        )
        for video, line in report.failures:
            print(f'  {video}: {line}', file=sys.stderr)
    return 1 if report.failures else 0


def inspect(argv: Sequence[str]) -> int:
    parser = ToolParser('Say in numbers whether to train on a corpus; draw a contact sheet and a video of one video.')
    parser.prog = 'prepare.py inspect'
    parser.add_argument('corpus', help='folder of the corpus')
    parser.add_argument('video', nargs='?', help='draw this video (default: numbers of all videos)')
    parser.add_argument('--pose-name', help='pose set to draw (default: the first)')
    parser.add_argument('--out', help='folder of the images (default: CORPUS/inspect)')
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)
    console = PlainConsole()
    result = inspect_corpus(args.corpus, args.video, args.pose_name, args.out, args.overwrite)
    console.print(report_table(result.videos, str(args.corpus)))
    for line in result.lines:
        console.print(line, soft_wrap=True)
    return 0


def leave_out(argv: Sequence[str]) -> int:
    parser = ToolParser('Leave videos out of training, features and all later steps; nothing of them is removed.')
    parser.prog = 'prepare.py leave-out'
    parser.add_argument('corpus', help='folder of the corpus')
    parser.add_argument('videos', nargs='+', metavar='VIDEO', help='names, as inspect shows them')
    parser.add_argument('--undo', action='store_true', help='use these videos again')
    args = parser.parse_args(argv)
    left_out = sorted(Corpus.open(args.corpus).leave_out(args.videos, args.undo))
    PlainConsole().print(f'left out of {args.corpus}: {", ".join(left_out) or "none"}', soft_wrap=True)
    return 0


if __name__ == '__main__':
    run_tool(main)
