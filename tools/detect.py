#!/usr/bin/env python3
"""Find actions in uncut videos: train an ensemble over folds (or take checkpoints), write intervals and timelines.

tools/detect.py configs/detect/bigru_detector.py --corpus data/fsjump6
tools/detect.py configs/detect/bigru_detector.py --corpus data/new --checkpoints work_dirs/RUN --videos
"""

from pathlib import Path

from vpd_mm.engine.cli import (
    ToolParser,
    add_cfg_options_argument,
    add_corpus_arguments,
    add_epochs_argument,
    add_overwrite_argument,
    refuse_options,
    run_tool,
)

#: Fields of the data sets to the options that set them.
FIELDS = {
    'train_dataloader.dataset.max_videos': '--train-videos',
    'train_dataloader.dataset.subset': '--subset',
    'train_dataloader.dataset.fold': '--folds',
    'test_dataloader.dataset.split': '--split',
    'test_dataloader.dataset.videos': '--videos',
}


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='a detection config')
    parser.add_argument('--checkpoints', nargs='+', help='trained models or a run folder (default: train the folds)')
    threshold = 'score from which a frame counts (default: chosen on the folds, or as recorded in the checkpoints)'
    parser.add_argument('--threshold', type=float, help=threshold)
    folds = 'models; 1: the threshold is chosen on split val (default: 5, or as many as training videos)'
    parser.add_argument('--folds', type=int, help=folds)
    parser.add_argument('--train-videos', type=int, help='train on so many video files only (default: all)')
    parser.add_argument('--subset', type=int, default=0, help='list of the training videos, annotations/localize/')
    parser.add_argument('--allow-missing', action='store_true', help='leave out videos without features')
    parser.add_argument('--split', default='test', help='videos to search; a detection in one without actions is false')
    videos = 'search these videos instead, with or without labels; without names: all of the corpus'
    parser.add_argument('--videos', nargs='*', metavar='VIDEO', help=videos)
    parser.add_argument('--out', help='folder of the results (default: <work dir>/<split>, or videos)')
    parser.add_argument('--work-dir', help='folder of the trained models (default: work_dirs/<config name>)')
    add_cfg_options_argument(parser)
    add_overwrite_argument(parser)
    add_corpus_arguments(parser)
    add_epochs_argument(parser)
    args = parser.parse_args(argv)
    refuse_options(args, FIELDS)

    from vpd_mm.detect.search import search_corpus
    from vpd_mm.detect.summary import describe
    from vpd_mm.engine.model_files import find_trained
    from vpd_mm.engine.progress import progress_bar
    from vpd_mm.features.corpus_config import load_corpus_config

    trained = [find_trained(args.config, 'checkpoints', path).checkpoints for path in args.checkpoints or ()]
    checkpoints = [Path(path) for of_one in trained for path in of_one]
    cfg = load_corpus_config(args, args.allow_missing)
    cfg.train_dataloader.dataset |= {'max_videos': args.train_videos, 'subset': args.subset}
    out = Path(args.out) if args.out else Path(cfg.work_dir) / (args.split if args.videos is None else 'videos')
    with progress_bar('search', 'videos') as on_progress:
        results = search_corpus(
            cfg,
            Path(cfg.work_dir),
            args.split,
            out,
            checkpoints,
            args.threshold,
            args.folds,
            args.overwrite,
            args.videos,
            on_progress,
        )
    print(*describe(results), f'intervals and timelines: {out}', sep='\n')
    if not checkpoints:
        print(f'next: {next_command(cfg, args)}')


def next_command(cfg, args) -> str:
    """The command that finds actions in another video: with a student if it was trained on one, else in a corpus."""
    from vpd_mm.corpus import Corpus
    from vpd_mm.engine.tool_list import tool_command
    from vpd_mm.features.clip_summary import infer_command
    from vpd_mm.features.clips import split_names

    dataset = cfg.test_dataloader.dataset
    if command := infer_command(Corpus.open(dataset.corpus), dataset.features, '--scorer', cfg.work_dir):
        return command
    words = [args.config, '--corpus', dataset.corpus, '--features', '+'.join(split_names(dataset.features))]
    return tool_command('detect', *words, '--checkpoints', cfg.work_dir, '--videos')


if __name__ == '__main__':
    run_tool(main)
