#!/usr/bin/env python3
"""Rank a corpus by DTW for each of its actions, or find the clips most similar to one clip.

python tools/retrieve.py --corpus data/penn --features joints --split test --gallery-split train
"""

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from vpd_mm.corpus import PROTOCOLS, Corpus
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool
from vpd_mm.engine.console import PlainConsole
from vpd_mm.errors import UserError
from vpd_mm.files import check_output, open_output
from vpd_mm.structures import load_classes

DEFAULT_KS = (1, 10, 50)
COLUMNS = ('query', 'query_class', 'rank', 'action_id', 'class', 'distance')


def main(argv=None):
    args = parse_args(argv)
    from vpd_mm.retrieve import check_side_by_side, load_clips

    rules = {'overwrite': args.overwrite, 'inputs': [args.corpus]}
    if args.out is not None:
        check_output(args.out, mark=','.join(COLUMNS), **rules)
    if args.show is not None:
        check_side_by_side(args.show)
        check_output(args.show, **rules)
        if args.out is not None and args.out.resolve() == args.show.resolve():
            raise UserError(f'{args.out}: --out and --show are the same file; write to two paths')
    corpus = Corpus.open(args.corpus)
    settings = corpus.settings(args.protocol)
    given = {name: getattr(args, name) for name in ('before_sec', 'after_sec') if getattr(args, name) is not None}
    fps = settings.fps if args.fps is None else args.fps or None
    settings = replace(settings, window=replace(settings.window, **given), fps=fps)
    clips = load_clips(corpus, args.features, settings, args.allow_missing)
    gallery, classes = clips.of_split(args.gallery_split), load_classes(corpus.classes_path)
    if args.query is None:
        rank_all(clips.of_split(args.split or settings.queries), gallery, classes, args)
        return 0
    return search_clip(corpus, clips, gallery, classes, fps, args)


def rank_all(queries, gallery, classes: list[str], args: argparse.Namespace) -> None:
    from vpd_mm.retrieve import rank_corpus

    ks = args.ks or [k for k in DEFAULT_KS if k == 1 or k < len(gallery)]
    if not args.ks and len(ks) < len(DEFAULT_KS):
        print(f'k = {", ".join(map(str, ks))}: {len(gallery)} clips are too few for more (--ks selects others)')
    start = time.perf_counter()
    nearest, metrics = rank_corpus(queries, gallery, ks, args.device, args.protocol)
    seconds = time.perf_counter() - start
    name = '+'.join(args.features)
    table = Table('k', 'precision@k', 'hit@k', title=f'{name}: {len(queries)} queries, {len(gallery)} clips')
    for k in ks:
        table.add_row(str(k), *(f'{100 * metrics[f"{metric}@{k}"]:.2f} %' for metric in ('precision', 'hit')))
    PlainConsole().print(table)
    print(f'{len(queries) * len(gallery) / seconds:,.0f} pairs of clips per second')
    if args.out is None:
        return
    rules = {'overwrite': args.overwrite, 'inputs': [args.corpus]}
    with open_output(args.out, 'w', mark=','.join(COLUMNS), **rules) as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(COLUMNS)
        for query, inds, distances in zip(queries.actions, *nearest, strict=True):
            for rank, (i, distance) in enumerate(zip(inds, distances, strict=True), 1):
                hit = gallery.actions[i]
                row = (query.action_id, classes[query.label], rank, hit.action_id, classes[hit.label])
                writer.writerow((*row, f'{distance:.6g}'))


def search_clip(corpus: Corpus, clips, gallery, classes: list[str], fps: float | None, args: argparse.Namespace) -> int:
    """Print the nearest clips and draw them; returns 1 where a clip could not be drawn."""
    from vpd_mm.retrieve import RANKING, ClipPainter, DTWRetriever, Shot, find_query, save_side_by_side

    query = find_query(corpus, args.features, clips, args.query, fps)
    own = gallery.actions.index(query.action) if query.action in gallery.actions else -1
    retriever = DTWRetriever(gallery.clips, gallery.names, args.device, **RANKING[args.protocol])
    top = min(args.top, len(gallery) - (own >= 0))
    nearest = retriever.search([query.feats], top, [own], [f'query {args.query}'])
    title = args.query if query.action is None else f'{args.query} ({classes[query.action.label]})'
    table = Table('rank', 'action', 'class', 'video:start-end', 'distance', title=f'most similar to {title}')
    shots = [Shot(query.video, query.start_frame, query.end_frame, f'query {title}')]
    for rank, (i, distance) in enumerate(zip(nearest.inds[0], nearest.distances[0], strict=True), 1):
        hit = gallery.actions[i]
        interval = f'{hit.video}:{hit.start_frame}-{hit.end_frame}'
        table.add_row(str(rank), hit.action_id, classes[hit.label], interval, f'{distance:.4f}')
        caption = f'{rank}: {classes[hit.label]}  {hit.action_id}  {distance:.3f}'
        shots.append(Shot(hit.video, hit.start_frame, hit.end_frame, caption))
    PlainConsole().print(table)
    if args.show is not None:
        failures = save_side_by_side(args.show, ClipPainter(corpus, args.poses), shots)
        print(f'wrote {args.show}')
        print(*(f'error: {line}' for line in failures), sep='\n', end='\n' * bool(failures), file=sys.stderr)
        return 1 if failures else 0
    return 0


def parse_args(argv) -> argparse.Namespace:
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--corpus', type=Path, required=True, help='folder of the corpus, such as data/penn')
    add(
        '--features', nargs='+', required=True, help='features/<run>, teacher/<name> or a bare name; several are joined'
    )
    add('--split', help='split of the queries; default: all actions, of Diving48 test')
    add('--gallery-split', help='split to search; default: all actions, without the query itself')
    add('--ks', type=int, nargs='+', help='k of precision@k and hit@k (default: those of 1 10 50 that fit)')
    add('--out', type=Path, help='csv file for the max(KS) nearest clips of every query')
    add('--query', help='search for one clip only: an action id or VIDEO:START-END (end exclusive)')
    add('--top', type=int, default=10, help='number of results of --query (default 10)')
    add('--show', type=Path, help='write the clips of --query side by side: .png or .mp4')
    add_overwrite_argument(parser)
    add('--poses', help='pose set that --show draws where there are no crops; default: the first')
    text = "'paper': windows, rate, views and counting as published (python -m vpd_mm paper)"
    add('--protocol', choices=PROTOCOLS, default='default', help=text)
    add('--fps', type=float, help='rate to which clips are reduced; 0: their own; default: that of the data set')
    add('--before-sec', type=float, help='seconds to add before an action; default: those of the data set')
    add('--after-sec', type=float, help='seconds to add after an action; default: those of the data set')
    add('--device', default='cpu', help='cpu or cuda (default cpu)')
    add('--allow-missing', action='store_true', help='leave out actions without features')
    return parser.parse_args(argv)


if __name__ == '__main__':
    run_tool(main)
