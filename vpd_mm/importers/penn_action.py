"""Penn Action (Zhang, Zhu, Derpanis 2013): hand-annotated joints, boxes, one action a clip, the official split."""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..structures import Action, AthleteTrack, PoseSequence
from .labels import LabelSet, open_corpus, write_labels
from .report import ImportReport, track_progress
from .video_table import VideoMeta

#: The clips have no frame rate; 25 is the rate to which recognition resamples, so that nothing is resampled.
PENN_FPS = 25.0
#: Joints of Penn Action (head, left/right shoulder, elbow, wrist, hip, knee, ankle) in COCO-17; the head serves as
#: nose, eyes and ears keep score 0.
COCO_ROWS = (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
#: Scores of joints that are visible; hidden, but annotated; not annotated.
VISIBLE, HIDDEN, ABSENT = 1.0, 0.5, 0.0
#: A joint that was not annotated lies at (1, 1) times the scale of the clip, which is below this; no other joint does.
PLACEHOLDER_PX = 2.0
#: Name of the pose set.
POSES = 'penn'
FIELDS = ('action', 'train', 'x', 'y', 'visibility', 'bbox', 'dimensions', 'nframes')
#: Errors of SciPy for a damaged file.
_DAMAGE: tuple[type[Exception], ...] = (ValueError, TypeError, LookupError, OSError, EOFError)
_DAMAGE += (NotImplementedError, zlib.error, struct.error)


@dataclass(frozen=True)
class PennClip:
    """Content of one ``labels/<video>.mat``."""

    video: str
    label: str
    is_train: bool
    num_frames: int
    width: int
    height: int
    track: AthleteTrack
    poses: PoseSequence

    def action(self, classes: list[str]) -> Action:
        """Return the whole clip as one action with the name of the clip, in split 'train' or 'test'."""
        split = 'train' if self.is_train else 'test'
        return Action(self.video, self.video, 0, self.num_frames, classes.index(self.label), split)


def import_penn_action(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    val_share: float = 0.1,
    seed: int = 0,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Import Penn Action: tracks, the pose set ``penn``, one action a clip, the official split.

    About ``val_share`` of the official training clips of every class, drawn with ``seed``, become the split 'val'; the
    official test clips stay 'test'.  The frames of Penn Action are image files, so the paths in videos.csv are empty.

    Args:
        source: Holds ``labels/*.mat``.
        out: The corpus, created when missing.
        val_share: Of the training clips; 0 keeps them all.
        seed: Of the validation split.
        on_progress: Called with (done, total) clips read, then clips written.

    Raises:
        UserError: a label file is invalid, or the output folder is something else.
    """
    files = find_penn_labels(Path(source))
    clips = [read_penn_clip(path) for path in track_progress(files, on_progress)]
    classes = sorted({clip.label for clip in clips})
    labels = LabelSet(
        sport='penn_action',
        videos={c.video: VideoMeta(PENN_FPS, c.num_frames, c.width, c.height) for c in clips},
        classes=classes,
        actions=[clip.action(classes) for clip in clips],
    ).with_validation(val_share, seed)
    corpus = open_corpus(out, labels.sport)
    with corpus.lock():
        for clip in track_progress(clips, on_progress):
            if not corpus.track_path(clip.video).exists():
                clip.track.save(corpus.track_path(clip.video))
            if not corpus.pose_path(POSES, clip.video).exists():
                clip.poses.save(corpus.pose_path(POSES, clip.video))
        write_labels(corpus, labels)
    num_train = sum(clip.is_train for clip in clips)
    frames = {
        'official split, train': num_train,
        'official split, test': len(clips) - num_train,
        'frames': sum(clip.num_frames for clip in clips),
        'boxes': sum(len(clip.track) for clip in clips),
        'poses': sum(len(clip.poses) for clip in clips),
    }
    return ImportReport(labels.counts() | frames)


def find_penn_labels(source: Path) -> list[Path]:
    """Return the .mat files of ``<source>/labels`` (or of the source), sorted.

    Raises:
        UserError: there are none.
    """
    files = sorted((source / 'labels').glob('*.mat')) or sorted(source.glob('*.mat'))
    if not files:
        raise UserError(f'{source}: no labels/*.mat; pass the folder that holds the labels of Penn Action')
    return files


def read_penn_clip(path: Path) -> PennClip:
    """Read one clip.

    A visible joint gets score 1; a hidden one 0.5, or 0 at the placeholder (1, 1), where it was not annotated.  Frames
    without a box (two clips lack their last), or whose box has no area, are absent from the track; frames without any
    annotated joint are absent from the poses.

    Raises:
        UserError: no MATLAB file, or a field is missing or has the wrong shape.
    """
    mat = _load(path)
    num_frames = int(_number(mat, 'nframes', path))
    size = np.ravel(mat['dimensions']).astype(np.int64)
    if num_frames < 1 or len(size) < 2 or size[:2].min() < 1:
        raise UserError(f'{path}: needs nframes and dimensions above 0, found {num_frames} and {size.tolist()}')
    x, y, visible = (np.asarray(mat[field], dtype=np.float64) for field in ('x', 'y', 'visibility'))
    for field, array in (('x', x), ('y', y), ('visibility', visible)):
        if array.shape != (num_frames, len(COCO_ROWS)) or not np.isfinite(array).all():
            raise UserError(
                f'{path}: {field} must hold {num_frames} x 13 finite numbers (nframes x joints), has {array.shape}'
            )
    boxes = np.asarray(mat['bbox'], dtype=np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) > num_frames or not np.isfinite(boxes).all():
        raise UserError(f'{path}: bbox must hold up to {num_frames} x 4 finite numbers, has {boxes.shape}')
    label = np.ravel(mat['action'])
    if len(label) != 1 or not str(label[0]).strip():
        raise UserError(f'{path}: action must be one name, found {label.tolist()}')
    is_train = _number(mat, 'train', path) > 0
    frames = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1)).astype(np.int64)
    try:
        return PennClip(
            video=path.stem,
            label=str(label[0]).strip(),
            is_train=is_train,
            num_frames=num_frames,
            width=int(size[1]),
            height=int(size[0]),
            track=AthleteTrack(frames, boxes[frames], np.ones(len(frames), dtype=np.float32)),
            poses=_poses(x, y, visible > 0),
        )
    except UserError as e:
        raise UserError(f'{path}: {e}') from e


def _load(path: Path) -> dict:
    import scipy.io  # heavy, and only needed here

    try:
        mat = scipy.io.loadmat(path, variable_names=FIELDS)
    except (*_DAMAGE, scipy.io.matlab.MatReadError) as e:
        raise UserError(f'{path}: unreadable as a MATLAB 5 file ({" ".join(str(e).split())}); copy it again') from e
    missing = [field for field in FIELDS if field not in mat]
    if missing:
        raise UserError(f'{path}: field {missing[0]!r} is missing; is this a label file of Penn Action?')
    return mat


def _number(mat: dict, field: str, path: Path) -> float:
    value = np.ravel(mat[field])
    if len(value) != 1 or value.dtype.kind not in 'iuf':
        raise UserError(f'{path}: {field} must be one number, found {value[:3].tolist()}')
    return float(value[0])


def _poses(x: np.ndarray, y: np.ndarray, visible: np.ndarray) -> PoseSequence:
    absent = ~visible & (x <= PLACEHOLDER_PX) & (y <= PLACEHOLDER_PX)
    scores = np.zeros((len(x), 17), dtype=np.float32)
    scores[:, COCO_ROWS] = np.where(visible, VISIBLE, np.where(absent, ABSENT, HIDDEN))
    keypoints = np.zeros((len(x), 17, 2), dtype=np.float32)
    keypoints[:, COCO_ROWS, 0], keypoints[:, COCO_ROWS, 1] = x, y
    frames = np.flatnonzero(scores.any(axis=1)).astype(np.int64)
    return PoseSequence(frames, keypoints[frames], scores[frames])
