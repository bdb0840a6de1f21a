#!/usr/bin/env python3
"""Write the labels of a corpus for another program, or merge those of one into it; formats: docs/label_formats.md.

python tools/convert_labels.py data/real --to elan --out labels.eaf
python tools/convert_labels.py data/real --from boris events.tsv
"""

from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool
from vpd_mm.engine.progress import progress_bar
from vpd_mm.errors import UserError, counted
from vpd_mm.files import open_output, read_bytes
from vpd_mm.interchange import (
    FORMATS,
    MergeReport,
    export_labels,
    find_format,
    labelled_videos,
    merge_files,
    write_clips,
)
from vpd_mm.interchange.archives import pack, sources
from vpd_mm.interchange.csv_table import HEADER
from vpd_mm.interchange.fiftyone_dataset import export_fiftyone
from vpd_mm.interchange.merging import POINT_SEC
from vpd_mm.studio.labels import LabelStore

#: What is written besides the formats of labels.
CLIPS, FIFTYONE = 'clips', 'fiftyone'
#: Lines of each kind that are printed.
MAX_LINES = 20


def main(argv=None):
    args = parse_args(argv)
    store = LabelStore(Corpus.open(args.corpus))
    if args.to:
        print(*write(args, store), sep='\n')
        return
    print_report(read(args, store))


def write(args, store) -> list:
    """Write the labels; returns what was written."""
    if args.to in (CLIPS, FIFTYONE):
        videos = labelled_videos(store, args.videos, args.poses if args.to == FIFTYONE else None)
        with progress_bar(args.to, 'clips' if args.to == CLIPS else 'videos') as on_progress:
            options = {'overwrite': args.overwrite, 'on_progress': on_progress}
            if args.to == CLIPS:
                clips = write_clips(store.corpus, videos, Path(args.out), **options)
                return [f'{counted(len(clips), "clip")}: {args.out}']
            number = export_fiftyone(store.corpus, videos, args.out, features=args.features, **options)
            return [f'{counted(number, "sample")} in the FiftyOne data set {args.out}']
    form, out = find_format(args.to), Path(args.out)
    files = export_labels(store, form, args.videos, args.poses)
    if out.suffix.lower() == '.zip':
        contents = {out: pack(files)}
    elif form.unit == 'all' or out.suffix.lower() == form.suffix:
        if len(files) > 1:
            raise UserError(
                f'{out}: {form.title} has one video a file, these are {len(files)}; pass --videos, a folder or a .zip'
            )
        contents = dict.fromkeys([out], *files.values())
    else:
        contents = {out / name: content for name, content in files.items()}
    marks = {'csv': ','.join(HEADER), 'boris_events': 'Observation id\t'}
    mark = {'mark': marks[form.name]} if form.name in marks and out.suffix.lower() != '.zip' else {}
    for path, content in contents.items():
        with open_output(path, overwrite=args.overwrite, **mark) as f:
            f.write(content)
    return list(contents)


def read(args, store) -> MergeReport:
    """Merge the files into the corpus."""
    name, *paths = args.source
    form = find_format(name)
    if not paths:
        raise UserError(f'--from {name}: name the files to read')
    options = {'video': args.video, 'new_classes': args.new_classes, 'point_sec': args.point_sec}
    files = [(path, read_bytes(path, form.max_bytes)) for path in map(Path, paths)]
    given = [source for path, data in files for source in sources(form, path.name, data, path)]
    return merge_files(store, form, given, **options)


def print_report(report: MergeReport) -> None:
    counts = {'added': report.added, 'unchanged': report.unchanged}
    counts |= {'in conflict': len(report.conflicts), 'skipped': len(report.skipped)}
    print(*(f'{number} {what}' for what, number in counts.items()), sep=', ')
    if report.new_classes:
        print(f'new classes: {", ".join(report.new_classes)}')
    for what, lines in (('conflict', report.conflicts), ('skipped', report.skipped), ('written', report.notes)):
        for line in lines[:MAX_LINES]:
            print(f'{what}: {line}')
        if len(lines) > MAX_LINES:
            print(f'{what}: {len(lines) - MAX_LINES} more')


def parse_args(argv):
    parser = ToolParser(__doc__)
    parser.add_argument('corpus', help='the corpus, as data/real')
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument(
        '--to',
        choices=(*FORMATS, CLIPS, FIFTYONE),
        metavar='FORMAT',
        help='write: ' + ', '.join(FORMATS) + f', {CLIPS}, {FIFTYONE}',
    )
    ways.add_argument('--from', nargs='+', dest='source', metavar=('FORMAT', 'FILE'), help='read files of a format')
    parser.add_argument('--out', help='with --to: file, folder or .zip to write; of fiftyone the name of the data set')
    parser.add_argument('--videos', nargs='+', default=(), help='with --to: names of videos (default: all with labels)')
    parser.add_argument('--poses', default='', help='with --to cvat or fiftyone: the pose set (default: the first)')
    parser.add_argument('--features', default='', help='with --to fiftyone: features of the embeddings')
    parser.add_argument('--video', default='', help='with --from: the video that the files are about')
    parser.add_argument('--new-classes', action='store_true', help='with --from: add classes that the corpus lacks')
    point = 'with --from: length of the action that a moment becomes, s'
    parser.add_argument('--point-sec', type=float, default=POINT_SEC, help=point)
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)
    if args.to and not args.out:
        parser.error('--to needs --out')
    others = ('video', 'new_classes', 'point_sec') if args.to else ('out', 'videos', 'poses', 'features', 'overwrite')
    for name in others:
        if getattr(args, name) != parser.get_default(name):
            parser.error(f'--{name.replace("_", "-")} is for {"--from" if args.to else "--to"}')
    return args


if __name__ == '__main__':
    run_tool(main)
