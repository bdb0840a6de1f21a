#!/usr/bin/env python3
"""Repair the poses of a corpus with its student: fill gaps, overrule wrong joints, exchange left and right, smooth.

python tools/repair_poses.py --corpus data/real --poses mediapipe --student work_dirs/RUN
"""

import sys

from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('--corpus', required=True, help='folder of the corpus')
    parser.add_argument('--poses', required=True, help='name of the pose set (athlete/poses/<name>)')
    parser.add_argument(
        '--student', required=True, help='run folder or CONFIG:CHECKPOINT of a student of 2D joints, of this corpus'
    )
    parser.add_argument('--out', metavar='NAME', help='name of the repaired pose set (default: <poses>-repaired)')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1; auto = a GPU where there is one')
    text = 'make the poses of another student or pose set again'
    parser.add_argument('--overwrite', action='store_true', help=text)
    parser.add_argument(
        '--preview',
        nargs='+',
        default=[],
        metavar='VIDEO',
        help='also draw teacher, student and repaired pose over the crops of these videos',
    )
    args = parser.parse_args(argv)

    from vpd_mm.corpus import Corpus
    from vpd_mm.engine.model_files import find_one_trained, read_trained_config
    from vpd_mm.engine.model_zoo import pick_device
    from vpd_mm.engine.progress import progress_bar
    from vpd_mm.errors import counted
    from vpd_mm.repair import repair_corpus

    corpus = Corpus.open(args.corpus)
    config, checkpoint = find_one_trained(args.student, 'student')
    with progress_bar(f'repair of {args.poses}', 'videos') as on_progress:
        report = repair_corpus(
            corpus,
            args.poses,
            read_trained_config(config, checkpoint),
            checkpoint,
            args.out,
            device=pick_device(args.device),
            batch_size=args.batch_size,
            overwrite=args.overwrite,
            on_progress=on_progress,
        )
    print(*(f'warning: {note}' for note in report.notes), sep='\n', end='\n' * bool(report.notes), file=sys.stderr)
    out = args.out or f'{args.poses}-repaired'
    print(f'{corpus.poses_dir(out)}: {counted(report.written, "video")} written, {report.total} in total')
    print(*report.lines(), sep='\n', end='\n' * bool(report.lines()))
    for video in args.preview:
        print(*draw(corpus, video, out, config, checkpoint, args), sep='\n')
    export = f'tools/export_poses.py --corpus {corpus.root} --poses {out} --format trc --out poses'
    print(f'next: python {export}')


def draw(corpus, video, out, config, checkpoint, args):
    """Draw one video into the folder ``preview`` of the repaired poses; returns the paths."""
    from vpd_mm.corpus import CropStore
    from vpd_mm.engine.model_files import read_trained_config
    from vpd_mm.engine.model_zoo import pick_device
    from vpd_mm.features.feature_extractor import build_extractor
    from vpd_mm.features.preview import write_preview

    device, info = pick_device(args.device), corpus.video(video)
    cfg = read_trained_config(config, checkpoint)
    extractor = build_extractor(cfg, checkpoint, device=device, batch_size=args.batch_size)
    decoded = extractor.decode(extractor.extract(CropStore(corpus.crops_dir), video).feats)
    teacher = (extractor.recipe and extractor.recipe.teacher) or 'joints'
    folder = corpus.poses_dir(out) / 'preview'
    return write_preview(corpus, video, decoded, teacher, folder, info.fps, True, repaired=out)


if __name__ == '__main__':
    run_tool(main)
