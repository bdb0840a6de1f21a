"""What an inferencer takes as a video: files, folders, arrays, iterators, cameras."""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from ..athlete import VideoReader
from ..athlete.frame_source import FrameSource
from ..errors import UserError
from ..prepare.sources import find_videos, videos_inside
from .result_files import is_our_overlay

#: Endings of pictures that a folder of frames may hold.
PICTURE_ENDINGS = frozenset(['.jpg', '.jpeg', '.png', '.bmp'])
#: Frames a second of what does not tell it.
DEFAULT_FPS = 25.0

_CAMERA = re.compile(r'(?:camera|webcam)(?::(\d+))?')

Input = str | os.PathLike | int | np.ndarray | Iterable[np.ndarray]


class ArrayFrames:
    """Frames (T, H, W, 3) uint8 RGB in memory.

    Raises:
        UserError: another shape or dtype, or no frame.
    """

    def __init__(self, frames: np.ndarray, fps: float, name: str) -> None:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise UserError(f'{name}: frames must be (T, H, W, 3) uint8 RGB, found {frames.shape} {frames.dtype}')
        self.path, self.fps = Path(name), fps
        self._frames = frames
        self.num_frames, self.height, self.width = frames.shape[:3]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        return enumerate(self._frames)


class PictureFolder:
    """The pictures of a folder, one a frame, in the order of their names (numbers by value).

    Raises:
        UserError: a picture cannot be read or has another size than the first.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        self.path, self.fps = folder, fps
        self._files = picture_files(folder)
        self.num_frames = len(self._files)
        self.height, self.width = self._read(self._files[0]).shape[:2]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for frame_ind, file in enumerate(self._files):
            rgb = self._read(file)
            if rgb.shape[:2] != (self.height, self.width):
                found = f'{rgb.shape[1]}x{rgb.shape[0]}'
                raise UserError(f'{file}: is {found}, the first picture {self.width}x{self.height}; one size a video')
            yield frame_ind, rgb

    def _read(self, file: Path) -> np.ndarray:
        bgr = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if bgr is None:
            raise UserError(f'{file}: not a readable picture; copy it again')
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


class FrameStream:
    """Frames of an iterator, which can be read once; the first one is read at once.

    Raises:
        UserError: no frame comes, or one is not (H, W, 3) uint8 RGB of the first one's size.
    """

    def __init__(self, frames: Iterable[np.ndarray], fps: float, name: str) -> None:
        self.path, self.fps, self.num_frames = Path(name), fps, 0
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
        found = getattr(rgb, 'shape', type(rgb).__name__)
        fits = isinstance(rgb, np.ndarray) and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8
        if not fits or shape not in (None, rgb.shape):
            wanted = shape or '(H, W, 3)'
            raise UserError(f'{self.path}: frame {frame_ind} must be {wanted} uint8 RGB, found {found}')


def capture_frames(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    """RGB frames of an open capture, until it gives no more; then it is released."""
    try:
        while True:
            ok, bgr = capture.read()
            if not ok:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def open_camera(index: int, fps: float | None) -> FrameStream:
    """Camera ``index``.

    Raises:
        UserError: there is none, or it gives no picture.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise UserError(f'camera {index}: cannot be opened; check that it is connected and that no program holds it')
    told = capture.get(cv2.CAP_PROP_FPS)
    return FrameStream(capture_frames(capture), fps or (told if 0 < told < 1000 else DEFAULT_FPS), f'camera{index}')


def list_inputs(inputs: Input | list | tuple, outs: Iterable[str | os.PathLike] = ()) -> list[Input]:
    """One entry a video: a list is taken apart, a folder of videos searched, a folder of pictures is one video.

    Args:
        inputs: One input, or a list of them.
        outs: Folders that results go to ('' = none): where they lie inside a folder, they are not searched.

    Raises:
        UserError: a folder holds neither, or the list is one of frames.
    """
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not given:
        raise UserError('no input given')
    if any(isinstance(item, np.ndarray) and item.ndim == 3 for item in given):
        raise UserError('a list holds videos, not frames; pass iter(frames) or np.stack(frames)')
    found: list[Input] = []
    for item in given:
        if isinstance(item, str | os.PathLike) and Path(item).is_dir():
            found += _list_folder(Path(item), [Path(out).resolve() for out in outs if out])
        else:
            found.append(item)
    return found


def _list_folder(folder: Path, outs: list[Path]) -> list[Input]:
    root = folder.resolve()
    inside = {out for out in outs if root in out.parents}
    videos = [p for p in videos_inside(folder) if inside.isdisjoint((p.parent.resolve() / p.name).parents)]
    pictures = picture_files(folder)
    if pictures:  # overlays of them do not make them a folder of videos
        videos = [p for p in videos if not is_our_overlay(p)]
    if videos:
        return [*find_videos(videos)]
    if pictures:
        return [folder]
    raise UserError(f'{folder}: folder holds no video and no picture')


def input_name(item: Input, number: int = 0) -> str:
    """What results of one entry of :func:`list_inputs` are called; ``number`` as in :func:`open_source`."""
    if isinstance(item, int):
        return f'camera{item}'
    if isinstance(item, str) and (match := _CAMERA.fullmatch(item)) and not Path(item).exists():
        return f'camera{match[1] or 0}'
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        return path.name if path.is_dir() else path.stem
    return f'array{number}' if isinstance(item, np.ndarray) else f'stream{number}'


def open_source(item: Input, fps: float | None = None, number: int = 0) -> FrameSource:
    """Open one entry of :func:`list_inputs`.

    Args:
        item: The entry.
        fps: Of a file: resample to it (``VideoReader``); else frames a second of what comes.
        number: Names arrays and iterators.

    Raises:
        UserError: it cannot be read.
    """
    if fps is not None and not 0 < fps < 1e4:
        raise UserError(f'fps must be above 0, found {fps}')
    if isinstance(item, bool) or item is None:
        raise UserError(f'input {item!r}: must be a path, a folder, an array, an iterator of frames or a camera index')
    if isinstance(item, int):
        return open_camera(item, fps)
    if isinstance(item, np.ndarray):
        return ArrayFrames(item, fps or DEFAULT_FPS, f'array{number}')
    if isinstance(item, str) and (match := _CAMERA.fullmatch(item)) and not Path(item).exists():
        return open_camera(int(match[1] or 0), fps)
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        return PictureFolder(path, fps or DEFAULT_FPS) if path.is_dir() else VideoReader(path, fps)
    if isinstance(item, Iterable):
        return FrameStream(item, fps or DEFAULT_FPS, f'stream{number}')
    raise UserError(
        f'input of type {type(item).__name__}: must be a path, a folder, an array, an iterator of frames or a camera '
        'index'
    )


def picture_files(folder: Path) -> list[Path]:
    """Pictures of a folder, by name, numbers in it by value."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_ENDINGS and p.is_file()]
    return sorted(files, key=lambda p: [int(s) if s.isdigit() else s for s in re.split(r'(\d+)', p.name)])
