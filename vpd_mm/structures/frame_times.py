"""Times of the frames of one video."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError, errors_name
from .npz_io import load_npz, save_npz
from .sequences import check_array

_KIND = 'FrameTimes/1'


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Times of the frames of one video in seconds from its first frame: the one place that converts between them.

    Args:
        fps: Frames per second; the mean where the rate varies.
        edges: (T + 1,) float64, strictly increasing from 0: the start of each frame, and the end of the last one; None
            at a constant rate.

    Raises:
        UserError: a value is not valid.

    Examples:
        >>> FrameTimes(25.0).seconds(50)
        2.0
        >>> FrameTimes.variable(np.array([0.0, 0.1, 0.2, 1.2])).frames(0.7)
        2.5
    """

    fps: float
    edges: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fps < np.inf:
            raise UserError(f'FrameTimes: fps must be above 0, found {self.fps}')
        if self.edges is not None:
            check_array('FrameTimes', 'edges', self.edges, np.float64, (None,))
            if len(self.edges) < 3 or self.edges[0] != 0 or not (np.diff(self.edges) > 0).all():
                raise UserError('FrameTimes: edges must be three or more, start at 0 and strictly increase')

    @classmethod
    def variable(cls, edges: np.ndarray) -> 'FrameTimes':
        """Times at a variable rate, whose fps is (T - 1) / (start of the last frame)."""
        return cls((len(edges) - 2) / float(edges[-2]) if len(edges) > 2 and edges[-2] > 0 else 1.0, edges)

    def seconds(self, frames: int | float | np.ndarray) -> Any:
        """Times at which frames start; beyond the ends of the video, where windows may lie, at the rate ``fps``."""
        if self.edges is None:
            return frames / self.fps
        return _convert(frames, np.arange(len(self.edges)), self.edges, 1 / self.fps)

    def frames(self, seconds: float | np.ndarray) -> Any:
        """Frames shown at these times, as fractions: the inverse of :meth:`seconds`."""
        if self.edges is None:
            return seconds * self.fps
        return _convert(seconds, self.edges, np.arange(len(self.edges)), self.fps)

    def save(self, path: str | os.PathLike) -> None:
        """Write the edges of a variable rate as npz, atomically."""
        if self.edges is None:
            raise ValueError('a constant rate has no edges to save')
        save_npz(path, _KIND, {'edges': self.edges})

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'FrameTimes':
        """Read and validate a file written by :meth:`save`; raises UserError."""
        arrays = load_npz(path, _KIND, ('edges',))
        with errors_name(path):
            check_array('FrameTimes', 'edges', arrays['edges'], np.float64, (None,))
            return cls.variable(arrays['edges'])


def _convert(values: float | np.ndarray, given: np.ndarray, wanted: np.ndarray, slope: float) -> Any:
    """Interpolate from ``given`` to ``wanted``; beyond the ends with ``slope``."""
    inside = np.clip(values, given[0], given[-1])
    return np.interp(inside, given, wanted) + (values - inside) * slope
