"""Where the athlete is."""

import os
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .npz_io import check_array, check_frame_inds, load_npz, save_npz


@dataclass(frozen=True, eq=False)
class AthleteTrack:
    """One athlete's boxes in one video; frames without a box are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        boxes: (T, 4) float32, xyxy in pixels of the full frame; they may leave
            the frame, but have an area.
        scores: (T,) float32 in [0, 1].

    Raises:
        UserError: a shape, dtype, order or value is off.
    """

    frame_inds: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    KIND = 'AthleteTrack/1'

    def __post_init__(self) -> None:
        n = len(self.frame_inds)
        check_frame_inds('AthleteTrack', self.frame_inds)
        check_array('AthleteTrack', 'boxes', self.boxes, np.float32, (n, 4))
        check_array('AthleteTrack', 'scores', self.scores, np.float32, (n,))
        flat = np.flatnonzero((self.boxes[:, 2] <= self.boxes[:, 0]) | (self.boxes[:, 3] <= self.boxes[:, 1]))
        if len(flat):
            frame = int(self.frame_inds[flat[0]])
            raise UserError(f'AthleteTrack: box {self.boxes[flat[0]].tolist()} of frame {frame} has no area (xyxy)')
        if n and (self.scores.min() < 0 or self.scores.max() > 1):
            raise UserError('AthleteTrack: scores must lie in [0, 1]')

    def __len__(self) -> int:
        return len(self.frame_inds)

    def save(self, path: str | os.PathLike) -> None:
        save_npz(path, self.KIND, {'frame_inds': self.frame_inds, 'boxes': self.boxes, 'scores': self.scores})

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'AthleteTrack':
        arrays = load_npz(path, cls.KIND, ('frame_inds', 'boxes', 'scores'))
        try:
            return cls(**arrays)
        except UserError as e:
            raise UserError(f'{path}: {e}') from e
