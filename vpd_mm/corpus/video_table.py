"""videos.csv: the table of the videos of a corpus."""

import csv
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..structures import atomic_write
from ..structures.table_io import read_table

_NUMBERS = {'fps': float, 'num_frames': int, 'width': int, 'height': int}
COLUMNS = ('video', 'path', *_NUMBERS)

#: Names become file names and, with the frame number, LMDB keys of at most 511 bytes.
MAX_NAME_BYTES = 200


@dataclass(frozen=True)
class VideoInfo:
    """One athlete of one video file.

    Args:
        video: Unique name: the stem of the file; where a file shows several
            athletes, ``<athlete>__<stem>``.
        path: The video file; several rows may share one.  Empty where an
            importer had no file.
        fps: Frames per second (the mean, where the rate varies).
        num_frames: Frames of the video.
        width: Pixels, after rotation by the file's metadata.
        height: As width.

    Raises:
        UserError: a value is not valid.
    """

    video: str
    path: str
    fps: float
    num_frames: int
    width: int
    height: int

    def __post_init__(self) -> None:
        check_video_name(self.video)
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise UserError(f'video {self.video}: fps must be above 0, found {self.fps}')
        for field in ('num_frames', 'width', 'height'):
            if getattr(self, field) < 1:
                raise UserError(f'video {self.video}: {field} must be 1 or more, found {getattr(self, field)}')


def check_video_name(name: str) -> None:
    """Raise UserError if ``name`` is no valid name of a video (see :class:`VideoInfo`)."""
    if not name or name[0] == '.' or any(c in name for c in ',"/\\') or not name.isprintable():
        raise UserError(
            f'video name {name!r}: must be non-empty and printable, without comma, quote or slash, and not start with '
            'a dot; rename the file'
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UserError(f'video name {name!r}: longer than {MAX_NAME_BYTES} bytes; rename the file')


def save_videos(path: str | os.PathLike, videos: Iterable[VideoInfo]) -> None:
    """Write videos.csv, sorted by name."""
    with atomic_write(path, 'w') as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(COLUMNS)
        writer.writerows([getattr(v, c) for c in COLUMNS] for v in sorted(videos, key=lambda v: v.video))


def load_videos(path: str | os.PathLike) -> dict[str, VideoInfo]:
    """Read videos.csv: name to row, in the file's order.

    Raises:
        UserError: the file is missing or a line is not valid; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: no such file; tools/prepare.py or tools/import_dataset.py makes it')
    videos: dict[str, VideoInfo] = {}
    for line, row in read_table(path, COLUMNS):
        try:
            numbers = {name: _number(name, kind, row[name]) for name, kind in _NUMBERS.items()}
            info = VideoInfo(row['video'], row['path'], **numbers)
            if info.video in videos:
                raise UserError(f'video {info.video} has two rows')
        except ValueError as e:
            raise UserError(f'{path}:{line}: {e}') from e
        videos[info.video] = info
    return videos


def _number(name: str, kind: Callable[[str], Any], text: str) -> Any:
    try:
        return kind(text)
    except ValueError as e:
        raise UserError(f'{name} must be a number, found {text!r}') from e
