"""Draw answers into frames and show them: as a video, in a window, as a list."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..visualize.panels import BOX, draw_boxes, draw_text, legend, resize
from ..visualize.skeleton import SIDES, draw_skeleton, place_joints
from ..visualize.video_writer import VideoWriter

#: Takes the next drawn frame (H, W, 3) uint8 RGB, and its time, s.
Paint = Callable[[np.ndarray, float], None]

_LEGEND = {'box of an athlete': BOX, **SIDES, 'pose of the student: its shape, fitted into the box': None}
#: Longer side of an image at most, px.
_MAX_SIDE = 1280


def draw_answer(
    rgb: np.ndarray,
    athletes: Sequence[tuple[np.ndarray, np.ndarray | None]],
    lines: Sequence[str],
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Draw boxes, placed joints and lines of text into a copy of a frame, of at most 1280 px, above a legend.

    Both sides are even.

    Args:
        rgb: (H, W, 3) uint8.
        athletes: Box (xyxy px) and normalised joints (13, 2), or None, of each athlete.
        lines: Text in the top left corner.
        labels: Text at the box of each athlete; '' = none.
    """
    scale = min(1.0, _MAX_SIDE / max(rgb.shape[:2]))
    height, width = (max(2, int(side * scale) // 2 * 2) for side in rgb.shape[:2])
    image = resize(rgb, height, width)
    factor = np.array([width / rgb.shape[1], height / rgb.shape[0]])
    draw_boxes(image, np.array([box * np.tile(factor, 2) for box, _ in athletes]), labels)
    for box, joints in athletes:
        if joints is not None:
            draw_skeleton(image, place_joints(joints, box) * factor)
    size = max(14, max(height, width) // 50)
    return np.concatenate([draw_text(image, lines, (6, 4), size), legend(width, _LEGEND, max(14, width // 80))])


def check_display() -> None:
    """Raise UserError if there is no display to show a window on."""
    if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise UserError('show: no display (DISPLAY is not set); write a video with vis_out_dir instead')


class Window:
    """A window that shows one frame after the other, by matplotlib (OpenCV comes without windows here).

    Raises UserError where there is no display, or no window toolkit.
    """

    def __init__(self, title: str) -> None:
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
        self._plt = plt
        self._image: Any = None

    def show(self, rgb: np.ndarray, seconds: float) -> None:
        """Show a frame, unless the window was closed."""
        if not self._plt.fignum_exists(self._figure.number):
            return
        if self._image is None:
            axes = self._figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            self._image = axes.imshow(rgb)
        self._image.set_data(rgb)
        self._plt.pause(1e-3)

    def close(self) -> None:
        self._plt.close(self._figure)


@contextmanager
def open_canvas(
    name: str, fps: float, vis_out_dir: str | os.PathLike = '', show: bool = False, return_vis: bool = False
) -> Iterator[tuple[Paint | None, Path | list[np.ndarray] | None]]:
    """Send drawn frames to a video ``<vis_out_dir>/<name>.mp4``, a window and a list: to any of them, or to none.

    Yields a function that takes the next frame (None where frames go nowhere), and the list of frames or the path of
    the video.  Closing the window ends the showing, nothing else.  Raises UserError where there is no display for it.
    """
    path = Path(vis_out_dir) / f'{name}.mp4' if vis_out_dir else None
    frames: list[np.ndarray] = []
    targets: list[Paint] = []
    with ExitStack() as stack:
        if show:
            window = Window(name)
            stack.callback(window.close)
            targets.append(window.show)
        if path is not None:
            targets.append(stack.enter_context(VideoWriter(path, fps)).write)
        if return_vis:
            targets.append(lambda rgb, seconds: frames.append(rgb))

        def paint(rgb: np.ndarray, seconds: float) -> None:
            for target in targets:
                target(rgb, seconds)

        yield paint if targets else None, frames if return_vis else path
