"""What a pose estimator saw."""

import os
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .npz_io import check_array, check_frame_inds, load_npz, save_npz

NUM_COCO_JOINTS = 17
#: The 13 joints of VPD within COCO-17: nose, then 5..16 (shoulders, elbows, wrists, hips, knees, ankles; left first).
VPD_JOINTS = (0, *range(5, 17))


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """COCO-17 poses of one athlete in one video; frames without a pose are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        keypoints: (T, 17, 2) float32, (x, y) in pixels of the full frame.
        scores: (T, 17) float32 in [0, 1]; 0 = not seen.

    Raises:
        UserError: a shape, dtype, order or value is off.
    """

    frame_inds: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    KIND = 'PoseSequence/1'

    def __post_init__(self) -> None:
        n = len(self.frame_inds)
        check_frame_inds('PoseSequence', self.frame_inds)
        check_array('PoseSequence', 'keypoints', self.keypoints, np.float32, (n, NUM_COCO_JOINTS, 2))
        check_array('PoseSequence', 'scores', self.scores, np.float32, (n, NUM_COCO_JOINTS))
        if n and (self.scores.min() < 0 or self.scores.max() > 1):
            raise UserError('PoseSequence: scores must lie in [0, 1]')

    def __len__(self) -> int:
        return len(self.frame_inds)

    def save(self, path: str | os.PathLike) -> None:
        arrays = {'frame_inds': self.frame_inds, 'keypoints': self.keypoints, 'scores': self.scores}
        save_npz(path, self.KIND, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'PoseSequence':
        arrays = load_npz(path, cls.KIND, ('frame_inds', 'keypoints', 'scores'))
        try:
            return cls(**arrays)
        except UserError as e:
            raise UserError(f'{path}: {e}') from e
