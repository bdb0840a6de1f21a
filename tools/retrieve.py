#!/usr/bin/env python3
"""Rank a corpus by DTW for every action of it, or find what is most like one clip."""

import csv
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    args = parse_args(argv)
    from vpd_mm.corpus import Corpus
    from vpd_mm.retrieve import FeatureSource, load_clips
    from vpd_mm.structures import load_classes

    corpus = Corpus.open(args.corpus)
    source = FeatureSource(corpus, args.features, args.poses)
    clips = load_clips(corpus, source, args.allow_missing)
    classes = load_classes(corpus.classes_path)
    gallery = clips.of_split(args.gallery_split)
    if args.query is None:
        rank_all(args, clips.of_split(args.split), gallery, classes)
    else:
        answer_one(args, corpus, source, clips, gallery, classes)


def rank_all(args, queries, gallery, classes):
    from vpd_mm.retrieve import rank_corpus

    start = time.perf_counter()
    found, metrics = rank_corpus(queries, gallery, args.ks, args.device)
    seconds = time.perf_counter() - start
    table = Table('k', 'precision@k', 'hit@k', title=f'{args.features}: {len(queries)} queries, {len(gallery)} clips')
    for k in args.ks:
        table.add_row(str(k), *(f'{100 * metrics[f"{what}@{k}"]:.2f} %' for what in ('precision', 'hit')))
    Console().print(table)
    print(f'{len(queries) * len(gallery) / seconds:,.0f} pairs of clips a second')
    if args.out is not None:
        save_ranking(args.out, found, queries, gallery, classes)


def save_ranking(path, found, queries, gallery, classes):
    from vpd_mm.structures import atomic_write

    with atomic_write(path, 'w') as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(('query', 'query_class', 'rank', 'action_id', 'class', 'distance'))
        for query, inds, distances in zip(queries.actions, *found, strict=True):
            for rank, (i, distance) in enumerate(zip(inds, distances, strict=True), 1):
                hit = gallery.actions[i]
                names = (query.action_id, classes[query.label], rank, hit.action_id, classes[hit.label])
                writer.writerow((*names, f'{distance:.6g}'))


def answer_one(args, corpus, source, clips, gallery, classes):
    from vpd_mm.retrieve import ClipPainter, DTWRetriever, Shot, find_query, save_side_by_side

    action, interval, clip = find_query(source, clips, args.query)
    own = [i for i, other in enumerate(gallery.actions) if action is not None and other.action_id == action.action_id]
    candidates = len(gallery) - len(own)
    retriever = DTWRetriever(gallery.clips, names=gallery.names, device=args.device)
    found = retriever.search([clip], min(args.top, candidates), own or [-1], [f'query {args.query}'])
    title = f'{args.query} ({classes[action.label]})' if action is not None else args.query
    table = Table('rank', 'action', 'class', 'video:start-end', 'distance', title=f'most like {title}')
    video, _, frames = interval.rpartition(':')
    shots = [Shot(video, *map(int, frames.split('-')), f'query {title}')]
    for rank, (i, distance) in enumerate(zip(found.inds[0], found.distances[0], strict=True), 1):
        hit = gallery.actions[i]
        place = f'{hit.video}:{hit.start_frame}-{hit.end_frame}'
        table.add_row(str(rank), hit.action_id, classes[hit.label], place, f'{distance:.4f}')
        caption = f'{rank}: {classes[hit.label]}  {hit.action_id}  {distance:.3f}'
        shots.append(Shot(hit.video, hit.start_frame, hit.end_frame, caption))
    Console().print(table)
    if args.show is not None:
        save_side_by_side(args.show, ClipPainter(corpus, args.poses), shots)
        print(f'wrote {args.show}')


def parse_args(argv):
    parser = ToolParser(__doc__)
    parser.add_argument('--corpus', type=Path, required=True, help='the corpus, such as data/penn')
    parser.add_argument('--features', required=True, help="a run (features/), a teacher (teacher/), or 'joints'")
    parser.add_argument('--poses', help="pose set for 'joints' and for drawn skeletons; by default the only one")
    parser.add_argument('--split', help='split of the queries; by default all actions')
    parser.add_argument('--gallery-split', help='split that is searched; by default all; a query never finds itself')
    parser.add_argument('--ks', type=int, nargs='+', default=[1, 10, 50], help='k of precision@k and hit@k')
    parser.add_argument('--query', help='search for one clip only: an action id or VIDEO:START-END (end exclusive)')
    parser.add_argument('--top', type=int, default=10, help='answers to --query')
    parser.add_argument('--show', type=Path, help='write the clips of --query side by side: .png or .mp4')
    parser.add_argument('--out', type=Path, help='write the whole ranking as csv')
    parser.add_argument('--device', default='cpu', help='cpu, or cuda')
    parser.add_argument('--allow-missing', action='store_true', help='leave out actions that have no features')
    return parser.parse_args(argv)


if __name__ == '__main__':
    run_tool(main)
