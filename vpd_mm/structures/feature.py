"""What a teacher or a student says of every frame."""

import os
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .npz_io import check_array, check_frame_inds, load_npz, save_npz


@dataclass(frozen=True, eq=False)
class FeatureSequence:
    """Features of one athlete in one video; frames without a feature are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        feats: (T, V, D) float32, finite; V = [as seen] or [as seen, flipped].
        scores: (T,) float32 in [0, 1]: the frame's confidence (1 where the
            source has none).

    Raises:
        UserError: a shape, dtype, order or value is off.
    """

    frame_inds: np.ndarray
    feats: np.ndarray
    scores: np.ndarray

    KIND = 'FeatureSequence/1'

    def __post_init__(self) -> None:
        n = len(self.frame_inds)
        check_frame_inds('FeatureSequence', self.frame_inds)
        check_array('FeatureSequence', 'feats', self.feats, np.float32, (n, None, None))
        check_array('FeatureSequence', 'scores', self.scores, np.float32, (n,))
        if self.num_views not in (1, 2) or self.dims < 1:
            raise UserError(f'FeatureSequence: feats must be (T, V, D) with V 1 or 2, found {self.feats.shape}')
        if n and (self.scores.min() < 0 or self.scores.max() > 1):
            raise UserError('FeatureSequence: scores must lie in [0, 1]')

    def __len__(self) -> int:
        return len(self.frame_inds)

    @property
    def num_views(self) -> int:
        return self.feats.shape[1]

    @property
    def dims(self) -> int:
        return self.feats.shape[2]

    def save(self, path: str | os.PathLike) -> None:
        save_npz(path, self.KIND, {'frame_inds': self.frame_inds, 'feats': self.feats, 'scores': self.scores})

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'FeatureSequence':
        arrays = load_npz(path, cls.KIND, ('frame_inds', 'feats', 'scores'))
        try:
            return cls(**arrays)
        except UserError as e:
            raise UserError(f'{path}: {e}') from e
