#!/usr/bin/env python3
"""Rank a corpus by DTW for each of its actions, or find the clips most similar to one clip.

python tools/retrieve.py --corpus data/penn --features joints --split test --gallery-split train

With --out, a search that was interrupted resumes, and torchrun or srun shares it out over processes.
"""

import argparse
import csv
import math
import sys
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from vpd_mm.corpus import PROTOCOLS, Corpus
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, launcher_ranks, run_tool
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.deprecation import joined_words
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.progress import no_progress, progress_bar
from vpd_mm.errors import UserError, counted, listed
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
    from vpd_mm.features.clip_summary import TOO_GOOD, seen_by_student
    from vpd_mm.features.clips import split_names
    from vpd_mm.retrieve import NO_PATH, SearchParts, rank_corpus, ranking_context, step_patterns

    context = ranking_context(queries, gallery, args.protocol)
    most = int(context.candidates.max())
    ks = sorted({k for k in args.ks or DEFAULT_KS if args.ks or k == 1 or k <= most})
    if not 1 <= ks[0] <= ks[-1] <= most:
        if not most:
            raise UserError(f'{args.corpus}: no query has another clip to find; label more actions')
        raise UserError(f'--ks must be 1 to {most}, the largest number of clips that a query can find, found {ks}')
    rank, world, _ = launcher_ranks()
    if not args.ks and len(ks) < len(DEFAULT_KS) and rank == 0:
        clips = counted(len(gallery), 'clip')
        print(f'k = {", ".join(map(str, ks))}: a gallery of {clips} is too small for more (--ks selects others)')
    folder = args.out and args.out.with_name(f'{args.out.name}.parts')
    with progress_bar(f'retrieval in {args.corpus}', 'queries') as on_progress:
        parts = SearchParts(folder, rank, world, no_progress if rank else on_progress)
        nearest, metrics = rank_corpus(queries, gallery, ks, args.device, args.protocol, parts)
    speed = f'{parts.num_searched * len(gallery) / max(parts.seconds, 1e-9):,.0f} pairs of clips per second'
    searched = f'{parts.num_searched:,} of {counted(len(queries), "query")}'
    if nearest is None:
        print(f'process {rank} of {world}: searched {searched}, {speed}')
        return
    sizes = {'query': context.num_queries, 'clip': len(gallery), 'class': context.num_classes}
    title = ', '.join(counted(number, noun) for noun, number in sizes.items())
    table = Table(title=f'{args.features}: {title}; in %')
    for name in ('k', 'precision@k', '95 % interval', 'chance', 'at most', 'hit@k', 'chance'):
        table.add_column(name, justify='right')
    for k in ks:
        precision, hit = context.shares(metrics, k)
        shares = precision.chance, context.best(k), hit.value, hit.chance
        table.add_row(
            str(k), f'{100 * precision.value:.2f}', precision.interval_text, *(f'{100 * share:.2f}' for share in shares)
        )
    PlainConsole().print(table)
    if context.overlapping:
        print(f'left out, as they overlap in one video: {counted(context.overlapping, "pair")} of a query and a clip')
    ranked = [inds[inds >= 0] for inds in nearest.inds]
    patterns = [step_patterns(clip, [gallery.clips[i] for i in inds]) for clip, inds in zip(queries.clips, ranked)]
    num_last = sum(row.count('symmetric2') for row in patterns)
    if num_last and args.protocol != 'paper':  # there they are at an infinite distance
        print(f'{num_last} of {sum(map(len, patterns))} neighbours: {NO_PATH}')
    for note in context.notes(metrics, ks):
        print(f'warning: {note}')
    line, seen = seen_by_student(Corpus.open(args.corpus), split_names(args.features), queries.actions, 'queries')
    if line:
        print(f'warning: {line}: {TOO_GOOD}' if seen else line)
    print(f'searched {searched} {"in this process" if world > 1 else "in this run"}, {speed}')
    print(shares_of_work(nearest.counts.sum(axis=0).tolist()))
    if args.out is None:
        return
    rules = {'overwrite': args.overwrite, 'inputs': [args.corpus]}
    with open_output(args.out, 'w', mark=','.join(COLUMNS), **rules) as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow((*COLUMNS, 'step_pattern'))
        for query, inds, distances, names in zip(queries.actions, ranked, nearest.distances, patterns, strict=True):
            for rank, (i, distance, pattern) in enumerate(zip(inds, distances, names), 1):
                hit = gallery.actions[i]
                row = (query.action_id, classes[query.label], rank, hit.action_id, classes[hit.label])
                writer.writerow((*row, f'{distance:.6g}', pattern if distance < math.inf else ''))
    parts.remove()


def shares_of_work(counts: list[int]) -> str:
    """Describe how many of all pairs of views were compared, by ``Neighbours.counts``."""
    parts = zip(counts, [*counts[1:], 0])
    no_path, bounded, abandoned, full = (f'{100 * (more - less) / max(counts[0], 1):.1f} %' for more, less in parts)
    return (
        f'of {counts[0]:,} pairs of views {no_path} differ too much in length for the first ranks, {bounded} were left '
        f'out by a lower bound, {abandoned} abandoned, {full} compared to the end'
    )


