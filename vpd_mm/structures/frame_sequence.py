"""Base class of the structures that hold one row of arrays per frame."""

import os
from dataclasses import fields
from typing import ClassVar, TypeVar

import numpy as np

from ..errors import UserError
from .npz_io import check_array, check_frame_inds, load_npz, save_npz

_Sequence = TypeVar('_Sequence', bound='FrameSequence')


class FrameSequence:
    """Arrays of the frames of one video, validated on creation; frames without data are absent.

    Subclasses are frozen dataclasses with a field ``frame_inds`` (T,) int64, strictly increasing from 0 or later, and
    the fields of ``SHAPES``, float32 and finite.  ``scores``, where there are any, lie in [0, 1].
    """

    #: Type and version that the file states.
    KIND: ClassVar[str]
    #: Field to its shape after T; None = any length.
    SHAPES: ClassVar[dict[str, tuple[int | None, ...]]]
    frame_inds: np.ndarray

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_frame_inds(name, self.frame_inds)
        for field, shape in self.SHAPES.items():
            check_array(name, field, getattr(self, field), np.float32, (len(self), *shape))
        scores = getattr(self, 'scores', None)
        if scores is not None and len(self) and (scores.min() < 0 or scores.max() > 1):
            raise UserError(f'{name}: scores must lie in [0, 1], found {scores.min():g} to {scores.max():g}')

    def __len__(self) -> int:
        return len(self.frame_inds)

    def save(self, path: str | os.PathLike) -> None:
        """Write the arrays as npz, atomically."""
        save_npz(path, self.KIND, vars(self))

    @classmethod
    def load(cls: type[_Sequence], path: str | os.PathLike) -> _Sequence:
        """Read and validate a file written by :meth:`save`.

        Raises:
            UserError: the file is missing, damaged, of another kind, or an array is invalid.
        """
        arrays = load_npz(path, cls.KIND, tuple(f.name for f in fields(cls)))  # type: ignore[arg-type]
        try:
            return cls(**arrays)
        except UserError as e:
            raise UserError(f'{path}: {e}') from e
