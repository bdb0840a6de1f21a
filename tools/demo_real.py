#!/usr/bin/env python3
"""Run the chain on a real video: a wall flip and MediaPipe as the teacher, both from PyPI.

tools/demo_real.py    # runs/demo-real/report.html

Every step skips what exists: the same command resumes a stopped run.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.engine.cli import ToolParser, log_output, num_cores, run_tool
from vpd_mm.engine.config import read_config
from vpd_mm.engine.console import PlainConsole
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.paths import resource_dir
from vpd_mm.engine.run import test, train_once
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_source
from vpd_mm.features.preview import LEGEND, preview_panels
from vpd_mm.files import atomic_write, list_folder, read_json
from vpd_mm.infer.vpd_inferencer import VPDInferencer
from vpd_mm.quickstart import Steps
from vpd_mm.quickstart.page import write_page
from vpd_mm.quickstart.steps import Result, once, write_json
from vpd_mm.quickstart.verdicts import judge_targets
from vpd_mm.structures import AthleteTrack
from vpd_mm.visualize.panels import evenly_spread
from vpd_mm.visualize.plots import training_figure
from vpd_mm.visualize.report import (
    Block,
    Code,
    Gallery,
    Image,
    Legend,
    Section,
    Table,
    Text,
    animation,
    figure_uri,
    file_uri,
    image_uri,
    write_report,
)

VIDEO_WHEEL, POSE_WHEELS = 'sports2d==0.8.34', ('mediapipe==0.10.21', 'attrs', 'flatbuffers', 'absl-py')
VIDEO, CONFIG = 'wall_flip', 'configs/distill/resnet18_2d-vpd-rotation_40e_real.py'
#: Path and SHA-256 of the video in its wheel, and boxes at key frames.
BOXES = Path(__file__).parent / 'demo_parts' / 'real_boxes.json'
TITLE = 'Video Pose Distillation: a real video'
LEAD = (
    'An athlete warms up on a wall, then flips off it in front of a low sun, where the pose estimator misses him. A '
    'student network learns from the other frames and describes all of them.'
)
ABOUT = (
    'Video: Sports2D by D. Pagnon (BSD-3), from its wheel on PyPI. Boxes: key frames annotated by hand. '
    'Poses: MediaPipe BlazePose. Turned crops (CropRotation) teach the student upside-down poses, which the estimator '
    'rarely detects; the paper does without them, on hours of video.'
)
NEXT = f"""# your own video: the same steps
python tools/prepare.py my_videos/ --out data/real
python tools/extract_features.py joints --corpus data/real
python tools/train.py {CONFIG}
python tools/extract_features.py work_dirs/... --corpus data/real --out vpd --preview"""


def run_real(root: Path, epochs: int, wheels: Path | None, device: str, jobs: int, console: PlainConsole) -> Path:
    """Run all steps; write ``results.json``, ``flip.webp``, ``overlay/*.mp4``, ``report.html``; returns ``root``."""
    if wheels is not None and not wheels.is_dir():
        raise UserError(f'--wheels {wheels}: no such folder')
    on_change = partial(write_page, root / 'report.html', TITLE, LEAD)
    step = Steps(root, 'demo', {'demo': 'real', 'epochs': epochs}, console, on_change)
    device = pick_device(device)
    video, site = root / 'videos' / f'{VIDEO}.mp4', root / 'site'
    with step('video', 'get a video from PyPI', 'A real flip, in which a pose estimator misses the athlete.'):
        if not video.is_file():
            get_video(video, root / 'wheels', wheels)
    with step('estimator', 'get a pose estimator from PyPI', 'MediaPipe is the teacher of this demonstration.'):
        if not (site / 'mediapipe').is_dir():
            pip('install', '--upgrade', '--target', str(site), *POSE_WHEELS, wheels=wheels)
    text = 'The later steps read small images around the athlete, their motion and the poses of the teacher.'
    with step('prepare', 'store crops and flow, estimate poses', text):
        key_frame_track().save(root / 'boxes' / f'{VIDEO}.npz')
        corpus = prepare(video, root, site)
    command = ['extract_features', 'joints', '--corpus', corpus.root]
    text = 'They are the target of the student.'
    step.tool('joints', 'normalise the joints of the teacher', text, command, lambda: judge_targets(corpus.root))
    cfg = read_config(CONFIG)
    cfg.merge_from_dict({f'{part}_dataloader.dataset.corpus': str(corpus.root) for part in ('train', 'val', 'test')})
    cfg.merge_from_dict({'log_level': 'WARNING', 'train_cfg.max_epochs': epochs})
    torch.set_num_threads(jobs)
    text = 'A network learns the poses of confident frames from crop and flow.'
    with step('distil', 'distil the student', text) as on_progress:
        checkpoint = train_once(cfg, root / 'work' / f'distill-{settings_digest(cfg)}', on_progress)
        metrics = once(checkpoint.parent / 'test.json', lambda: test(cfg, checkpoint))
    text = 'The student describes every frame, also where the teacher has no pose.'
    with step('student', 'extract the features of every frame', text):
        extractor = build_extractor(cfg, checkpoint, device=device, half=device != 'cpu')
        out = corpus.features_dir('vpd')
        extract_corpus(extractor, corpus, out, run_source(cfg, checkpoint), overwrite=True)
    text = 'Poses of teacher and student are fused over time, each by its noise.'
    command = ['repair_poses', '--corpus', corpus.root, '--poses', 'mediapipe', '--student', checkpoint.parent]
    command += ['--device', device, '--overwrite']
    step.tool('repair', 'repair the poses of the estimator', text, command, lambda: Result(None))
    overlay = root / 'overlay' / f'{VIDEO}.mp4'
    with step('overlay', 'draw the student into the video', 'The result can be judged by eye.'):
        inferencer = VPDInferencer(cfg, checkpoint, device=device)
        inferencer(str(video), bboxes=key_frame_track(), vis_out_dir=str(overlay.parent))
    features, teacher = FeatureStore(out)[VIDEO], FeatureStore(corpus.teacher_dir('joints'))[VIDEO]
    filled = np.setdiff1d(features.frame_inds, teacher.frame_inds).tolist()
    crops = epochs * cfg.train_dataloader.sampler.num_samples
    results = {'frames': corpus.video(VIDEO).num_frames, 'crops': len(features), 'teacher': len(teacher)}
    write_json(root / 'results.json', {**results, 'filled': filled, 'seconds': step.seconds})

    decoded = extractor.decode(features.feats)

    def panels(frame_inds: Iterable[int], side: int = 240) -> Iterator[list[np.ndarray]]:
        only = set(frame_inds)
        return preview_panels(corpus, VIDEO, decoded, only=only, side=side, repaired='mediapipe-repaired')

    curves = training_figure(checkpoint.parent, 'loss', 'distill/sq_error', 'squared error')
    error = f'{metrics["distill/joint_error"]:.3f} torso sizes'
    summary = [
        Text(
            f'Done: a video of {results["frames"]} frames was prepared, and a student learned from the poses of the '
            f'estimator in {crops:,} crops.'
        ),
        Text(
            f'Result: the estimator has a pose in {len(teacher)} of {len(features)} frames with a crop; the student '
            f'fills in the other {len(filled)}. On held-out frames, its joints are {error} from those of the estimator.'
        ),
        Text('Next: start with your own videos; the commands are in "Next steps".'),
    ]
    flip: list[Block] = []
    if filled:
        shown = [filled[i] for i in evenly_spread(len(filled), 6)]
        images = [Image(image_uri(np.concatenate(rows))) for rows in panels(shown)]
        flip += [Gallery(images, 240, 'Frames that are filled in: crop, estimator, student, repaired.'), Legend(LEGEND)]
        gap = range(filled[0] - 15, filled[-1] + 16)
        with atomic_write(root / 'flip.webp') as f:
            f.write(animation((np.concatenate(columns[1:], axis=1) for columns in panels(gap, 160)), 12.5))
        flip.append(Image(file_uri(root / 'flip.webp'), 'From the first to the last of them, slowly.'))
    flip.append(Image(file_uri(overlay), 'The poses of the student, in every frame with a box.'))
    numbers = [
        ('crops seen in training', f'{crops:,}'),
        ('joint error to the teacher, held-out frames', error),
        ('joints within 0.2 torso sizes of the teacher, held-out frames', f'{metrics["distill/pck"]:.0%}'),
        *((f'seconds: {name}', f'{value:.0f}') for name, value in step.seconds.items()),
    ]
    note = 'There is no ground truth for the filled frames: their quality can only be judged by eye.'
    training = [Table(('', ''), numbers), Text(note), Image(figure_uri(curves), 'Training of the student.')]
    sections = [
        Section('Summary', summary),
        Section('The flip', flip),
        Section('Training', training),
        Section('Sources', [Text(ABOUT)]),
    ]
    sections.append(Section('Next steps', [Code(NEXT)]))
    write_report(root / 'report.html', TITLE, LEAD, sections)
    return root


def pip(*arguments: str, wheels: Path | None) -> None:
    """Run pip on wheels of PyPI, or of a folder.

    Raises:
        UserError: pip fails.
    """
    source = ['--no-index', '--find-links', str(wheels)] if wheels is not None else []
    command = [sys.executable, '-m', 'pip', arguments[0], '--quiet', '--no-deps', *source, *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  pip, with names of this file
    if done.returncode:
        wanted = ' '.join(word for word in arguments[1:] if '==' in word)
        last = ([''] + [line for line in done.stderr.splitlines() if line.startswith('ERROR')])[-1]
        raise UserError(
            f'pip cannot get {wanted} ({last}); fetch it elsewhere with "pip download --no-deps" and pass --wheels '
            'FOLDER (mediapipe==0.10.21 has wheels for Python 3.10 to 3.12); make demo needs no download'
        )


def get_video(path: Path, folder: Path, wheels: Path | None) -> None:
    """Download the wheel and read the video out of it; the package is neither installed nor imported.

    Raises:
        UserError: there is no wheel, or it holds another video.
    """
    pip('download', '--dest', str(folder), VIDEO_WHEEL, wheels=wheels)
    source = read_json(BOXES, 'check it out again')
    with zipfile.ZipFile(list_folder(folder, 'sports2d-*.whl')[0]) as archive, archive.open(source['video']) as file:
        data = file.read(64 << 20)
    if hashlib.sha256(data).hexdigest() != source['sha256']:
        raise UserError(f'{folder}: {source["video"]} is another video than the annotated one; delete the folder')
    with atomic_write(path) as f:
        f.write(data)


def key_frame_track() -> AthleteTrack:
    """The boxes of the key frames, linearly interpolated."""
    keys = np.array(read_json(BOXES, 'check it out again')['boxes'], np.float64)
    inds = np.arange(int(keys[-1, 0]) + 1)
    boxes = np.stack([np.interp(inds, keys[:, 0], keys[:, side]) for side in range(1, 5)], axis=1)
    return AthleteTrack(inds.astype(np.int64), boxes.astype(np.float32), np.ones(len(inds), np.float32))


def prepare(video: Path, root: Path, site: Path) -> Corpus:
    """Call tools/prepare.py in a process that can import MediaPipe from ``site``."""
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get('PYTHONPATH', ''), str(site)]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    command = [sys.executable, resource_dir() / 'tools' / 'prepare.py', video, '--out', root / 'corpus']
    command += ['--boxes', root / 'boxes', '--poses', 'mediapipe']
    words = [str(word) for word in command]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, env=environment)  # noqa: S603  our own tool
    if done.returncode:
        raise UserError(f'prepare: {(done.stderr.strip().splitlines() or ["no output"])[-1].removeprefix("error: ")}')
    return Corpus.open(root / 'corpus')


def main(argv: Sequence[str] | None = None) -> int:
    parser = ToolParser(__doc__)
    parser.add_argument('--out', type=Path, default=Path('runs/demo-real'), help='folder of the run')
    parser.add_argument('--epochs', type=int, default=40, help='epochs of distillation, 2,000 crops each')
    parser.add_argument('--wheels', type=Path, help='folder of wheels (default: pip downloads them)')
    parser.add_argument('--jobs', type=int, default=min(num_cores(), 8), help='threads (default: one per core)')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda')
    parser.add_argument('--seed', type=int, help=argparse.SUPPRESS)  # accepted as by older versions; the config has one
    args = parser.parse_args(argv)
    if args.epochs < 1 or args.jobs < 1:
        raise UserError(f'--epochs and --jobs must be 1 or more, found {args.epochs} and {args.jobs}')
    with log_output(Path('runs/demo-real.log')) as console:
        root = run_real(args.out, args.epochs, args.wheels, args.device, args.jobs, console)
    print(root / 'results.json', root / 'overlay' / f'{VIDEO}.mp4', root / 'report.html', sep='\n')
    return 0


if __name__ == '__main__':
    run_tool(main)
