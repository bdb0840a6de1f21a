"""Detection of camera cuts."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import cv2
import numpy as np

#: On our videos frames of one shot differ by at most 0.075, frames of two shots by at least 0.12.
CUT_THRESHOLD = 0.1
#: Frames of the longest camera flash.
_FLASH = 2


def mark_cuts(
    frames: Iterable[tuple[int, np.ndarray]], threshold: float = CUT_THRESHOLD
) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Yield (frame_ind, rgb, whether a shot begins with this frame).

    A frame differs from an earlier one if the mean absolute difference of their 32x32 thumbnails, scaled to [0, 1], is
    at least ``threshold`` and at least 4 times the median of the last 12 differences of consecutive frames; the latter
    keeps fast pans from counting as cuts.  A shot begins with a frame that differs from the one before, as do the two
    frames after it: one or two odd frames, such as a camera flash, are no shot.  Only to decide that are frames read
    ahead, two at most.

    Args:
        frames: (frame_ind, (H, W, 3) uint8).
        threshold: In [0, 1]; above 1 no shot ends.
    """
    source = ((frame_ind, rgb, _thumbnail(rgb)) for frame_ind, rgb in frames)
    ahead: deque[tuple[int, np.ndarray, np.ndarray]] = deque()
    differences: deque[float] = deque(maxlen=12)
    previous: np.ndarray | None = None  # not of a flash

    def differs(difference: float) -> bool:
        usual = float(np.median(differences)) if differences else np.inf
        return difference >= threshold and difference >= 4 * usual

    while item := ahead.popleft() if ahead else next(source, None):
        frame_ind, rgb, thumbnail = item
        cut = False
        if previous is None:
            previous = thumbnail
        else:
            difference = _difference(previous, thumbnail)
            if differs(difference):
                ahead.extend(islice(source, _FLASH - len(ahead)))
                cut = all(differs(_difference(previous, later)) for _, _, later in ahead)
            if cut or not differs(difference):
                differences.append(difference)
                previous = thumbnail
        yield frame_ind, rgb, cut


def with_previous(
    frames: Iterable[tuple[int, np.ndarray]], threshold: float = CUT_THRESHOLD
) -> Iterator[tuple[int, np.ndarray, np.ndarray | None, bool]]:
    """Yield (frame_ind, rgb, previous rgb, cut), see :func:`mark_cuts`; the previous one is None where it is missing or
    of another shot.
    """
    previous, end = None, 0
    for frame_ind, rgb, cut in mark_cuts(frames, threshold):
        yield frame_ind, rgb, None if cut or frame_ind != end else previous, cut
        previous, end = rgb, frame_ind + 1


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    step = max(min(frame.shape[:2]) // 128, 1)
    return cv2.resize(frame[::step, ::step], (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())
