"""Detection of camera cuts."""

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np


class CutFinder:
    """Detect the first frame after a camera cut.

    A frame starts a shot if its mean absolute difference from the previous frame, over 32x32 thumbnails scaled to
    [0, 1], is at least ``threshold`` and at least 4 times the median of the last 12 differences; the latter keeps fast
    pans from counting as cuts.

    Args:
        threshold: In [0, 1]; a value above 1 disables cuts.  On our videos frames of one shot differ by at most
            0.075, frames of two shots by at least 0.12.
    """

    def __init__(self, threshold: float = 0.1) -> None:
        self.threshold = threshold
        self._previous: np.ndarray | None = None
        self._differences: deque[float] = deque(maxlen=12)

    def update(self, frame: np.ndarray) -> bool:
        """Add the next (H, W, 3) uint8 frame; return True if a new shot begins with it."""
        step = max(min(frame.shape[:2]) // 128, 1)
        thumbnail = cv2.resize(frame[::step, ::step], (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        previous, self._previous = self._previous, thumbnail
        if previous is None:
            return False
        difference = float(np.abs(thumbnail - previous).mean())
        usual = float(np.median(self._differences)) if self._differences else float('inf')
        self._differences.append(difference)
        return difference >= self.threshold and difference >= 4 * usual


def with_previous(
    frames: Iterable[tuple[int, np.ndarray]],
) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Yield (frame_ind, rgb, previous rgb); the last is None where it is missing or of another shot."""
    cuts = CutFinder()
    previous, end = None, 0
    for frame_ind, rgb in frames:
        if cuts.update(rgb) or frame_ind != end:
            previous = None
        yield frame_ind, rgb, previous
        previous, end = rgb, frame_ind + 1
