"""Where the camera changes."""

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np


class CutFinder:
    """Tell the first frame after a camera cut.

    A frame is a cut if its mean absolute difference from the frame before, over
    32x32 thumbnails and the range of pixel values, is at least ``threshold``
    *and* at least ``ratio`` times the median of the last 12 such differences:
    a fast pan differs much, but so did its last frames.

    Args:
        threshold: In [0, 1]; above 1 finds no cuts.  On the developers' videos
            frames of one shot differ by 0.075 at most, frames of two shots by
            0.12 at least.
        ratio: See above.
    """

    def __init__(self, threshold: float = 0.1, ratio: float = 4.0) -> None:
        self.threshold = threshold
        self.ratio = ratio
        self._before: np.ndarray | None = None
        self._differences: deque[float] = deque(maxlen=12)

    def update(self, frame: np.ndarray) -> bool:
        """Take the next (H, W, 3) uint8 frame; True if a new shot begins with it."""
        step = max(min(frame.shape[:2]) // 128, 1)
        thumbnail = cv2.resize(frame[::step, ::step], (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        before, self._before = self._before, thumbnail
        if before is None:
            return False
        difference = float(np.abs(thumbnail - before).mean())
        usual = float(np.median(self._differences)) if self._differences else float('inf')
        self._differences.append(difference)
        return difference >= self.threshold and difference >= self.ratio * usual


def with_previous(
    frames: Iterable[tuple[int, np.ndarray]],
) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Each (frame_ind, rgb) with the frame before it; None where that is missing or of another shot."""
    cuts = CutFinder()
    before, end = None, 0
    for frame_ind, rgb in frames:
        if cuts.update(rgb) or frame_ind != end:
            before = None
        yield frame_ind, rgb, before
        before, end = rgb, frame_ind + 1
