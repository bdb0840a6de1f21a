#!/usr/bin/env python3
"""Import a public data set or release, or labels of your own, into a corpus; existing files of the corpus are kept.

python tools/import_dataset.py penn-action /data/Penn_Action --out data/penn
python tools/import_dataset.py labels my_labels.csv --out data/real
"""

import argparse
from functools import partial
from pathlib import Path

from rich.table import Table

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.progress import OnProgress, progress_bar
from vpd_mm.importers import (
    ImportReport,
    import_label_table,
    import_labels,
    import_parkour,
    import_poses,
    import_vpd_release,
    read_diving48,
    read_fsjump6,
    read_fx35,
    read_penn_action,
    read_tennis7,
)

READERS = {'fsjump6': read_fsjump6, 'tennis7': read_tennis7, 'fx35': read_fx35, 'diving48': read_diving48}


def main(argv=None):
    args = parse_args(argv)
    with progress_bar(args.dataset, 'files') as on_progress:
        report = run_import(args, on_progress)
    print_report(report, args)
    return 1 if report.failures else 0


def run_import(args: argparse.Namespace, on_progress: OnProgress) -> ImportReport:
    """Call the importer of the data set with its options."""
    options = {k: v for k, v in vars(args).items() if k not in ('dataset', 'src', 'out', 'debug')}
    importers = {'vpd-release': import_vpd_release, 'poses': import_poses, 'parkour': import_parkour}
    importers['labels'] = import_label_table
    if args.dataset == 'penn-action':
        options['read'] = partial(read_penn_action, on_progress=on_progress)
    elif args.dataset in READERS:
        options['read'] = READERS[args.dataset]
    import_dataset = importers.get(args.dataset, import_labels)
    return import_dataset(source=args.src, out=args.out, on_progress=on_progress, **options)


def print_report(report: ImportReport, args: argparse.Namespace) -> None:
    table = Table('what', 'count', title=f'{args.dataset} -> {args.out}')
    table.columns[1].justify = 'right'
    for name, count in report.counts.items():
        table.add_row(name, f'{count:,}')
    PlainConsole().print(table)
    for line in report.notes:
        print(line)
    for line in report.failures:
        print(f'failed: {line}')
    if report.failures:
        print(f'{len(report.failures)} failed; fix them and run the same command, the rest is kept')


def parse_args(argv) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    datasets = parser.add_subparsers(dest='dataset', required=True, metavar='DATASET')

    def add(name: str, text: str, source: str) -> argparse.ArgumentParser:
        sub = datasets.add_parser(name, help=text, description=text)
        sub.add_argument('src', metavar='SRC', type=Path, help=source)
        sub.add_argument('--out', required=True, type=Path, help='the corpus, such as data/<corpus>')
        return sub

    sub = add('vpd-release', 'boxes, poses, crops and features of the public VPD release', 'its folder, or part of it')
    sub.add_argument('--meta', type=Path, help='<sport>.video_meta.json, where no meta.json describes the videos')
    sub.add_argument('--flow', help="<flow> of <frame>.<flow>.png, 'none' for no flow; by default the only one")
    sub.add_argument('--teacher', action='store_true', help="features are a teacher's (2D joints, VIPE*)")
    sub.add_argument('--name', help='name of the features; by default that of their folder')
    sub.add_argument('--sport', default='', help='of a new corpus')

    sub = add('penn-action', 'Penn Action: joints, boxes, actions, official split', 'folder that holds labels/*.mat')
    _add_validation(sub)
    for name, folder in (('fsjump6', 'fs'), ('tennis7', 'tennis')):
        sub = add(name, f'{name}: labels, splits and lists of the VPD release', f'folder action_dataset/{folder}')
        _add_meta(sub, folder)
    for name, text, source, meta, folder in (
        (
            'fx35',
            'FX35: floor exercise of FineGym99',
            'folder of gym99_{train_element_v1.1,val_element,categories}.txt and finegym_annotation_info_v1.1.json',
            'fx',
            'finegym99',
        ),
        (
            'diving48',
            'Diving48, version 2',
            'folder of Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json',
            'diving48',
            'diving48',
        ),
    ):
        sub = add(name, text, source)
        _add_meta(sub, meta)
        sub.add_argument('--few-shot', type=Path, help=f'folder action_dataset/{folder} of the release (default: SRC)')
        _add_validation(sub)

    sub = add('parkour', 'LAAS Parkour: techniques, athletes, ground truth in the image', 'clone of its repository')
    sub.add_argument('--poses', help='pose set to which the cameras are fitted; by default the only one')

    sub = add('poses', 'poses for the videos of a corpus', 'their folder: npz, VPD release, mmpose, COCO, OpenPose')
    sub.add_argument('--name', default='imported', help='name of the pose set')

    table = 'CSV: video,label, optionally start_sec,end_sec (or _frame), athlete, split; without split it is made'
    sub = add('labels', 'actions of the videos of a corpus, as a table of your own', table)
    sub.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the split (30 %% of each class test, of the rest 40 %% val, whole videos)',
    )
    sub.add_argument('--overwrite', action='store_true', help='replace other actions of the corpus')
    return parser.parse_args(argv)


def _add_meta(parser: argparse.ArgumentParser, sport: str) -> None:
    parser.add_argument('--meta', type=Path, help=f'{sport}.video_meta.json; by default in SRC or one folder up')


def _add_validation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--val-share',
        type=float,
        default=0.1,
        help='share of the training actions that become val; published few-shot lists keep theirs',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the validation split')


if __name__ == '__main__':
    run_tool(main)
