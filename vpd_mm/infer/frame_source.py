"""Inputs of the inferencer: files, folders, arrays, iterators, cameras."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..athlete import FrameSource, VideoReader
from ..corpus.image_file import read_image
from ..errors import UserError
from ..files import check_video_name, input_name, is_ours, list_folder
from ..prepare.sources import find_videos, videos_inside
from ..structures import FrameTimes

#: Suffixes of the images in a folder of frames.
IMAGE_SUFFIXES = frozenset(['.jpg', '.jpeg', '.png', '.bmp'])
#: Frames per second of inputs without a rate.
DEFAULT_FPS = 25.0

_CAMERA = re.compile(r'(?:(?:camera|webcam):?)?([0-9]{1,9})|camera|webcam')

Input = str | os.PathLike | int | np.ndarray | Iterable[np.ndarray]
#: One video: index of a camera, path, array or iterator, or why it is refused.
Entry = int | Path | np.ndarray | Iterable[np.ndarray] | UserError


class Images:
    """Frames that can be read again: arrays, or files that ``read`` opens.

    Raises UserError where an image cannot be read or has another size than the first.
    """

    def __init__(self, items: Any, fps: float, path: Path, read: Callable[[Any], np.ndarray] = np.asarray) -> None:
        self.path, self.fps, self.times, self.num_frames = path, fps, FrameTimes(fps), len(items)
        self._items, self._read = items, read
        self.height, self.width = read(items[0]).shape[:2]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for frame_ind, rgb in enumerate(map(self._read, self._items)):
            if rgb.shape[:2] != (self.height, self.width):
                size = f'{rgb.shape[1]}x{rgb.shape[0]}'
                hint = f'the first image {self.width}x{self.height}; one size per video'
                raise UserError(f'{self._items[frame_ind]}: is {size}, {hint}')
            yield frame_ind, rgb


class FrameStream:
    """Frames of an iterator, which can be read once; the constructor reads the first one.

    Raises UserError where there is no frame, or one is not (H, W, 3) uint8 RGB of the first one's size.
    """

    def __init__(self, frames: Iterable[np.ndarray], fps: float, name: str) -> None:
        self.path, self.fps, self.times, self.num_frames = Path(name), fps, FrameTimes(fps), 0
        rest = iter(frames)
        first = next(rest, None)
        if first is None:
            raise UserError(f'{name}: the iterator gives no frame')
        self._check(first, None, 0)
        self.height, self.width = first.shape[:2]
        self._rest: Iterator[np.ndarray] | None = chain([first], rest)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        rest, self._rest = self._rest, None
        if rest is None:
            raise UserError(f'{self.path}: a stream can be read once')
        for frame_ind, rgb in enumerate(rest):
            self._check(rgb, (self.height, self.width, 3), frame_ind)
            yield frame_ind, rgb

    def _check(self, rgb: np.ndarray, shape: tuple[int, ...] | None, frame_ind: int) -> None:
        valid = isinstance(rgb, np.ndarray) and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8
        if not valid or shape not in (None, rgb.shape):
            given = getattr(rgb, 'shape', type(rgb).__name__)
            expected = shape or '(H, W, 3)'
            raise UserError(f'{self.path}: frame {frame_ind} must be {expected} uint8 RGB, found {given}')


def capture_frames(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    """Yield the RGB frames of an open capture and release it."""
    try:
        while True:
            ok, bgr = capture.read()
            if not ok:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def open_camera(index: int, fps: float | None) -> FrameStream:
    """Open a camera; UserError where there is none, or it gives no image."""
    log: Any = getattr(cv2.utils, 'logging', cv2)  # OpenCV 4.11, of NumPy 1.26, has it in cv2
    level = log.getLogLevel()
    log.setLogLevel(0)  # silent
    try:
        capture = cv2.VideoCapture(index)
    finally:
        log.setLogLevel(level)
    if not capture.isOpened():
        raise UserError(f'camera {index}: cannot be opened; check that it is connected and not used by another program')
    rate = capture.get(cv2.CAP_PROP_FPS)
    return FrameStream(capture_frames(capture), fps or (rate if 0 < rate < 1000 else DEFAULT_FPS), f'camera{index}')


def list_inputs(inputs: Input | list | tuple, output_dirs: Iterable[str | os.PathLike] = ()) -> dict[str, Entry]:
    """Name each video: each item of a list, each video of a folder, or a folder of images.

    A bare number or ``camera:<number>`` is a camera, unless a file or folder has that name.  ``output_dirs`` are the
    folders of the results ('' = none), skipped where they lie inside a searched folder.

    Returns the name of the results to an entry, a UserError where the name is not valid or that of an earlier input.
    Raises UserError: a folder holds neither videos nor images, or the list is one of frames.
    """
    items = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not items:
        raise UserError('no input given')
    if any(isinstance(item, np.ndarray) and item.ndim == 3 for item in items):
        raise UserError('a list holds videos, not frames; pass iter(frames) or np.stack(frames)')
    skipped = [Path(folder).resolve() for folder in output_dirs if folder]
    named: dict[str, Entry] = {}
    for item in items:
        path = Path(item) if isinstance(item, str | os.PathLike) else None
        for one in _list_folder(path, skipped) if path is not None and path.is_dir() else [item]:
            name, entry = _name_input(one, len(named))
            try:
                check_video_name(name)
                if name in named:
                    raise UserError(f'two inputs are named {name!r}, as are the results; pass one with another --out')
            except UserError as e:
                name, entry = f'{one}', e
            named[name] = entry
    return named


def _list_folder(folder: Path, skipped: list[Path]) -> list[Path]:
    root = folder.resolve()
    inside = {path for path in skipped if root in path.parents}
    videos = [p for p in videos_inside(folder) if inside.isdisjoint((p.parent.resolve() / p.name).parents)]
    images = image_files(folder)
    if images:  # overlays of them do not make it a folder of videos
        videos = [p for p in videos if not is_ours(p)]
    if videos:
        return find_videos(videos)
    if images:
        return [folder]
    raise UserError(f'{folder}: folder holds no video and no image')


def _name_input(item: Input, number: int) -> tuple[str, Entry]:
    if isinstance(item, str) and (match := _CAMERA.fullmatch(item)) and not Path(item).exists():
        item = int(match[1] or 0)
    if isinstance(item, int):
        return f'camera{item}', item
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        return input_name(path), path
    return f'array{number}' if isinstance(item, np.ndarray) else f'stream{number}', item


def open_source(name: str, item: Entry, fps: float | None = None) -> FrameSource:
    """Open one entry of :func:`list_inputs`; UserError where it cannot be read.

    Files are resampled to ``fps`` (``VideoReader``); it is the rate of other inputs.
    """
    if fps is not None and not 0 < fps < 1e4:
        raise UserError(f'fps must be above 0, found {fps}')
    if isinstance(item, UserError):
        raise item
    if isinstance(item, int):
        return open_camera(item, fps)
    if isinstance(item, Path) and not item.is_dir():
        return VideoReader(item, fps)
    rate = fps or DEFAULT_FPS
    if isinstance(item, Path):
        return Images(image_files(item), rate, item, read_image)
    if isinstance(item, np.ndarray):
        if item.ndim != 4 or item.shape[-1] != 3 or item.dtype != np.uint8 or not item.size:
            raise UserError(f'{name}: frames must be (T, H, W, 3) uint8 RGB, found {item.shape} {item.dtype}')
        return Images(item, rate, Path(name))
    if isinstance(item, Iterable):
        return FrameStream(item, rate, name)
    hint = 'must be a path, a folder, an array, an iterator of frames or a camera index'
    raise UserError(f'input of type {type(item).__name__}: {hint}')


def image_files(folder: Path) -> list[Path]:
    """Images of a folder, sorted by name, numbers in it by value; also unreadable ones: none may be skipped."""
    files = [p for p in list_folder(folder) if p.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(files, key=lambda p: [int(s) if s.isdecimal() else s for s in re.split(r'(\d+)', p.name)])
