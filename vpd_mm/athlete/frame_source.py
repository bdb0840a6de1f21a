"""The interface of everything that gives the frames of a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np


class FrameSource(Protocol):
    """Frames of one input; iterating gives (frame_ind from 0, (H, W, 3) uint8 RGB).

    ``path`` names the input; ``num_frames`` is 0 where it is not known.
    """

    path: Path
    fps: float
    num_frames: int
    width: int
    height: int

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]: ...
