#!/usr/bin/env python3
"""Write features of a corpus: of a student on crops, a teacher on poses, a clip network, or a concatenation.

tools/extract_features.py joints --corpus data/real
tools/extract_features.py vipe --corpus data/real [--invert]
tools/extract_features.py VIPE_CONFIG CHECKPOINT --corpus data/real [--invert]
tools/extract_features.py clips WEIGHTS --network r2plus1d_18 --corpus data/real
tools/extract_features.py RUN_FOLDER --corpus data/real --out vpd [--preview]
tools/extract_features.py CONFIG CHECKPOINT --corpus data/real --out vpd
tools/extract_features.py --concat vpd+joints --corpus data/real --out concat
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from vpd_mm.athlete.recipe import differences
from vpd_mm.corpus import Corpus
from vpd_mm.corpus.stale_files import Source
from vpd_mm.engine.cli import (
    ToolParser,
    add_cfg_options_argument,
    error_line,
    launcher_ranks,
    merge_run_arguments,
    run_tool,
)
from vpd_mm.engine.config import check_read, config_name
from vpd_mm.engine.deprecation import joined_words
from vpd_mm.engine.model_files import find_one_trained, read_trained_config
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.progress import progress_bar
from vpd_mm.errors import UserError, counted
from vpd_mm.files import list_folder, npz_path


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__)
    parser.add_argument(
        'config', nargs='?', help="run folder or config of a student or VIPE*; or 'joints', 'vipe' (packed), 'clips'"
    )
    parser.add_argument(
        'checkpoint', nargs='?', help="student or VIPE*; with 'clips' the network's weights: path, URL or 'random'"
    )
    parser.add_argument('--corpus', required=True, metavar='DIR', help='folder of the corpus')
    parser.add_argument('--out', help='name of the run (features/<out>; for joints and VIPE* teacher/<out>)')
    parser.add_argument('--network', default='r2plus1d_18', help="with 'clips': r2plus1d_18, r3d_18 or mc3_18")
    parser.add_argument('--clip-len', type=int, default=16, help="with 'clips': frames per clip")
    parser.add_argument('--stride', type=int, default=4, help="with 'clips': frames between two features")
    parser.add_argument('--poses', help="pose set of joints and VIPE* (default: the only one, else 'files')")
    parser.add_argument('--invert', action='store_true', help='VIPE*: append the embedding of the inverted pose')
    parser.add_argument('--concat', nargs='+', metavar='RUN+RUN', help='stack these runs along D')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1; auto: a GPU where there is one')
    parser.add_argument('--full-precision', action='store_true', help='on a GPU: float32; by default float16 there')
    parser.add_argument('--preview', action='store_true', help='also draw student and teacher (teacher: joints)')
    parser.add_argument(
        '--overwrite', action='store_true', help='make features of another run again, replace files of other programs'
    )
    parser.add_argument('--teacher', help="teacher that --preview draws (default: the student's, else 'joints')")
    add_cfg_options_argument(parser)
    parser.set_defaults(launcher='none', work_dir=None, local_rank=0, subfolder='extract')
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    corpus = Corpus.open(args.corpus)
    if args.config == 'vipe' and not args.checkpoint:
        from vpd_mm.synthetic.checkpoints import packed_model

        args.config, args.checkpoint = packed_model('vipe')
    if args.cfg_options and (args.concat or args.config in ('joints', 'clips')):
        raise UserError(f'--cfg-options: {"--concat" if args.concat else args.config} reads no config; leave them out')
    read = r'(model|default_scope|test_dataloader\.dataset\.pipeline)\b'
    check_read(args.cfg_options, f'(?!{read})', 'tools/extract_features.py')
    if args.concat:
        concat(corpus, args)
    elif args.config == 'joints':
        joints(corpus, args)
    elif not args.config or (args.config == 'clips' and not args.checkpoint):
        raise UserError("needs a run folder, CONFIG and CHECKPOINT, 'joints', 'vipe', 'clips' and WEIGHTS, or --concat")
    elif args.config == 'clips':
        clips(corpus, args)
    else:
        args.config, args.checkpoint = find_one_trained(args.config, 'model', args.checkpoint or '')
        cfg = merge_run_arguments(read_trained_config(args.config, args.checkpoint), args)
        if cfg.get('model', {}).get('type', '').rpartition('.')[2] == 'VIPE':
            vipe(corpus, cfg, args)
        elif args.invert:
            raise UserError(f'--invert: {args.config} is no config of VIPE*')
        else:
            return student(corpus, cfg, args)
    return 0


def concat(corpus: Corpus, args: argparse.Namespace) -> None:
    from vpd_mm.features.feature_extractor import concat_features

    if not args.out:
        raise UserError('--concat needs --out NAME')
    names = joined_words('--concat', args.concat).split('+')
    sources = [p if (p := corpus.features_dir(name)).is_dir() else corpus.teacher_dir(name) for name in names]
    out = corpus.features_dir(args.out)
    print_written(out, concat_features(corpus, sources, out, args.overwrite))


def default_poses(corpus: Corpus) -> str:
    names = corpus.pose_names(repaired=False)
    return names[0] if len(names) == 1 else 'files'


def joints(corpus: Corpus, args: argparse.Namespace) -> None:
    from vpd_mm.features.pose_features import joint_features

    name = args.out or 'joints'
    poses = args.poses or default_poses(corpus)
    print_written(corpus.teacher_dir(name), joint_features(corpus, poses, name, args.overwrite))


def vipe(corpus: Corpus, cfg: Config, args: argparse.Namespace) -> None:
    from vpd_mm.features.feature_extractor import run_source
    from vpd_mm.features.pose_features import pose_features
    from vpd_mm.teacher import VipeFeature, load_encoder

    made_by = run_source(cfg, args.checkpoint, invert=args.invert)  # before it is loaded: it may be replaced meanwhile
    feature = VipeFeature(load_encoder(cfg, args.checkpoint, pick_device(args.device)), args.invert)
    name = args.out or ('vipe-invert' if args.invert else 'vipe')
    poses = args.poses or default_poses(corpus)
    written = pose_features(corpus, poses, name, feature, made_by, args.overwrite)
    print_written(corpus.teacher_dir(name), written, feature.dims)


def clips(corpus: Corpus, args: argparse.Namespace) -> None:
    from vpd_mm.baselines import clip_features as cf

    device, settings = pick_device(args.device), {'clip_len': args.clip_len, 'stride': args.stride}
    options = {'batch_size': args.batch_size, 'half': use_half(device, args), **settings}
    made_by = cf.clip_run_source(args.network, args.checkpoint, **settings)
    extractor = cf.ClipFeatureExtractor(args.network, args.checkpoint, device, **options)
    out = corpus.features_dir(cf.run_name(args.network, args.checkpoint, args.out))
    extract(corpus, extractor, out, made_by, extractor.dims, args)


def student(corpus: Corpus, cfg: Config, args: argparse.Namespace) -> int:
    from vpd_mm.features.feature_extractor import build_extractor, run_source

    device = pick_device(args.device)
    options = {'batch_size': args.batch_size, 'half': use_half(device, args)}
    made_by = run_source(cfg, args.checkpoint)
    extractor = build_extractor(cfg, args.checkpoint, device=device, **options)
    recipe = extractor.recipe
    if launcher_ranks()[0] == 0:
        unknown = f'{args.checkpoint}: does not record how its corpus was made; {corpus.root} is not compared with it'
        lines = [unknown] if recipe is None else [f'{corpus.root}: {line}' for line in differences(recipe, corpus)]
        print(*(f'warning: {line}' for line in lines), sep='\n', end='\n' * bool(lines), file=sys.stderr)
    out = corpus.features_dir(args.out or config_name(cfg))
    extract(corpus, extractor, out, made_by, extractor.model.student.out_dims, args)
    if args.preview and launcher_ranks()[0] == 0:
        teacher = args.teacher or (recipe and recipe.teacher) or 'joints'
        return preview(corpus, teacher, extractor, out, args.overwrite)
    return 0


def use_half(device: str, args: argparse.Namespace) -> bool:
    return device.startswith('cuda') and not args.full_precision


def extract(corpus: Corpus, extractor, out: Path, made_by: Source, dims: int, args: argparse.Namespace) -> None:
    """Extract the features of this rank's share of the videos."""
    from vpd_mm.features.feature_extractor import extract_corpus

    with progress_bar(f'features of {corpus.name}', 'videos') as on_progress:
        written = extract_corpus(extractor, corpus, out, made_by, *launcher_ranks()[:2], on_progress, args.overwrite)
    print_written(out, written, dims)


