#!/usr/bin/env python3
"""Take videos of your own through all steps, with a verdict after each one and one report.

tools/quickstart.py my_videos/ [--labels labels.csv]    # runs/quickstart/report.html

Each step shows the command that it runs.  The same command resumes a stopped run, and does only what is missing.
"""

from collections.abc import Sequence
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_track_argument, run_tool
from vpd_mm.engine.console import PlainConsole
from vpd_mm.errors import UserError


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('videos', nargs='+', metavar='VIDEO_OR_DIR', help='video files, or folders of them')
    add('--labels', type=Path, metavar='CSV', help='columns video,label; optionally start_sec,end_sec, athlete, split')
    add('--out', type=Path, default=Path('runs/quickstart'), help='folder of the run (default: runs/quickstart)')
    add('--boxes', default='', help='as of prepare, e.g. mediapipe, a folder (default: RTMDet, downloaded once)')
    add('--poses', default='', help='as of prepare, e.g. mediapipe, a folder (default: RTMPose, downloaded once)')
    add_track_argument(parser, 'as of prepare: rules that choose the athlete')
    add('--fps', type=float, help='as of prepare: resample to this rate (default: frames as decoded)')
    epochs = 'of the student, 2,000 draws each (default: so many that each target is drawn 40 times, 5 to 40)'
    add('--epochs', type=int, help=epochs)
    add('--workers', type=int, help='processes that prepare videos (default: one per core, at most 4)')
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    for name in ('epochs', 'workers'):
        if (value := getattr(args, name)) is not None and value < 1:
            raise UserError(f'--{name} must be 1 or more, found {value}')

    from vpd_mm.quickstart import QuickstartOptions, run_quickstart

    options = QuickstartOptions(args.boxes, args.poses, args.track, args.fps, args.epochs, args.workers)
    report = run_quickstart(args.videos, args.labels, args.out, options, PlainConsole())
    print(f'report: {report}')
    return 0


if __name__ == '__main__':
    run_tool(main)
