"""The video writer."""

from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import UserError
from ..files import MARK, atomic_write

#: Unit of the times of frames, s.
_TICK = Fraction(1, 90_000)


class VideoWriter:
    """Write an mp4 (H.264, yuv420p) frame by frame.

    The file appears when the context ends.  After an exception there is none, and an older file stays.  Without any
    frame, the end raises a UserError.

    Args:
        path, fps: The file, whose folder is made, and frames per second.
        options: Options of the encoder x264, over ``{'crf': '23', 'preset': 'veryfast'}``.
        mark: Mark the file as drawn by this project, which allows to overwrite it; False for videos that are data.

    Example:
        >>> with VideoWriter('out.mp4', 29.97) as writer:
        ...     for rgb in frames:
        ...         writer.write(rgb)
    """

    def __init__(
        self, path: str | Path, fps: float | Fraction, options: Mapping[str, str] | None = None, mark: bool = True
    ) -> None:
        self.path, self.rate = Path(path), Fraction(fps).limit_denominator(1001)
        self.options, self.mark = {'crf': '23', 'preset': 'veryfast', **(options or {})}, mark
        self._stack = ExitStack()
        self._stream: av.VideoStream | None = None
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> 'VideoWriter':
        with ExitStack() as stack:
            file = stack.enter_context(atomic_write(self.path))
            self._container = stack.enter_context(av.open(file, 'w', format='mp4'))
            if self.mark:
                self._container.metadata['comment'] = MARK
            self._stack = stack.pop_all()
        return self

    def write(self, rgb: np.ndarray, seconds: float | None = None) -> None:
        """Add a frame (H, W, 3) uint8 RGB, at its time, which must increase; None (for all frames): at the rate.

        H.264 needs even sides: the last row or column of an odd side is cut off.

        Raises:
            ValueError: the frame has another dtype or shape than allowed, or another shape than the first one.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 2:
            raise ValueError(f'{self.path}: a frame is (H, W, 3) uint8 of 2 px or more, found {rgb.shape} {rgb.dtype}')
        if self._stream is None:
            self._shape = rgb.shape
            self._stream = self._container.add_stream('libx264', rate=self.rate, options=self.options)
            self._stream.height, self._stream.width = (side // 2 * 2 for side in rgb.shape[:2])
            self._stream.pix_fmt = 'yuv420p'
            if seconds is not None:
                self._stream.codec_context.time_base = _TICK
        if rgb.shape != self._shape:
            raise ValueError(f'{self.path}: all frames have one shape, {self._shape}, found {rgb.shape}')
        rgb = np.ascontiguousarray(rgb[: self._stream.height, : self._stream.width])
        frame = av.VideoFrame.from_ndarray(rgb, format='rgb24')
        if seconds is not None:
            frame.pts, frame.time_base = round(seconds / _TICK), _TICK
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind, error, trace) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self._stream is None:
                raise UserError(f'{self.path}: no frame was written')
            self._container.mux(self._stream.encode())
