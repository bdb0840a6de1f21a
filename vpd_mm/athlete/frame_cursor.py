"""Frames of a video by number for a viewer, who mostly asks for the next one."""

from collections.abc import Callable, Generator

import av
import numpy as np

from .video_reader import VideoReader

#: Frames that are rather decoded than jumped over, although a key frame lies among them.
_SHORT_WAY = 8
#: Threads of a decoder; each holds frames, and many cursors are open at the same time.
_NUM_THREADS = 2


class FrameCursor:
    """Read frames of a video at any position; those after the last one are decoded without a new start.

    Args:
        reader: Reader of the video; other threads may use it at the same time, but no other the cursor.
    """

    _frames: Generator[tuple[int, av.VideoFrame], None, None] | None = None
    _frame: av.VideoFrame | None = None
    #: Position of ``_frame``, -1 before the first one; no intact frame lies between ``_from`` and it, and frames before
    #: ``_from`` may have been left out.
    _from, _at = 0, -1

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader.fork(_NUM_THREADS)

    def read(self, position: int, should_stop: Callable[[], bool] = lambda: False) -> np.ndarray | None:
        """Decode the frame at a position of the file (:meth:`VideoReader.positions`) to (H, W, 3) uint8 rgb.

        Returns None where the frame does not decode, or where ``should_stop()`` became true before.
        """
        if self._frames is None or not self._is_ahead(position):
            self.close()
            self._frames, self._from = self._reader.decode_from(position), position
        while self._at < position:
            if should_stop():
                return None
            self._from = max(self._from, self._at + 1)
            self._at, self._frame = next(self._frames, (self._reader.num_positions, None))
        return self._reader.to_rgb(self._frame) if self._at == position and self._frame is not None else None

    def _is_ahead(self, position: int) -> bool:
        """True where decoding on is the shortest way to a position."""
        is_near = position <= self._at or self._reader.key_position(position) <= self._at + _SHORT_WAY
        return is_near and position >= self._from

    def close(self) -> None:
        """Release the decoder."""
        if self._frames is not None:
            self._frames.close()
        self._frames, self._frame = None, None
        self._from, self._at = 0, -1
