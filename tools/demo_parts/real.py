"""The demonstration on a real video: a wall flip, boxes of this project, and MediaPipe as the teacher."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from demo_parts.steps import Steps, measure, train, training_curves, write_json
from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.engine.config import read_config
from vpd_mm.engine.model_zoo import pick_device
from vpd_mm.engine.paths import resource_dir
from vpd_mm.errors import UserError
from vpd_mm.features.feature_extractor import build_extractor, extract_corpus, run_identity
from vpd_mm.features.pose_features import joint_features
from vpd_mm.structures import AthleteTrack, atomic_write
from vpd_mm.teacher.joint_feature import VPD_JOINTS
from vpd_mm.visualize.panels import draw_text, evenly_spread, grid, resize
from vpd_mm.visualize.plots import curves_figure
from vpd_mm.visualize.report import Code, Image, Section, Table, Text, figure_uri, file_uri, image_uri, write_report
from vpd_mm.visualize.skeleton import draw_skeleton
from vpd_mm.visualize.video_writer import VideoWriter

VIDEO_WHEEL, POSE_WHEELS = 'sports2d==0.8.34', ('mediapipe==0.10.21', 'attrs', 'flatbuffers', 'absl-py')
VIDEO, CONFIG = 'wall_flip', 'configs/distill/resnet18_2d-vpd-rotation_40e_real.py'
#: Path and SHA-256 of the video in its wheel, and boxes at key frames.
BOXES = Path(__file__).with_name('real_boxes.json')
TEACHER, STUDENT, STUDENT_ALONE, HEIGHT = (255, 255, 255), (60, 210, 120), (255, 150, 30), 496
LEAD = (
    'An athlete warms up on a wall, then flips off it in front of a low sun, where the pose estimator misses him. A '
    'student network learns from the other frames and describes all of them.'
)
ABOUT = (
    'Video: Sports2D by D. Pagnon (BSD-3), from its wheel on PyPI. Boxes: key frames annotated by hand for this project. '
    'Poses: MediaPipe BlazePose. Turned crops (CropRotation) teach the student upside-down poses, which the estimator '
    'rarely detects; the paper does without them, on hours of video.'
)
NEXT = f"""# your own video: boxes (or --boxes mmdet:...), poses, then the same steps
python tools/prepare.py my_videos/ --out data/real --boxes my_boxes/ --poses my_poses/
python tools/extract_features.py joints --corpus data/real --poses files
python tools/train.py {CONFIG}
python tools/extract_features.py {CONFIG} work_dirs/.../epoch_40.pth --corpus data/real --out vpd --preview"""


def run_real(root: Path, epochs: int, wheels: Path | None, device: str, jobs: int, console: Console) -> Path:
    """Run all steps and write ``results.json``, ``overlay.mp4`` and ``report.html``; returns ``root``."""
    if wheels is not None and not wheels.is_dir():
        raise UserError(f'--wheels {wheels}: no such folder')
    step, device = Steps(root, {'demo': 'real', 'epochs': epochs}, console), pick_device(device)
    video, site = root / 'videos' / f'{VIDEO}.mp4', root / 'site'
    with step('video', 'get a video from PyPI'):
        if not video.is_file():
            get_video(video, root / 'wheels', wheels)
    with step('estimator', 'get a pose estimator from PyPI'):
        if not (site / 'mediapipe').is_dir():
            pip('install', '--upgrade', '--target', str(site), *POSE_WHEELS, wheels=wheels)
    with step('prepare', 'store crops and flow, estimate poses'):
        key_frame_track().save(root / 'boxes' / f'{VIDEO}.npz')
        corpus = prepare(video, root, site)
    with step('joints', 'normalise the joints of the teacher'):
        joint_features(corpus, 'mediapipe', 'joints')
    cfg = read_config(CONFIG)
    cfg.merge_from_dict({f'{part}_dataloader.dataset.corpus': str(corpus.root) for part in ('train', 'val', 'test')})
    cfg.merge_from_dict({'log_level': 'WARNING', 'train_cfg.max_epochs': epochs, 'param_scheduler.T_max': epochs})
    torch.set_num_threads(jobs)
    with step('distil', 'distil the student') as on_progress:
        checkpoint = train(cfg, root / 'work' / 'distill', on_progress)
        metrics = measure(cfg, checkpoint)
    with step('student', 'extract the features of every frame'):
        extractor = build_extractor(cfg, checkpoint, device=device, half=device != 'cpu')
        out = corpus.features_dir('vpd')
        extract_corpus(extractor, corpus, out, run_identity(cfg, checkpoint))
    features, poses = FeatureStore(out)[VIDEO], corpus.poses('mediapipe', VIDEO)
    filled = [int(i) for i in np.setdiff1d(features.frame_inds, poses.frame_inds)]
    crops = epochs * cfg.train_dataloader.sampler.num_samples
    results = {'frames': corpus.video(VIDEO).num_frames, 'crops': len(features), 'teacher': len(poses), 'filled': filled}
    write_json(root / 'results.json', {**results, 'seconds': step.seconds})
    tiles = write_overlay(root / 'overlay.mp4', corpus, extractor.decode(features.feats), filled)
    flip = [
        Image(file_uri(root / 'overlay.mp4'), 'White: estimator. Green: student. Orange: student where the estimator has no pose.'),
        Text(f'The estimator has a pose in {len(poses)} of {len(features)} frames with a box; {len(filled)} are filled in.'),
    ]
    if tiles:
        caption = f'Filled in: frames {", ".join(map(str, tiles))}.'
        flip.append(Image(image_uri(grid(list(tiles.values()), 4)), caption))
    numbers = [
        ('crops seen in training', f'{crops:,}'),
        ('joint error to the teacher, held-out frames', f'{metrics["joint_error"]:.3f} torso sizes'),
        ('joints within 0.2 torso sizes of the teacher, held-out frames', f'{metrics["pck"]:.0%}'),
        *((f'seconds: {name}', f'{value:.0f}') for name, value in step.seconds.items()),
    ]
    curves = Image(figure_uri(curves_figure(training_curves(checkpoint.parent), 'squared error')), 'Training of the student.')
    note = Text('There is no ground truth for the filled frames, so their quality can only be judged by eye.')
    sections = [Section('The flip', flip), Section('Training', [Table(('', ''), numbers), note, curves])]
    sections += [Section('Sources', [Text(ABOUT)]), Section('Next steps', [Code(NEXT)])]
    write_report(root / 'report.html', 'Video Pose Distillation: a real video', LEAD, sections)
    return root


def pip(*arguments: str, wheels: Path | None) -> None:
    """Run pip on wheels of PyPI, or of a folder.

    Raises:
        UserError: pip fails.
    """
    source = ['--no-index', '--find-links', str(wheels)] if wheels is not None else []
    command = [sys.executable, '-m', 'pip', arguments[0], '--quiet', '--no-deps', *source, *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        wanted = ' '.join(word for word in arguments[1:] if '==' in word)
        last = ([''] + [line for line in done.stderr.splitlines() if line.startswith('ERROR')])[-1]
        raise UserError(
            f'pip cannot get {wanted} ({last}); fetch it elsewhere with "pip download --no-deps" and pass --wheels '
            'FOLDER; make demo needs no download'
        )


def get_video(path: Path, folder: Path, wheels: Path | None) -> None:
    """Download the wheel and read the video out of it; the package is neither installed nor imported.

    Raises:
        UserError: there is no wheel, or it holds another video.
    """
    pip('download', '--dest', str(folder), VIDEO_WHEEL, wheels=wheels)
    source = json.loads(BOXES.read_text(encoding='utf-8'))
    with zipfile.ZipFile(next(folder.glob('sports2d-*.whl'))) as archive, archive.open(source['video']) as file:
        data = file.read(64 << 20)
    if hashlib.sha256(data).hexdigest() != source['sha256']:
        raise UserError(f'{folder}: {source["video"]} is another video than the annotated one; delete the folder')
    with atomic_write(path) as f:
        f.write(data)


def key_frame_track() -> AthleteTrack:
    """The boxes of the key frames, linearly interpolated."""
    keys = np.array(json.loads(BOXES.read_text(encoding='utf-8'))['boxes'], np.float64)
    inds = np.arange(int(keys[-1, 0]) + 1)
    boxes = np.stack([np.interp(inds, keys[:, 0], keys[:, side]) for side in range(1, 5)], axis=1)
    return AthleteTrack(inds.astype(np.int64), boxes.astype(np.float32), np.ones(len(inds), np.float32))


def prepare(video: Path, root: Path, site: Path) -> Corpus:
    """Call tools/prepare.py in a process that can import MediaPipe from ``site``."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get('PYTHONPATH', ''), str(site)]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    command = [sys.executable, resource_dir() / 'tools' / 'prepare.py', video, '--out', root / 'corpus']
    command += ['--boxes', root / 'boxes', '--poses', 'mediapipe']
    done = subprocess.run([str(word) for word in command], stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise UserError(f'prepare: {(done.stderr.strip().splitlines() or ["no output"])[-1].removeprefix("error: ")}')
    return Corpus.open(root / 'corpus')


def write_overlay(path: Path, corpus: Corpus, decoded: np.ndarray, filled: list[int]) -> dict[int, np.ndarray]:
    """Write the video with the poses of teacher and student; returns squares around the athlete in filled frames.

    Args:
        path: The mp4.
        corpus: Of the video.
        decoded: (T, 26) poses of the student on the frames with a box.
        filled: Frames without a pose of the teacher.
    """
    track, poses = corpus.track(VIDEO), corpus.poses('mediapipe', VIDEO)
    teacher = FeatureStore(corpus.teacher_dir('joints'))[VIDEO]
    placed = place_poses(decoded, track.boxes, box_margin(poses, teacher.feats[:, 0], track))
    reader = VideoReader(corpus.video(VIDEO).path)
    scale, seen = HEIGHT / reader.height, {int(i): row for row, i in enumerate(poses.frame_inds)}
    chosen, tiles = {filled[i] for i in evenly_spread(len(filled), 12)}, {}
    with VideoWriter(path, reader.fps, {'crf': '26', 'movflags': 'faststart'}) as writer:
        for frame_ind, rgb in reader:
            image, text = resize(rgb, HEIGHT), 'none'
            if frame_ind in seen:
                keypoints, scores = (values[seen[frame_ind], VPD_JOINTS] for values in (poses.keypoints, poses.scores))
                draw_skeleton(image, keypoints * scale, thickness=1, colour=TEACHER)
                text = f'{scores.mean():.2f}'
            row = int(np.searchsorted(track.frame_inds, frame_ind))
            if row < len(placed):
                colour = STUDENT if frame_ind in seen else STUDENT_ALONE
                draw_skeleton(image, placed[row] * scale, thickness=2, colour=colour)
            writer.write(draw_text(image, f'frame {frame_ind}   teacher {text}', (8, 8)))
            if frame_ind in chosen:
                x1, y1, x2, y2 = track.boxes[row] * scale
                side = int(max(x2 - x1, y2 - y1) * 1.2)
                left, top = int((x1 + x2 - side) / 2) + side, int((y1 + y2 - side) / 2) + side
                padded = np.pad(image, ((side, side), (side, side), (0, 0)))
                tiles[frame_ind] = resize(padded[top : top + side, left : left + side], 150, 150)
    return tiles
