"""The answers drawn into the frames: into a film, or onto the screen."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from ..errors import UserError
from ..features.preview import BONES
from ..structures import atomic_write
from .result_files import FILM_MARK

_BOX, _LEFT, _RIGHT, _MIDDLE = (255, 220, 0), (230, 90, 60), (60, 110, 230), (240, 240, 240)
#: The joints' larger side, relative to the box's: a box also holds hair, hands and feet.
_FILL = 0.85
#: Longer side of a film at most.
_MAX_SIDE = 1280


def place_joints(joints: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Normalised joints (13, 2) to px of the frame (13, 2).

    A student says the shape of a pose, not its place and size: the joints are
    centred on the box (xyxy) and fill 85 % of its larger side.
    """
    low, high = joints.min(axis=0), joints.max(axis=0)
    scale = _FILL * float((box[2:] - box[:2]).max()) / max(float((high - low).max()), 1e-6)
    return (joints - (low + high) / 2) * scale + (box[:2] + box[2:]) / 2


def draw_answer(
    rgb: np.ndarray, seen: Sequence[tuple[np.ndarray, np.ndarray | None]], lines: Sequence[str]
) -> np.ndarray:
    """A copy of a frame with boxes, placed joints (the athlete's left red, right blue) and lines of text.

    Args:
        rgb: (H, W, 3) uint8.
        seen: Of each athlete the box (xyxy px) and the normalised joints (13, 2), or None.
        lines: What stands in the corner.

    Returns:
        (h, w, 3) uint8 with even sides, at most 1280 px.
    """
    scale = min(1.0, _MAX_SIDE / max(rgb.shape[:2]))
    height, width = (max(2, int(side * scale) // 2 * 2) for side in rgb.shape[:2])
    # INTER_AREA copies where nothing is scaled
    picture = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    factor = np.array([width / rgb.shape[1], height / rgb.shape[0]])
    thickness = max(1, round(max(height, width) / 400))
    for box, pose in seen:
        x1, y1, x2, y2 = np.clip(box * np.tile(factor, 2), -9999, 9999).round().astype(int).tolist()
        cv2.rectangle(picture, (x1, y1), (x2, y2), _BOX, thickness)
        if pose is not None:
            points = np.clip(place_joints(pose, box) * factor, -9999, 9999).round().astype(int)
            for a, b in BONES:
                colour = _MIDDLE if (a % 2 != b % 2) or 0 in (a, b) else (_LEFT if a % 2 else _RIGHT)
                cv2.line(picture, points[a].tolist(), points[b].tolist(), colour, thickness + 1, cv2.LINE_AA)
            cv2.circle(picture, points[0].tolist(), 2 * thickness, _MIDDLE, -1, cv2.LINE_AA)
    size = max(0.4, max(height, width) / 1400)
    for row, text in enumerate(lines):
        place = (6, round(38 * size * (row + 0.8)))
        text = text.encode('ascii', 'replace').decode()  # OpenCV's font has no more
        for colour, weight in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)
    return picture


class Film:
    """An mp4 that appears when it is finished; after an exception there is none.

    Args:
        path: The file.
        fps: Frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._stack = ExitStack()
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> 'Film':
        with ExitStack() as stack:
            file = stack.enter_context(atomic_write(self.path))
            self._container = stack.enter_context(av.open(file, 'w', format='mp4'))
            self._container.metadata['comment'] = FILM_MARK
            self._stack = stack.pop_all()
        return self

    def write(self, picture: np.ndarray) -> None:
        """Add a frame (h, w, 3) uint8 RGB; sides even, the same for all."""
        if self._stream is None:
            self._stream = self._container.add_stream('libx264', rate=Fraction(self.fps).limit_denominator(1001))
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = 'yuv420p'
            self._stream.options = {'crf': '23', 'preset': 'veryfast'}
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture)))

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode())
        finally:
            self._stack.__exit__(kind, error, trace)


def check_display() -> None:
    """Raises UserError where no window can be shown, before work is done for it."""
    if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise UserError('show: no display (DISPLAY is not set); write a film with vis_out_dir instead')


class Screen:
    """A window that shows one frame after the other, by matplotlib (OpenCV comes without a window here).

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
            windows = type(self._figure.canvas.manager) is not FigureManagerBase
        except Exception as e:  # every window toolkit has errors of its own
            what = ' '.join(str(e).split())[:200]
            raise UserError(f'show: no window can be opened ({what}); write a film with vis_out_dir instead') from e
        if not windows:
            raise UserError('show: matplotlib has no window toolkit (tkinter, PyQt); write a film with vis_out_dir')
        self._plt, self._wait = plt, max(wait_time, 1e-3)
        self._image: Any = None

    def show(self, picture: np.ndarray) -> bool:
        """Show a frame; False once the window was closed."""
        if not self._plt.fignum_exists(self._figure.number):
            return False
        if self._image is None:
            axes = self._figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            self._image = axes.imshow(picture)
        self._image.set_data(picture)
        self._plt.pause(self._wait)
        return True

    def close(self) -> None:
        self._plt.close(self._figure)


class Canvas:
    """Where pictures go: a film, a window, a list; any of them, or none.

    Args:
        path: Of the film; None = no film.
        fps: Of the film.
        title: Of the window.
        show: Open a window; closing it ends the showing, nothing else.
        wait_time: Seconds between two pictures in the window.
        return_vis: Keep the pictures.

    Raises:
        UserError: there is no display to show on.
    """

    def __init__(
        self, path: Path | None, fps: float, title: str, show: bool, wait_time: float, return_vis: bool
    ) -> None:
        self.path = path
        self.pictures: list[np.ndarray] | None = [] if return_vis else None
        self._screen = Screen(title, wait_time) if show else None
        self._film = Film(path, fps) if path is not None else None
        self._stack = ExitStack()

    @property
    def wanted(self) -> bool:
        """Whether anybody looks."""
        return self._film is not None or self._screen is not None or self.pictures is not None

    @property
    def result(self) -> Path | list[np.ndarray] | None:
        """The pictures where they are kept, else the film's path."""
        return self.path if self.pictures is None else self.pictures

    def __enter__(self) -> 'Canvas':
        if self._film is not None:
            self._stack.enter_context(self._film)
        if self._screen is not None:
            self._stack.callback(self._screen.close)
        return self

    def paint(self, picture: np.ndarray) -> None:
        """Take the next picture."""
        if self._film is not None:
            self._film.write(picture)
        if self._screen is not None and not self._screen.show(picture):
            self._screen = None
        if self.pictures is not None:
            self.pictures.append(picture)

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
