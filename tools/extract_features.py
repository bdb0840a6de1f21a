#!/usr/bin/env python3
"""Write FeatureSequences: a student's on every crop, a teacher's of poses, a clip network's, or a concatenation.

tools/extract_features.py joints --corpus data/real --poses files
tools/extract_features.py vipe --corpus data/real --poses files [--invert]
tools/extract_features.py VIPE_CONFIG CHECKPOINT --corpus data/real --poses files [--invert]
tools/extract_features.py clips WEIGHTS --network r2plus1d_18 --corpus data/real
tools/extract_features.py CONFIG CHECKPOINT --corpus data/real --out vpd [--preview]
tools/extract_features.py --concat vpd joints --corpus data/real --out concat
"""

import argparse
from pathlib import Path

from vpd_mm.corpus import Corpus, CropStore, FeatureStore
from vpd_mm.engine.cli import ToolParser, launcher_rank, load_config, run_tool
from vpd_mm.errors import UserError


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', nargs='?', help="a config of distillation or VIPE*; 'joints', 'vipe' (packed), 'clips'"
    )
    parser.add_argument(
        'checkpoint', nargs='?', help="the student or VIPE*; for clips the network's weights: path, URL or 'random'"
    )
    parser.add_argument('--corpus', required=True, help='folder of the corpus')
    parser.add_argument('--out', help='name of the run (features/<out>; for joints and VIPE* teacher/<out>)')
    parser.add_argument('--network', default='r2plus1d_18', help='for clips: r2plus1d_18, r3d_18 or mc3_18')
    parser.add_argument('--clip-len', type=int, default=16, help='for clips: frames that the network sees at once')
    parser.add_argument('--stride', type=int, default=4, help='for clips: a feature every so many frames')
    parser.add_argument('--poses', default='files', help='pose set that joints and VIPE* come from')
    parser.add_argument('--invert', action='store_true', help='VIPE*: append the embedding of the pose upside down')
    parser.add_argument('--concat', nargs='+', metavar='RUN', help='stack these runs along D')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1; auto takes a GPU where there is one')
    parser.add_argument('--preview', action='store_true', help='also draw student and teacher (teacher: joints)')
    parser.add_argument('--teacher', default='joints', help='teacher that --preview draws')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
    parser.set_defaults(launcher='none', work_dir=None, local_rank=0)
    return parser


def main(argv=None):
    args = make_parser().parse_args(argv)
    corpus = Corpus.open(args.corpus)
    if args.concat:
        return concat(corpus, args)
    if args.config == 'joints':
        from vpd_mm.features.pose_features import joint_features

        name = args.out or 'joints'
        written = joint_features(corpus, args.poses, name)
        print(f'{corpus.teacher_dir(name)}: {written} written, {count(corpus.teacher_dir(name))} there')
        return 0
    if args.config == 'vipe' and not args.checkpoint:
        from vpd_mm.synthetic.checkpoints import packed_model

        args.config, args.checkpoint = packed_model('vipe')
    if not args.config or not args.checkpoint:
        raise UserError("needs CONFIG and CHECKPOINT, 'joints', 'vipe', 'clips' and WEIGHTS, or --concat; see --help")
    if args.config == 'clips':
        return clips(corpus, args)
    cfg = load_config(args)
    if cfg.get('model', {}).get('type', '').rpartition('.')[2] == 'VIPE':
        return vipe(corpus, cfg, args)
    if args.invert:
        raise UserError(f'--invert: {args.config} is no config of VIPE*')
    return student(corpus, cfg, args)


def concat(corpus, args):
    from vpd_mm.features.feature_extractor import concat_features

    if not args.out:
        raise UserError('--concat needs --out NAME')
    sources = [p if (p := corpus.features_dir(name)).is_dir() else corpus.teacher_dir(name) for name in args.concat]
    written = concat_features(sources, corpus.features_dir(args.out))
    print(f'{corpus.features_dir(args.out)}: {written} written')
    return 0


