"""Square crops around the athlete."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..errors import UserError

Window = tuple[int, int, int]

#: Padding on each side, as a share of the longer side of the box (paper, section 3.2; the published code).
PADDING = 0.1
#: Longest side of a box, as a multiple of the longer side of the frame: its square is allocated in memory.
MAX_SIDES = 4


class SquareCropper:
    """Crop a square around the boxes of frames t and t-1 and resize it to ``size`` px, 16 to 4096."""

    def __init__(self, size: int = 128) -> None:
        if not 16 <= size <= 4096:
            raise UserError(f'crop size must be 16 to 4096 px, found {size}')
        self.size = size

    def window(
        self, box: Sequence[float] | np.ndarray, previous_box: Sequence[float] | np.ndarray | None = None
    ) -> Window:
        """Return (left, top, side) in whole px of the full frame; the window may leave the frame.

        The square is centered on the union of the xyxy boxes of frames t and t-1, rounded out to whole pixels; its side
        is the longer side of the union padded by 10 % at both ends.  Frame t-1 is cropped with the same window.
        """
        boxes = np.asarray([box] if previous_box is None else [box, previous_box], dtype=np.float64)
        low = np.floor(boxes[:, :2].min(axis=0)).astype(int)
        sides = np.ceil(boxes[:, 2:].max(axis=0)).astype(int) - low
        longest = int(sides.max())
        padding = int(PADDING * longest)
        left, top = np.where(sides == longest, low, low + sides // 2 - (longest + 1) // 2) - padding
        return int(left), int(top), longest + 2 * padding

    def cut(self, image: np.ndarray, window: Window) -> np.ndarray:
        """Crop ``window`` and resize it to ``size``; pixels outside the image are black.

        ``image`` is (H, W[, C]) uint8, or a mask (H, W) bool, which is resized by nearest neighbor.
        """
        side = window[2]
        square = cut_square(image.view(np.uint8), window)
        smooth = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        interpolation = cv2.INTER_NEAREST if image.dtype == bool else smooth
        return cv2.resize(square, (self.size, self.size), interpolation=interpolation).view(image.dtype)


def cut_square(image: np.ndarray, window: Window) -> np.ndarray:
    """Crop ``window`` of ``image`` (H, W[, C]); pixels outside the image are zero."""
    left, top, side = window
    height, width = image.shape[:2]
    x1, y1 = min(max(left, 0), width), min(max(top, 0), height)
    x2, y2 = max(min(left + side, width), x1), max(min(top + side, height), y1)
    inside = image[y1:y2, x1:x2]
    if inside.shape[:2] == (side, side):
        return inside
    square = np.zeros((side, side, *image.shape[2:]), image.dtype)
    square[y1 - top : y2 - top, x1 - left : x2 - left] = inside
    return square


def usable_boxes(boxes: np.ndarray, frame_sizes: np.ndarray | tuple[int, int]) -> np.ndarray:
    """Return (N,) bool, True for boxes (N, 4) xyxy px that are finite, not empty and touch their frame.

    ``frame_sizes`` is (width, height) or (N, 2).
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.isfinite(boxes).all(axis=1) & ((high > low) & (high > 0) & (low < frame_sizes)).all(axis=1)


def scale_to_side(image: np.ndarray, side: int) -> np.ndarray:
    """Shrink ``image`` (H, W, 3) so that its shorter side is at most ``side``, keeping the aspect ratio."""
    height, width = image.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return image
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
