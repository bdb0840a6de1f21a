#!/usr/bin/env python3
"""Run a student on videos: athlete, features of every frame, video with the decoded skeleton, optional labels.

python tools/infer.py my_videos/run.mp4 --student work_dirs/RUN
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, add_track_argument, error_line, run_tool
from vpd_mm.errors import UserError


def make_parser() -> ToolParser:
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('inputs', nargs='+', metavar='INPUT', help='video, folder of videos or of images, or camera:0')
    add(
        '--student',
        metavar='RUN_FOLDER',
        help='run folder of a distillation, .onnx file, or CONFIG:CHECKPOINT (default: the only one here)',
    )
    add(
        '--boxes',
        help="mmdet:<config>[:<checkpoint>], mediapipe, full, or a folder of box files; default: as in the student's "
        'corpus, else mmdet:rtmdet-m',
    )
    rules = "rules of the tracker (default: the student's), listed by prepare --help; with --online also "
    add_track_argument(parser, rules + 'memory_seconds=2, switch_margin=0.1')
    add('--recognizer', metavar='RUN_FOLDER', help='label the actions; run folder, .onnx or CONFIG:CHECKPOINT')
    add('--scorer', metavar='RUN_FOLDER', help='find the actions; as --recognizer, or CONFIG:CHECKPOINT,...')
    add('--threshold', type=float, help='threshold of the scorer (default: chosen by its training, else 0.5)')
    add('--gallery', metavar='CORPUS:FEATURES[:SPLIT]', help='labelled actions to search for neighbours')
    add('--top', type=int, help='neighbours per interval (default: 5)')
    add('--out', default='runs/infer', help='folder of json, npz and mp4 files (default: runs/infer)')
    add_overwrite_argument(parser)
    add('--no-video', action='store_true', help='write no video')
    add('--no-film', action='store_true', dest='without_video', help=argparse.SUPPRESS)
    add('--show', action='store_true', help='show the frames in a window')
    add('--online', action='store_true', help='one pass, the athlete is chosen in every frame')
    own = "(default: as in the student's corpus)"
    add('--fps', type=float, help=f'rate to which files are resampled {own}')
    add('--size', type=int, help=f'side of the crops, px {own}')
    add('--flow', help=f'flow method {own}')
    add('--flow-checkpoint', help='weights of raft')
    help_text = f'subtract the camera motion {own}'
    add('--subtract-median', action=argparse.BooleanOptionalAction, default=None, help=help_text)
    add('--batch-size', type=int, default=64, help='crops per forward pass (default: 64)')
    add('--device', default='auto', help='cpu, cuda, cuda:1; auto: a GPU where there is one')
    return parser


def main(argv=None):
    args = make_parser().parse_args(argv)
    if args.without_video:
        warnings.warn('--no-film is deprecated since 0.2, removed in 0.3; use --no-video', DeprecationWarning, 1)
    for name, needed in (('threshold', 'scorer'), ('top', 'gallery')):
        if getattr(args, name) is not None and not getattr(args, needed):
            raise UserError(f'--{name}: changes nothing without --{needed}; leave it out')
    args.video_dir = '' if args.no_video or args.without_video else args.out
    from vpd_mm.engine.config import parse_options
    from vpd_mm.infer.frame_source import list_inputs
    from vpd_mm.infer.overlay import check_display
    from vpd_mm.infer.results import check_outputs
    from vpd_mm.infer.vpd_inferencer import VPDInferencer, only_student

    student = args.student
    if not student:
        student = only_student()
        print(f'student: {student} (the only one in work_dirs and runs; --student selects another)')
    inputs = list_inputs(args.inputs, [args.out])
    check_outputs(inputs, args.video_dir, args.out, args.overwrite)  # all of them: each call below sees one
    if args.show:
        check_display()
    inferencer = VPDInferencer(
        student,
        boxes=args.boxes,
        recognizer=args.recognizer,
        scorer=args.scorer,
        threshold=args.threshold,
        gallery=args.gallery,
        top=5 if args.top is None else args.top,
        device=args.device,
        tracker=parse_options('--track', args.track),
        crop_size=args.size,
        flow=args.flow,
        flow_checkpoint=args.flow_checkpoint,
        subtract_median=args.subtract_median,
        batch_size=args.batch_size,
        show_progress=True,
        overwrite=args.overwrite,
    )
    inferencer.load_detector()
    failures = 0
    for name, item in inputs.items():
        try:
            if isinstance(item, UserError):
                raise item
            infer_one(inferencer, item, args)
        except Exception as e:  # any: the other inputs continue
            if len(inputs) == 1 or args.debug:
                raise
            failures += 1
            print(error_line(e, name), file=sys.stderr)
    return 1 if failures else 0


def infer_one(inferencer, item, args) -> None:
    from vpd_mm.retrieve import NO_PATH

    start = time.monotonic()
    results = inferencer(
        item,
        return_datasamples=True,
        fps=args.fps,
        online=args.online,
        show=args.show,
        vis_out_dir=args.video_dir,
        pred_out_dir=args.out,
    )
    seconds = time.monotonic() - start
    for sample in results['predictions']:
        share = len(sample.track) / max(sample.num_frames, 1)
        print(
            f'{sample.name}: {sample.num_frames} frames, athlete in {len(sample.track)} ({share:.0%}), '
            f'D = {sample.features.dims}, {sample.mode}'
        )
        for segment in sample.segments:
            print(f'  {segment.summary(sample.times)}')
        if any(n['step_pattern'] == 'symmetric2' for segment in sample.segments for n in segment.neighbours[:3]):
            print(f'  * {NO_PATH}')
        print(f'  {Path(args.out) / sample.name}.json, tracks/ and features/{sample.name}.npz')
    frames, [video] = results['predictions'][0].num_frames, results['visualization']
    print(
        f'{frames} frames in {seconds:.1f} s, {frames / seconds:.1f} frames/s' + (f'; video {video}' if video else '')
    )


if __name__ == '__main__':
    run_tool(main)
