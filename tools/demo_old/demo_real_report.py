"""Overlay and report of the demonstration on a real man."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from vpd_mm.visualize.report_page import Code, Picture, Section, Table, Text, file_uri, jpeg_uri, write_page

from demo_old.demo_overlay import Overlay, box_margin, place_poses
from demo_old.demo_pictures import loss_plot
from demo_old.demo_real import CONFIG, VIDEO
from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import Corpus, FeatureStore

LEAD = (
    'A man warms up on a wall, then flips off it in front of a low sun: the pose estimator loses him. A student '
    'network that learnt from the frames in which it did not describes all of them.'
)
NEXT = """# your own film: boxes (or --boxes mmdet:...), poses, then the same three steps
python tools/prepare.py my_videos/ --out data/real --boxes my_boxes/ --poses my_poses/
python tools/extract_features.py joints --corpus data/real --poses files
python tools/train.py {config}
python tools/extract_features.py {config} work_dirs/.../epoch_40.pth --corpus data/real --out vpd --preview"""
_HEIGHT = 496
_STRIP = 12
_TILE = 150


def write_real_report(root: Path, results: Mapping, stages: Mapping[str, Mapping]) -> None:
    """Write ``overlay.mp4`` and ``report.html``."""
    corpus = Corpus.open(root / 'corpus')
    track, poses = corpus.track(VIDEO), corpus.poses('mediapipe', VIDEO)
    frames = FeatureStore(corpus.features_dir('vpd'))[VIDEO].frame_inds
    decoded = np.load(root / 'work' / 'poses.npy', allow_pickle=False)
    teacher = FeatureStore(corpus.teacher_dir('joints'))[VIDEO]
    margin = box_margin(poses, teacher.feats[:, 0], track)
    boxes = track.boxes[np.searchsorted(track.frame_inds, frames)]
    placed = dict(zip(frames.tolist(), place_poses(decoded, boxes, margin)))
    overlay = Overlay(VideoReader(corpus.video(VIDEO).path), placed, poses, _HEIGHT)
    filled = results['filled']
    chosen = (
        [filled[i] for i in np.unique(np.linspace(0, len(filled) - 1, _STRIP).round().astype(int))] if filled else []
    )
    kept = overlay.write(root / 'overlay.mp4', set(chosen))
    scaled = {i: boxes[np.searchsorted(frames, i)] * overlay.scale for i in chosen}
    tiles = [cut(kept[i], scaled[i]) for i in chosen]
    film: list = [
        Picture(file_uri(root / 'overlay.mp4'), 'White: the estimator. Green: the student. Orange: the student alone.'),
        Text(f'The estimator has the man in {results["teacher"]} of {results["crops"]} frames with a box; '
             f'{len(filled)} are filled in.'),
    ]  # fmt: skip
    if tiles:
        rows = [np.concatenate(tiles[i : i + 4], axis=1) for i in range(0, len(tiles) - len(tiles) % 4, 4)] or tiles[:1]
        film.append(Picture(jpeg_uri(np.concatenate(rows)), f'Filled in: frames {", ".join(map(str, chosen))}.'))
    learnt = stages['distil']
    numbers = [
        ('crops seen in training', f'{learnt["crops"]:,}'),
        ('joint error to the teacher, frames held out', f'{learnt["joint_error"]:.3f} torso sizes'),
        ('joints within 0.2 torso of the teacher, frames held out', f'{learnt["pck"]:.0%}'),
        *((f'seconds: {name}', f'{value:.0f}') for name, value in results['seconds'].items()),
    ]
    training: list = [Table(('', ''), numbers)]
    training.append(
        Text('Nobody measured where his joints are, so there is no number for the frames that are filled in: look.')
    )
    loss = loss_plot(root / 'work' / 'distill')
    if loss:
        training.append(Picture(loss, 'Training of the student.'))
    about = Text(
        'Film: Sports2D by D. Pagnon (BSD-3), from its wheel on PyPI. Boxes: key frames set by hand for this project. '
        'Poses: MediaPipe BlazePose. Turned crops (CropRotation) let the student know a man upside down although the '
        'estimator hardly saw him so; the paper does without, on hours of film.'
    )
    sections = [Section('The flip', film), Section('What was learnt', training)]
    sections += [Section('What it is made of', [about]), Section('How to go on', [Code(NEXT.format(config=CONFIG))])]
    write_page(root / 'report.html', 'Video Pose Distillation: a real man', LEAD, sections)


def cut(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The square about a box, shrunk or enlarged to a tile."""
    import cv2

    side = int(max(box[2] - box[0], box[3] - box[1]) * 1.2)
    left, top = (int((box[k] + box[k + 2] - side) / 2) for k in (0, 1))
    padded = cv2.copyMakeBorder(image, side, side, side, side, cv2.BORDER_CONSTANT)
    square = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    return cv2.resize(square, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
