#!/usr/bin/env python3
"""Make the synthetic data sets: the sport as a corpus, everyday people as COCO keypoints, contact sheets of both.

tools/make_synthetic.py sport --out data/synthetic --train 64 --val 12 --test 32
tools/make_synthetic.py generic --out data/generic --train 4000 --val 400
tools/make_synthetic.py sheet --out runs/sheets
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool
from vpd_mm.engine.progress import progress_bar
from vpd_mm.files import list_folder


def make_sport(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.corpus import SportRecipe, make_sport, sport_statistics

    recipe = SportRecipe(args.seed, args.width, args.height, args.sub_frames)
    with progress_bar('videos') as on_progress:
        corpus = make_sport(
            args.out, args.train, args.val, args.test, recipe, args.workers, on_progress, args.unlabelled
        )
    for name, value in sport_statistics(corpus).items():
        print(f'{name:34s} {value}')


def make_generic(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.generic import GenericRecipe, make_generic

    recipe = GenericRecipe(args.seed, args.width, args.height, args.public, args.leaping, args.clear, args.over)
    with progress_bar('images') as on_progress:
        root = make_generic(args.out, args.train, args.val, recipe, args.workers, on_progress)
    files = ', '.join(f'annotations/{path.name}' for path in list_folder(root / 'annotations', 'person_*.json'))
    print(f'{root}: images/, {files} (COCO keypoints)')


def make_sheets(args: argparse.Namespace) -> None:
    from vpd_mm.synthetic.corpus import SportRecipe
    from vpd_mm.synthetic.sheet import write_sheets

    print(*write_sheets(args.out, SportRecipe(args.seed), args.overwrite), sep='\n')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def add_command(name: str, action, out: str, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=help_text, description=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        sub.set_defaults(action=action)
        sub.add_argument('--out', type=Path, default=Path(out), help='output folder; existing files are kept')
        sub.add_argument('--seed', type=int, default=0, help='the same seed gives the same data')
        return sub

    sport = add_command('sport', make_sport, 'data/synthetic', 'render the synthetic sport as a corpus')
    for split, count in (('train', 48), ('val', 8), ('test', 24)):
        sport.add_argument(f'--{split}', type=int, default=count, help='number of videos of 10 to 20 s')
    sport.add_argument('--unlabelled', type=int, default=0, help='number of videos of other athletes, without labels')
    sport.add_argument('--sub-frames', type=int, default=8, help='renderings averaged per frame (motion blur)')

    generic = add_command('generic', make_generic, 'data/generic', 'render everyday people as COCO keypoints')
    for split, count in (('train', 4000), ('val', 400)):
        generic.add_argument(f'--{split}', type=int, default=count, help='number of images')
    generic.add_argument('--public', action='store_true', help='add boards and spectators (for detectors)')
    generic.add_argument('--leaping', type=float, default=0.0, help='share of people who leap or lie (for detectors)')
    generic.add_argument('--clear', action='store_true', help='keep people apart, with few occluders (for teachers)')
    generic.add_argument('--over', action='store_true', help='place leaping people, except the first, before others')
    for sub in (sport, generic):
        sub.add_argument('--width', type=int, default=256, help='px')
        sub.add_argument('--height', type=int, default=256, help='px')
        sub.add_argument('--workers', type=int, default=1, help='number of processes; the data do not depend on it')

    text = 'draw contact sheets of both, with and without true skeletons'
    add_overwrite_argument(add_command('sheet', make_sheets, 'runs/sheets', text))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    args.action(args)
    return 0


if __name__ == '__main__':
    run_tool(main)
