#!/usr/bin/env python3
"""Run a student on videos: athlete, features of every frame, film with the decoded skeleton; labels when asked.

tools/infer.py jump.mp4 --student configs/distill/x.py:work_dirs/x/epoch_40.pth
tools/infer.py videos/ --recognizer CONFIG:CHECKPOINT --scorer CONFIG:CHECKPOINT --gallery data/jumps:vpd
tools/infer.py camera:0 --show
"""

import argparse
import sys
import time
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, error_line, parse_rules, run_tool
from vpd_mm.errors import UserError

#: Where a student is looked for when none is named.
PLACES = ('work_dirs', 'runs')


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='video, folder of videos or of pictures, camera:0 (a number)'
    )
    parser.add_argument(
        '--student',
        metavar='CONFIG:CHECKPOINT',
        help=f'distillation config and its checkpoint (.onnx: onnxruntime); default: newest in {", ".join(PLACES)}',
    )
    parser.add_argument(
        '--boxes', help='mmdet:<config>[:<checkpoint>], full, or a folder of box files; default: the packed detector'
    )
    parser.add_argument('--track', nargs='+', default=[], metavar='RULE=VALUE', help='rules that choose the athlete')
    parser.add_argument('--recognizer', metavar='CONFIG:CHECKPOINT', help='says what action it is')
    parser.add_argument('--scorer', metavar='CONFIG:CHECKPOINT[,...]', help='says where actions are')
    parser.add_argument('--threshold', type=float, default=0.5, help='of the scorer (default 0.5)')
    parser.add_argument('--gallery', metavar='CORPUS:FEATURES[:SPLIT]', help='labelled actions to compare with')
    parser.add_argument('--top', type=int, default=5, help='neighbours of each interval (default 5)')
    parser.add_argument('--out', default='runs/infer', help='folder of json, npz and films (default runs/infer)')
    parser.add_argument('--no-film', action='store_true', help='write no film')
    parser.add_argument('--show', action='store_true', help='show the frames in a window')
    parser.add_argument('--online', action='store_true', help='one pass, the athlete chosen in every frame')
    parser.add_argument('--fps', type=float, help='resample files to it')
    parser.add_argument('--size', type=int, default=128, help="side of the crops, px, as in the student's corpus")
    parser.add_argument('--flow', default='dis', help="flow method, as in the student's corpus (default dis)")
    parser.add_argument('--flow-checkpoint', help='weights of raft')
    parser.add_argument('--subtract-median', action='store_true', help="as in the student's corpus")
    parser.add_argument('--batch-size', type=int, default=64, help='crops a forward pass (default 64)')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda')
    return parser


def newest_student() -> tuple[str, str]:
    """Config and checkpoint of the last distillation that was run here."""
    runs = [note for place in PLACES for note in Path(place).rglob('last_checkpoint')]
    for note in sorted(runs, key=lambda p: p.stat().st_mtime, reverse=True):
        checkpoint = note.parent / Path(note.read_text(encoding='utf-8').strip()).name
        configs = [p for p in note.parent.glob('*.py') if 'PoseDistiller' in p.read_text(encoding='utf-8')]
        if checkpoint.is_file() and configs:
            return str(configs[0]), str(checkpoint)
    raise UserError(
        f'no student: none was trained in {" or ".join(PLACES)}; pass --student CONFIG:CHECKPOINT (tools/train.py with '
        'a config of configs/distill makes one)'
    )


def main(argv=None):
    args = make_parser().parse_args(argv)
    from vpd_mm.engine.model_files import split_spec
    from vpd_mm.infer.frame_source import list_inputs
    from vpd_mm.infer.results import check_outputs

    if args.student:
        config, [checkpoint, *_] = split_spec(args.student, 'student')
    else:
        config, checkpoint = newest_student()
        print(f'student: {checkpoint} (the newest here; --student takes another)')
    if not args.boxes:
        print('boxes: by the packed detector, which knows the synthetic sport; --boxes mmdet:CONFIG for real film')
    inputs = list_inputs([int(item) if item.isdigit() else item for item in args.inputs], [args.out])
    check_outputs(inputs, '' if args.no_film else args.out, args.out)  # over all: each call below sees one of them
    if args.show:
        from vpd_mm.infer.overlay import check_display

        check_display()

    from vpd_mm.infer.vpd_inferencer import VPDInferencer

    inferencer = VPDInferencer(
        config,
        checkpoint,
        boxes=args.boxes,
        recognizer=args.recognizer,
        scorer=args.scorer,
        threshold=args.threshold,
        gallery=args.gallery,
        top=args.top,
        backend='onnxruntime' if checkpoint.endswith('.onnx') else 'torch',
        device=args.device,
        tracker=parse_rules(args.track),
        crop_size=args.size,
        flow=args.flow,
        flow_checkpoint=args.flow_checkpoint,
        subtract_median=args.subtract_median,
        batch_size=args.batch_size,
        show_progress=sys.stderr.isatty(),
    )
    inferencer.load_detector()
    failures = 0
    for item in inputs:
        try:
            infer_one(inferencer, item, args)
        except UserError as e:
            if len(inputs) == 1:
                raise
            failures += 1
            print(error_line(e), file=sys.stderr)
    return 1 if failures else 0


def infer_one(inferencer, item, args) -> None:
    start = time.monotonic()
    found = inferencer(
        item,
        return_datasamples=True,
        fps=args.fps,
        online=args.online,
        show=args.show,
        vis_out_dir='' if args.no_film else args.out,
        pred_out_dir=args.out,
    )
    seconds = time.monotonic() - start
    for sample in found['predictions']:
        share = len(sample.track) / max(sample.num_frames, 1)
        print(
            f'{sample.name}: {sample.num_frames} frames, athlete in {len(sample.track)} ({share:.0%}), '
            f'D = {sample.features.dims}, {sample.mode}'
        )
        for segment in sample.segments:
            print(f'  {describe(segment, sample.fps)}')
        print(f'  {Path(args.out) / sample.name}.json, tracks/ and features/{sample.name}.npz')
    frames = found['predictions'][0].num_frames
    film = found['visualization'][0]
    print(f'{frames} frames in {seconds:.1f} s, {frames / seconds:.1f} frames/s' + (f'; film {film}' if film else ''))


def describe(segment, fps: float) -> str:
    """One line of an interval."""
    text = f'{segment.start_frame / fps:8.2f} to {segment.end_frame / fps:8.2f} s'
    if segment.score is not None:
        text += f'  {segment.scored_class or "action"} {segment.score:.2f}'
    if segment.label is not None:
        text += f'  {segment.label} {segment.label_score:.2f}'
    if segment.neighbours:
        near = ', '.join(f'{n["label"]} ({n["action_id"]}, {n["distance"]:.3f})' for n in segment.neighbours[:3])
        text += f'  like {near}'
    return text


if __name__ == '__main__':
    run_tool(main)