def print_written(out: Path, written: int, dims: int | None = None) -> None:
    # a rank without videos may come here before the others have written any
    total = len(list_folder(out, '*.npz'))
    print(f'{out}: {counted(written, "video")} written, {total} in total' + (f', D = {dims}' if dims else ''))


def preview(corpus: Corpus, teacher: str, extractor, out: Path, overwrite: bool) -> int:
    """Draw the poses of teacher and student over the crops; returns 1 where a video failed."""
    from vpd_mm.corpus import CropStore, FeatureStore
    from vpd_mm.features.preview import write_preview, write_strip
    from vpd_mm.files import check_output
    from vpd_mm.structures import FeatureSequence, load_actions
    from vpd_mm.teacher import JointFeature

    joints = FeatureStore(corpus.teacher_dir(teacher))
    if joints.dims != JointFeature.dims or extractor.model.student.out_dims != JointFeature.dims:
        raise UserError(f'--preview draws 2D joints (D = {JointFeature.dims}); student or teacher has another D')
    store = CropStore(corpus.crops_dir)
    actions = load_actions(corpus.actions_path) if corpus.actions_path.is_file() else []
    videos = [video for video in store.videos() if video in joints and len(store.header(video))]
    ready = [video for video in videos if npz_path(out, video).is_file()]

    def draw(video: str) -> None:
        strip = out / 'preview' / f'{video}_action.jpg'
        check_output(strip, overwrite=overwrite)
        decoded = extractor.decode(FeatureSequence.load(npz_path(out, video)).feats)
        fps = corpus.video(video).fps
        paths = write_preview(corpus, video, decoded, teacher, out / 'preview', fps, overwrite)
        print(*paths, sep='\n')
        frames = store.header(video).frame_inds
        spans = [(a.start_frame, a.end_frame) for a in actions if a.video == video]
        if spans := [(start, end) for start, end in spans if np.any((frames >= start) & (frames < end))]:
            print(write_strip(corpus, video, decoded, teacher, strip, *spans[0]))

    status = 0
    for video in ready:
        try:
            draw(video)
        except Exception as e:  # any: the other videos are drawn
            print(error_line(e, video), file=sys.stderr)
            status = 1
    if len(ready) < len(videos):
        left = counted(len(videos) - len(ready), 'video')
        print(f'no preview of {left}: other processes are not done with them; run this command again')
    return status


if __name__ == '__main__':
    run_tool(main)