def vipe(corpus, cfg, args):
    from vpd_mm.engine.model_zoo import pick_device
    from vpd_mm.features.feature_extractor import run_identity
    from vpd_mm.features.pose_features import vipe_features
    from vpd_mm.teacher import VipeFeature, load_encoder

    feature = VipeFeature(load_encoder(cfg, args.checkpoint, pick_device(args.device)), args.invert)
    name = args.out or ('vipe-invert' if args.invert else 'vipe')
    made_by = {**run_identity(cfg, args.checkpoint), 'poses': args.poses, 'invert': args.invert}
    written = vipe_features(corpus, args.poses, feature, made_by, name)
    out = corpus.teacher_dir(name)
    print(f'{out}: {written} written, {count(out)} there, D = {feature.dims}')
    return 0


def count(folder):
    """Videos with features; none where this rank had nothing to do and the others are not done."""
    return sum(1 for _ in folder.glob('*.npz'))


def clips(corpus, args):
    from vpd_mm.baselines import clip_features as cf
    from vpd_mm.engine.model_zoo import pick_device
    from vpd_mm.features.feature_extractor import extract_corpus

    out = corpus.features_dir(cf.run_name(args.network, args.checkpoint, args.out))
    device = pick_device(args.device)
    settings = {'clip_len': args.clip_len, 'stride': args.stride}
    extractor = cf.ClipFeatureExtractor(
        args.network, args.checkpoint, device, batch_size=args.batch_size, half=device.startswith('cuda'), **settings
    )
    made_by = cf.clip_run_identity(args.network, args.checkpoint, **settings)

    from rich.progress import track

    rank, world_size = launcher_rank()
    written = extract_corpus(
        extractor, corpus, out, made_by, rank, world_size, lambda videos: track(videos, f'clips of {corpus.name}')
    )
    print(f'{out}: {written} videos written, {count(out)} there, D = {extractor.dims}')
    return 0


def student(corpus, cfg, args):
    from vpd_mm.engine.model_zoo import pick_device
    from vpd_mm.features import feature_extractor as fx

    rank, world_size = launcher_rank()
    device = pick_device(args.device)
    half = device.startswith('cuda')
    extractor = fx.build_extractor(cfg, args.checkpoint, device=device, batch_size=args.batch_size, half=half)
    out = corpus.features_dir(args.out or Path(cfg.filename).stem)
    made_by = fx.run_identity(cfg, args.checkpoint)

    from rich.progress import track

    written = fx.extract_corpus(
        extractor, corpus, out, made_by, rank, world_size, lambda videos: track(videos, f'features of {corpus.name}')
    )
    print(f'{out}: {written} videos written, {count(out)} there, D = {extractor.model.student.out_dims}')
    if args.preview and rank == 0:
        preview(corpus, args, extractor, out)
    return 0


def preview(corpus, args, extractor, out):
    from vpd_mm.features.preview import write_preview, write_strip
    from vpd_mm.structures import FeatureSequence, load_actions
    from vpd_mm.teacher import JointFeature

    teacher = FeatureStore(corpus.teacher_dir(args.teacher))
    if teacher.dims != JointFeature.dims or extractor.model.student.out_dims != JointFeature.dims:
        raise UserError(f'--preview draws 2D joints (D = {JointFeature.dims}); student or teacher has another D')
    store = CropStore(corpus.crops_dir)
    actions = load_actions(corpus.actions_path) if corpus.actions_path.is_file() else []
    videos = [video for video in store.videos() if video in teacher and len(store.header(video))]
    ready = [video for video in videos if (out / f'{video}.npz').is_file()]  # other ranks may still be at theirs
    for video in ready:
        decoded = extractor.decode(FeatureSequence.load(out / f'{video}.npz').feats)
        paths = write_preview(store, video, decoded, teacher[video], out / 'preview', corpus.video(video).fps)
        print(*paths, sep='\n')
        # of the first action, where there are labels, a picture with the frames side by side
        seen = set(store.header(video).frame_inds.tolist())
        mine = [a for a in actions if a.video == video and seen & set(range(a.start_frame, a.end_frame))]
        if mine:
            path = out / 'preview' / f'{video}_action.jpg'
            span = mine[0].start_frame, mine[0].end_frame
            print(write_strip(store, video, decoded, teacher[video], path, *span))
    if len(ready) < len(videos):
        others = len(videos) - len(ready)
        print(f'no preview of {others} videos: other processes are not done with them; run this command again')


if __name__ == '__main__':
    run_tool(main)
