#!/usr/bin/env python3
"""Find actions in uncut videos: train an ensemble over folds (or take checkpoints), write intervals and timelines.

tools/detect.py configs/detect/bigru_detector.py --corpus data/fsjump6
tools/detect.py configs/detect/bigru_detector.py --corpus data/new --checkpoints fold0.pth --videos
"""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_corpus_arguments, add_overwrite_argument, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='a detection config')
    parser.add_argument('--checkpoints', nargs='+', help='trained models; default: train the folds')
    threshold = 'score from which a frame counts; default: chosen on the folds, or as recorded in the checkpoints'
    parser.add_argument('--threshold', type=float, help=threshold)
    folds = 'models of the ensemble; default: 5, or as many as training videos; 1: the threshold is chosen on split val'
    parser.add_argument('--folds', type=int, help=folds)
    parser.add_argument('--train-videos', type=int, help='train on so many video files only; default: all')
    parser.add_argument('--subset', type=int, default=0, help='list of the training videos, annotations/localize/')
    parser.add_argument('--allow-missing', action='store_true', help='leave out videos without features')
    parser.add_argument('--split', default='test', help='videos to search; a detection in one without actions is false')
    videos = 'search these videos instead, with or without labels; without names: all of the corpus'
    parser.add_argument('--videos', nargs='*', metavar='VIDEO', help=videos)
    parser.add_argument('--out', help='folder of the results; default <work dir>/<split>, or videos')
    parser.add_argument('--work-dir', help='default work_dirs/<config name>')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields')
    add_overwrite_argument(parser)
    add_corpus_arguments(parser)
    args = parser.parse_args(argv)

    from vpd_mm.detect.search import search_corpus
    from vpd_mm.detect.summary import describe
    from vpd_mm.engine.progress import progress_bar
    from vpd_mm.features.corpus_config import load_corpus_config

    cfg = load_corpus_config(args, args.allow_missing)
    cfg.train_dataloader.dataset |= {'max_videos': args.train_videos, 'subset': args.subset}
    out = Path(args.out) if args.out else Path(cfg.work_dir) / (args.split if args.videos is None else 'videos')
    with progress_bar('search', 'videos') as on_progress:
        results = search_corpus(
            cfg,
            Path(cfg.work_dir),
            args.split,
            out,
            [Path(path) for path in args.checkpoints or []],
            args.threshold,
            args.folds,
            args.overwrite,
            args.videos,
            on_progress,
        )
    print(*describe(results), f'intervals and timelines: {out}', sep='\n')


if __name__ == '__main__':
    run_tool(main)
