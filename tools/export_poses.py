#!/usr/bin/env python3
"""Export the poses of a corpus for OpenPose, mmpose, COCO or Sports2D (TRC), or as CSV.

python tools/export_poses.py --corpus data/real --poses rtmpose-m --format trc --out poses
"""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('--corpus', required=True, metavar='DIR', help='folder of the corpus')
    parser.add_argument('--poses', required=True, metavar='NAME', help='name of the pose set (athlete/poses/<name>)')
    formats = ('openpose', 'mmpose', 'coco', 'trc', 'csv')
    parser.add_argument('--format', required=True, choices=formats, help='format of the files')
    parser.add_argument('--out', required=True, type=Path, help='folder to write into')
    parser.add_argument('--videos', nargs='+', default=(), help='names of videos (default: all with such poses)')
    parser.add_argument('--height', type=float, help='trc in metres: height of the athlete, m')
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)

    from vpd_mm.corpus import Corpus
    from vpd_mm.engine.progress import progress_bar
    from vpd_mm.exporters import export_poses

    with progress_bar('export', 'videos') as on_progress:
        paths = export_poses(
            Corpus.open(args.corpus),
            args.poses,
            args.format,
            args.out,
            videos=args.videos,
            height=args.height,
            overwrite=args.overwrite,
            on_progress=on_progress,
        )
    print(*paths, sep='\n')


if __name__ == '__main__':
    run_tool(main)
