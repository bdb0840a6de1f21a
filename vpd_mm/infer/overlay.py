"""Draw answers into frames and show them: as a video, in a window, as a list."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..visualize.boxes import draw_boxes
from ..visualize.panels import draw_text, resize
from ..visualize.skeleton import draw_skeleton, place_normalized
from ..visualize.video_writer import VideoWriter

#: The larger side of the joints, relative to that of the box, which also holds hair, hands and feet.
_FILL = 0.85
#: Longer side of an image at most, px.
_MAX_SIDE = 1280


def place_joints(joints: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Normalised joints (13, 2) to px of the frame (13, 2).

    A student gives the shape of a pose, not its position and size: the joints
    are centred on the box (xyxy) and fill 85 % of its larger side.
    """
    low, high = joints.min(axis=0), joints.max(axis=0)
    scale = _FILL * float((box[2:] - box[:2]).max()) / max(float((high - low).max()), 1e-6)
    return place_normalized(joints - (low + high) / 2, tuple((box[:2] + box[2:]) / 2), scale)


def draw_answer(
    rgb: np.ndarray,
    athletes: Sequence[tuple[np.ndarray, np.ndarray | None]],
    lines: Sequence[str],
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """A copy of a frame with boxes, placed joints and lines of text.

    Args:
        rgb: (H, W, 3) uint8.
        athletes: Box (xyxy px) and normalised joints (13, 2), or None, of each athlete.
        lines: Text in the top left corner.
        labels: Text at the box of each athlete; '' = none.

    Returns:
        (h, w, 3) uint8 with even sides, at most 1280 px.
    """
    scale = min(1.0, _MAX_SIDE / max(rgb.shape[:2]))
    height, width = (max(2, int(side * scale) // 2 * 2) for side in rgb.shape[:2])
    image = resize(rgb, height, width)
    factor = np.array([width / rgb.shape[1], height / rgb.shape[0]])
    draw_boxes(image, np.array([box * np.tile(factor, 2) for box, _ in athletes]), labels)
    for box, joints in athletes:
        if joints is not None:
            draw_skeleton(image, place_joints(joints, box) * factor)
    return draw_text(image, lines, (6, 4), max(14, max(height, width) // 50))


def check_display() -> None:
    """Check that a window can be shown, before work is done for it.

    Raises:
        UserError: there is no display.
    """
    if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise UserError('show: no display (DISPLAY is not set); write a video with vis_out_dir instead')


class Window:
    """A window that shows one frame after the other, by matplotlib (OpenCV comes without windows here).

    Args:
        title: Of the window.
        wait_time: Seconds between two frames, at least.

    Raises:
        UserError: there is no display, or no window toolkit.
    """

    def __init__(self, title: str, wait_time: float = 0.0) -> None:
        check_display()
        import matplotlib.pyplot as plt
        from matplotlib.backend_bases import FigureManagerBase

        try:
            self._figure = plt.figure(title)
            has_window = type(self._figure.canvas.manager) is not FigureManagerBase
        except Exception as e:  # every window toolkit has errors of its own
            reason = ' '.join(str(e).split())[:200]
            raise UserError(f'show: no window can be opened ({reason}); write a video with vis_out_dir instead') from e
        if not has_window:
            raise UserError('show: matplotlib has no window toolkit (tkinter, PyQt); write a video with vis_out_dir')
        self._plt, self._wait = plt, max(wait_time, 1e-3)
        self._image: Any = None

    def show(self, rgb: np.ndarray) -> bool:
        """Show a frame; False once the window was closed."""
        if not self._plt.fignum_exists(self._figure.number):
            return False
        if self._image is None:
            axes = self._figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            self._image = axes.imshow(rgb)
        self._image.set_data(rgb)
        self._plt.pause(self._wait)
        return True

    def close(self) -> None:
        self._plt.close(self._figure)


class Canvas:
    """Send drawn frames to a video, a window and a list: to any of them, or to none.

    Args:
        path: Of the video; None = no video.
        fps: Of the video.
        title: Of the window.
        show: Open a window; closing it ends the showing, nothing else.
        wait_time: Seconds between two frames in the window.
        return_vis: Keep the frames.

    Raises:
        UserError: there is no display to show on.
    """

    def __init__(
        self, path: Path | None, fps: float, title: str, show: bool, wait_time: float, return_vis: bool
    ) -> None:
        self.path = path
        self.frames: list[np.ndarray] | None = [] if return_vis else None
        self._window = Window(title, wait_time) if show else None
        self._writer = VideoWriter(path, fps) if path is not None else None
        self._stack = ExitStack()

    @property
    def wanted(self) -> bool:
        """False where frames go nowhere and need not be drawn."""
        return self._writer is not None or self._window is not None or self.frames is not None

    @property
    def result(self) -> Path | list[np.ndarray] | None:
        """The frames where they are kept, else the path of the video."""
        return self.path if self.frames is None else self.frames

    def __enter__(self) -> 'Canvas':
        if self._writer is not None:
            self._stack.enter_context(self._writer)
        if self._window is not None:
            self._stack.callback(self._window.close)
        return self

    def paint(self, rgb: np.ndarray) -> None:
        """Take the next drawn frame."""
        if self._writer is not None:
            self._writer.write(rgb)
        if self._window is not None and not self._window.show(rgb):
            self._window = None
        if self.frames is not None:
            self.frames.append(rgb)

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
