"""Features of every frame, from a teacher or a student."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .frame_sequence import FrameSequence


@dataclass(frozen=True, eq=False)
class FeatureSequence(FrameSequence):
    """Features of one athlete in one video; frames without a feature are absent.

    Args:
        frame_inds: (T,) int64, strictly increasing, counted from 0.
        feats: (T, V, D) float32, finite; V = [original] or [original, flipped].
        scores: (T,) float32 in [0, 1], the confidence of the frame (1 where the source has none).

    Raises:
        UserError: a shape, dtype, order or value is invalid.
    """

    frame_inds: np.ndarray
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
