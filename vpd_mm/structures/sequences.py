"""Boxes, poses and features of one athlete in one video: one row of arrays per frame."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from ..errors import UserError, errors_name
from .npz_io import load_npz, map_npz, save_npz

#: Frames of the longest video: 19 days at 60 fps.
MAX_FRAMES = 100_000_000

NUM_COCO_JOINTS = 17
#: The 13 joints of VPD within COCO-17: nose, then 5..16 (shoulders, elbows, wrists, hips, knees, ankles; left first).
VPD_JOINTS = (0, *range(5, 17))

_Sequence = TypeVar('_Sequence', bound='FrameSequence')


@dataclass(frozen=True, eq=False)
class FrameSequence:
    """Base class: arrays of the frames of one video, validated on creation; frames without data are absent.

    Subclasses are frozen dataclasses with a field ``frame_inds`` (T,) int64, strictly increasing from 0 or later, and
    the fields of ``SHAPES``, float32 and finite.  ``scores``, where there are any, lie in [0, 1].  Creation raises
    UserError where a shape, dtype, order or value is invalid.
    """

    #: Type and version that the file states.
    KIND: ClassVar[str]
    #: Field to its shape after T; None = any length.
    SHAPES: ClassVar[dict[str, tuple[int | None, ...]]]
    frame_inds: np.ndarray

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_array(name, 'frame_inds', self.frame_inds, np.int64, (None,))
        if not frames_in_order(self.frame_inds):
            raise UserError(
                f'{name}: frame_inds must start at 0 or later and strictly increase (no duplicate frame), below '
                f'{MAX_FRAMES}'
            )
        for field, shape in self.SHAPES.items():
            check_array(name, field, getattr(self, field), np.float32, (len(self), *shape))
        scores = getattr(self, 'scores', None)
        if scores is not None and len(self) and (scores.min() < 0 or scores.max() > 1):
            raise UserError(f'{name}: scores must lie in [0, 1], found {scores.min():g} to {scores.max():g}')

    def __len__(self) -> int:
        return len(self.frame_inds)

    def save(self, path: str | os.PathLike, source: Mapping[str, Any] | None = None) -> None:
        """Write the arrays as npz, atomically, with what they were made of (:mod:`vpd_mm.corpus.stale_files`)."""
        save_npz(path, self.KIND, vars(self), source)

    @classmethod
    def load(cls: type[_Sequence], path: str | os.PathLike) -> _Sequence:
        """Read and validate a file written by :meth:`save`; raises UserError."""
        arrays = load_npz(path, cls.KIND, tuple(f.name for f in fields(cls)))  # type: ignore[arg-type]
        with errors_name(path):
            return cls(**arrays)

    @classmethod
    def map(cls: type[_Sequence], path: str | os.PathLike) -> _Sequence:
        """Map the arrays of a file, which stay there; call :meth:`load` before, because no value is read or checked.

        Raises:
            UserError: the file cannot be mapped; see :func:`npz_io.map_npz`.
        """
        sequence = object.__new__(cls)
        arrays = map_npz(path, cls.KIND, tuple(f.name for f in fields(cls)))  # type: ignore[arg-type]
        vars(sequence).update(arrays)
        return sequence


@dataclass(frozen=True, eq=False)
class AthleteTrack(FrameSequence):
    """Boxes of the athlete; frames without a box are absent.

    Args:
        boxes: (T, 4) float32, xyxy in pixels of the full frame; they may extend beyond the frame, but have an area.
        scores: (T,) float32 in [0, 1].
    """

    boxes: np.ndarray
    scores: np.ndarray

    KIND = 'AthleteTrack/1'
    SHAPES = {'boxes': (4,), 'scores': ()}

    def __post_init__(self) -> None:
        super().__post_init__()
        empty = np.flatnonzero((self.boxes[:, 2:] <= self.boxes[:, :2]).any(axis=1))
        if len(empty):
            box, frame = self.boxes[empty[0]].tolist(), int(self.frame_inds[empty[0]])
            raise UserError(f'AthleteTrack: box {box} of frame {frame} has no area (xyxy)')


@dataclass(frozen=True, eq=False)
class PoseSequence(FrameSequence):
    """COCO-17 poses of the athlete; frames without a pose are absent.

    Args:
        keypoints: (T, 17, 2) float32, (x, y) in pixels of the full frame.
        scores: (T, 17) float32 in [0, 1]; 0 = not detected.
    """

    keypoints: np.ndarray
    scores: np.ndarray

    KIND = 'PoseSequence/1'
    SHAPES = {'keypoints': (NUM_COCO_JOINTS, 2), 'scores': (NUM_COCO_JOINTS,)}


@dataclass(frozen=True, eq=False)
class FeatureSequence(FrameSequence):
    """Features of a teacher or a student; frames without a feature are absent.

    Args:
        feats: (T, V, D) float32, finite; V = [original] or [original, flipped].
        scores: (T,) float32 in [0, 1], the confidence of the frame (1 where the source has none).
    """

    feats: np.ndarray
    scores: np.ndarray

    KIND = 'FeatureSequence/1'
    SHAPES = {'feats': (None, None), 'scores': ()}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_views not in (1, 2) or self.dims < 1:
            raise UserError(f'FeatureSequence: feats must be (T, V, D) with V 1 or 2, found {self.feats.shape}')

    @property
    def num_views(self) -> int:
        return self.feats.shape[1]

    @property
    def dims(self) -> int:
        return self.feats.shape[2]


@dataclass(frozen=True, eq=False)
class FeatureScores(FrameSequence):
    """Frames and scores of a :class:`FeatureSequence`; its features are not read.

    Args:
        scores: (T,) float32 in [0, 1].
    """

    scores: np.ndarray

    KIND = FeatureSequence.KIND
    SHAPES = {'scores': ()}


def frames_in_order(frame_inds: np.ndarray) -> bool:
    """Return whether these are frame numbers (T,), strictly increasing and below ``MAX_FRAMES``."""
    inds = frame_inds
    return inds.ndim == 1 and bool(np.all((inds >= 0) & (inds < MAX_FRAMES)) and np.all(inds[1:] > inds[:-1]))


def rows_of(frame_inds: np.ndarray, wanted: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the row of each wanted frame in increasing ``frame_inds``; -1 if absent."""
    if not len(frame_inds):
        return np.full(len(wanted), -1, np.int64)
    rows = np.minimum(np.searchsorted(frame_inds, wanted), len(frame_inds) - 1)
    return np.where(frame_inds[rows] == wanted, rows, -1)


def check_array(owner: str, field: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> None:
    """Check dtype, shape (None = any) and that every number is finite."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        actual = getattr(array, 'dtype', type(array).__name__)
        raise UserError(f'{owner}: {field} must be a {np.dtype(dtype)} array, found {actual}')
    if array.ndim != len(shape) or any(n not in (None, size) for size, n in zip(array.shape, shape, strict=True)):
        wanted = tuple('any' if n is None else n for n in shape)
        raise UserError(f'{owner}: {field} must have shape {wanted}, found {array.shape}')
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise UserError(f'{owner}: {field} holds NaN or infinity (first at index {index})')
