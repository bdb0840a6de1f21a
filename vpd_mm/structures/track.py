"""Boxes of the athlete."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .frame_sequence import FrameSequence


@dataclass(frozen=True, eq=False)
class AthleteTrack(FrameSequence):
    """Boxes of one athlete in one video; frames without a box are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        boxes: (T, 4) float32, xyxy in pixels of the full frame; they may extend beyond the frame, but have an area.
        scores: (T,) float32 in [0, 1].

    Raises:
        UserError: a shape, dtype, order or value is invalid.
    """

    frame_inds: np.ndarray
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
