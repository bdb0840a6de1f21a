"""Penn Action (Zhang, Zhu, Derpanis 2013): hand-annotated joints, boxes, one action a clip, the official split."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..corpus import VideoInfo
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, errors_name
from ..files import composed, list_folder
from ..structures import Action, AthleteTrack, PoseSequence
from .labels import LabelSet
from .matlab_file import read_matlab_file
from .report import track_progress

#: The clips have no frame rate; 25 is the rate to which recognition resamples, so that nothing is resampled.
PENN_FPS = 25.0
#: Joints of Penn Action (head, left/right shoulder, elbow, wrist, hip, knee, ankle) in COCO-17; the head serves as
#: nose, eyes and ears keep score 0.
COCO_ROWS = (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#: Scores of joints that are visible; hidden, but annotated; not annotated.
VISIBLE, HIDDEN, ABSENT = 1.0, 0.5, 0.0
#: A joint that was not annotated lies at (1, 1) times the scale of the clip, which is below this; no other joint does.
PLACEHOLDER_PX = 2.0
FIELDS = ('action', 'train', 'x', 'y', 'visibility', 'bbox', 'dimensions', 'nframes')


class PennClip(NamedTuple):
    """Content of one ``labels/<video>.mat``."""

    info: VideoInfo
    label: str
    split: str
    track: AthleteTrack
    poses: PoseSequence


def read_penn_action(source: Path, on_progress: OnProgress = no_progress) -> LabelSet:
    """Read tracks, poses, one action a clip, and the official split into 'train' and 'test'.

    The frames of Penn Action are image files, so the paths in videos.csv are empty.

    ``source`` holds ``labels/*.mat``; ``on_progress`` is called with (done, total) clips.
    """
    files = list_folder(source / 'labels', '*.mat') or list_folder(source, '*.mat')
    if not files:
        raise UserError(f'{source}: no labels/*.mat; pass the folder that holds the labels of Penn Action')
    clips = {composed(path.stem): read_penn_clip(path) for path in track_progress(files, on_progress)}
    classes = sorted({clip.label for clip in clips.values()})
    counts = Counter(f'official split, {clip.split}' for clip in clips.values())
    for clip in clips.values():
        counts += Counter(frames=clip.info.num_frames, boxes=len(clip.track), poses=len(clip.poses))
    return LabelSet(
        sport='penn_action',
        videos={name: clip.info for name, clip in clips.items()},
        classes=classes,
        actions=[
            Action(name, name, 0, clip.info.num_frames, classes.index(clip.label), clip.split)
            for name, clip in clips.items()
        ],
        tracks={name: clip.track for name, clip in clips.items()},
        poses={'penn': {name: clip.poses for name, clip in clips.items()}},
        other_counts=counts,
    )


def read_penn_clip(path: Path) -> PennClip:
    """Read one clip.

    A visible joint gets score 1; a hidden one 0.5, or 0 at the placeholder (1, 1), where it was not annotated.  Frames
    without a box (two clips lack their last), or whose box has no area, are absent from the track; frames without any
    annotated joint are absent from the poses.  A damaged file or an invalid field raises UserError.
    """
    mat = read_matlab_file(path)
    if missing := [field for field in FIELDS if field not in mat]:
        raise UserError(f'{path}: field {missing[0]!r} is missing; is this a label file of Penn Action?')
    [num_frames], [train] = _whole(mat, 'nframes', 1, path), _whole(mat, 'train', 1, path)
    size = _whole(mat, 'dimensions', 3, path)[:2]
    if min(num_frames, *size) < 1:
        raise UserError(f'{path}: needs nframes and dimensions above 0, found {num_frames} and {size}')
    label = mat['action']
    if not isinstance(label, str) or not label.strip():
        raise UserError(f'{path}: action must be one name, found {label if isinstance(label, str) else "numbers"!r}')
    joints = {field: _numbers(mat, field, path) for field in ('x', 'y', 'visibility')}
    for field, array in joints.items():
        if array.shape != (num_frames, len(COCO_ROWS)) or not np.isfinite(array).all():
            raise UserError(
                f'{path}: {field} must hold {num_frames} x 13 finite numbers (nframes x joints), has {array.shape}'
            )
    boxes = _numbers(mat, 'bbox', path).astype(np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) > num_frames or not np.isfinite(boxes).all():
        raise UserError(f'{path}: bbox must hold up to {num_frames} x 4 finite numbers, has {boxes.shape}')
    frames = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1)).astype(np.int64)
    with errors_name(path):
        return PennClip(
            info=VideoInfo(path.stem, '', PENN_FPS, num_frames, width=size[1], height=size[0]),
            label=label.strip(),
            split='train' if train > 0 else 'test',
            track=AthleteTrack(frames, boxes[frames], np.ones(len(frames), dtype=np.float32)),
            poses=_poses(joints['x'], joints['y'], joints['visibility'] > 0),
        )


def _numbers(mat: dict, field: str, path: Path) -> np.ndarray:
    """Return a field as float64, where a number that float32 cannot hold is infinite."""
    if isinstance(mat[field], str):
        raise UserError(f'{path}: {field} must hold numbers, found {mat[field]!r}')
    values = mat[field].astype(np.float64)
    return np.where(np.abs(values) <= np.finfo(np.float32).max, values, np.inf)


def _whole(mat: dict, field: str, count: int, path: Path) -> list[int]:
    """Return the numbers of a field, rounded down."""
    values = np.ravel(_numbers(mat, field, path))
    if len(values) != count or not (np.abs(values) < 1 << 31).all():
        number = 'one number' if count == 1 else f'{count} numbers'
        raise UserError(f'{path}: {field} must be {number}, found {values[:3].tolist()}')
    return values.astype(int).tolist()


def _poses(x: np.ndarray, y: np.ndarray, visible: np.ndarray) -> PoseSequence:
    absent = ~visible & (x <= PLACEHOLDER_PX) & (y <= PLACEHOLDER_PX)
    scores = np.zeros((len(x), 17), dtype=np.float32)
    scores[:, COCO_ROWS] = np.where(visible, VISIBLE, np.where(absent, ABSENT, HIDDEN))
    keypoints = np.zeros((len(x), 17, 2), dtype=np.float32)
    keypoints[:, COCO_ROWS] = np.stack([x, y], axis=-1)
    frames = np.flatnonzero(scores.any(axis=1)).astype(np.int64)
    return PoseSequence(frames, keypoints[frames], scores[frames])