def search_clip(corpus: Corpus, clips, gallery, classes: list[str], fps: float | None, args: argparse.Namespace) -> int:
    """Print the nearest clips and draw them; returns 1 where a clip could not be drawn."""
    from vpd_mm.retrieve import (
        NO_PATH,
        RANKING,
        ClipPainter,
        DTWRetriever,
        Shot,
        find_query,
        items_to_exclude,
        save_side_by_side,
        step_patterns,
    )

    query = find_query(corpus, args.features, clips, args.query, fps)
    [exclude] = items_to_exclude([query], gallery.actions)
    retriever = DTWRetriever(gallery.clips, gallery.names, args.device, **RANKING[args.protocol])
    if (candidates := len(gallery) - len(exclude)) < 1:
        raise UserError(f'query {args.query}: all {len(gallery)} clips of the gallery overlap with it; add others')
    top = 10 if args.top is None else args.top
    if top < 1:
        raise UserError(f'--top must be 1 or more, found {top}')
    nearest = retriever.search([query.feats], min(top, candidates), [exclude], [f'query {args.query}'])
    title = args.query if query.action is None else f'{args.query} ({classes[query.action.label]})'
    table = Table('rank', 'action', 'class', 'video:start-end', 'distance', title=f'most similar to {title}')
    shots = [Shot(query.video, query.start_frame, query.end_frame, f'query {title}')]
    patterns = step_patterns(query.feats, [gallery.clips[i] for i in nearest.inds[0]])
    for rank, (i, distance, pattern) in enumerate(zip(nearest.inds[0], nearest.distances[0], patterns), 1):
        hit = gallery.actions[i]
        interval = f'{hit.video}:{hit.start_frame}-{hit.end_frame}'
        star = '*' * (pattern == 'symmetric2')
        table.add_row(str(rank), hit.action_id, classes[hit.label], interval, f'{distance:.4f}{star}')
        caption = f'{rank}: {classes[hit.label]}  {hit.action_id}  distance {distance:.3f}{star}'
        shots.append(Shot(hit.video, hit.start_frame, hit.end_frame, caption))
    PlainConsole().print(table)
    if 'symmetric2' in patterns:
        print(f'* {NO_PATH}')
    others = [gallery.actions[i].action_id for i in exclude if query.action != gallery.actions[i]]
    if others:
        print(f'left out, as they overlap with the query in its video: {len(others)} ({listed(others)})')
    if args.show is not None:
        failures = save_side_by_side(args.show, ClipPainter(corpus, args.poses), shots)
        print(f'wrote {args.show}')
        print(*(f'error: {line}' for line in failures), sep='\n', end='\n' * bool(failures), file=sys.stderr)
        return 1 if failures else 0
    return 0


def parse_args(argv) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('--corpus', type=Path, required=True, metavar='DIR', help='folder of the corpus, such as data/penn')
    add(
        '--features',
        nargs='+',
        required=True,
        metavar='NAME',
        help='features/<run>, teacher/<name> or a bare name, several joined by +',
    )
    add('--split', help='split of the queries (default: all actions, of Diving48 test)')
    add('--gallery-split', help='split to search (default: all actions, without those that overlap with the query)')
    add('--ks', type=int, nargs='+', help='k of precision@k and hit@k (default: those of 1 10 50 that fit)')
    add('--out', type=Path, help='csv file for the max(KS) nearest clips of every query; the same command resumes')
    add('--query', help='search for one clip only: an action id or VIDEO:START-END (end exclusive)')
    add('--top', type=int, help='number of results of --query (default: 10)')
    add('--show', type=Path, help='write the clips of --query side by side: .png or .mp4')
    add_overwrite_argument(parser)
    add('--poses', help='pose set that --show draws where there are no crops (default: the first)')
    text = "'paper': windows, rate, views and counting as published (python -m vpd_mm paper)"
    add('--protocol', choices=PROTOCOLS, default='default', help=text)
    add('--fps', type=float, help='rate to which clips are reduced; 0: their own (default: that of the data set)')
    add('--before-sec', type=float, help='seconds to add before an action (default: those of the data set)')
    add('--after-sec', type=float, help='seconds to add after an action (default: those of the data set)')
    add('--device', default='cpu', help='cpu, cuda or auto: a GPU where there is one (default: cpu)')
    add('--allow-missing', action='store_true', help='leave out actions without features')
    args = parser.parse_args(argv)
    args.features, args.device = joined_words('--features', args.features), pick_device(args.device)
    given = args.query is not None
    for name in ('split', 'ks', 'out') if given else ('top', 'show', 'poses'):
        if getattr(args, name) is not None:
            raise UserError(f'--{name}: changes nothing {"with" if given else "without"} --query; leave it out')
    return args


if __name__ == '__main__':
    run_tool(main)
