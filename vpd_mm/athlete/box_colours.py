"""What colours a box shows: to know a person again by the clothes."""

import numpy as np

#: Levels of each of red, green and blue.
LEVELS = 4
NUM_COLOURS = LEVELS**3
_SIDE = 12
#: Of the box, so that most of what is counted is the person.
_RADIUS = 0.36


def _grid() -> tuple[np.ndarray, np.ndarray]:
    steps = np.linspace(-0.35, 0.35, _SIDE)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
    inside = np.hypot(x, y) <= _RADIUS
    return x[inside], y[inside]


_X, _Y = _grid()


def colour_counts(frame_rgb: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How many of the points in the middle of each box have each colour.

    Args:
        frame_rgb: (H, W, 3) uint8.
        boxes: (n, 4) or wider, xyxy px; points outside the frame take the colour of its edge.

    Returns:
        (n, 64) uint8; a row's sum is the number of points, the same for all boxes.
    """
    height, width = frame_rgb.shape[:2]
    middles, sides = (boxes[:, :2] + boxes[:, 2:4]) / 2, boxes[:, 2:4] - boxes[:, :2]
    x = (middles[:, :1] + sides[:, :1] * _X).astype(int).clip(0, width - 1)
    y = (middles[:, 1:] + sides[:, 1:2] * _Y).astype(int).clip(0, height - 1)
    levels = (frame_rgb[y, x] // (256 // LEVELS)).astype(int)
    codes = (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]
    rows = codes + NUM_COLOURS * np.arange(len(boxes))[:, None]
    counts = np.bincount(rows.ravel(), minlength=NUM_COLOURS * len(boxes))
    return counts.reshape(len(boxes), NUM_COLOURS).astype(np.uint8)


def usual_colours(counts: np.ndarray) -> np.ndarray:
    """(64,) shares, the median of (T, 64) counts of one person: what passes in front or behind does not count."""
    middle = np.median(counts, axis=0)
    return middle / max(middle.sum(), 1)


def likeness(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(n,) histogram intersection, 0 to 1, of counts (n, 64) with shares (64,)."""
    return np.minimum(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), shares).sum(axis=1)
