"""Rate, length and size of the videos of a release, whose video files are not needed."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from .json_io import read_json
from .pickle_data import read_pickle_data


class VideoMeta(NamedTuple):
    """Data of one video."""

    fps: float
    num_frames: int
    width: int
    height: int


def read_video_meta(path: str | os.PathLike) -> dict[str, VideoMeta]:
    """Read ``<sport>.video_meta.json`` ({video: {fps, num_frames, width, height}}) or the release's ``.pkl`` of it.

    Raises:
        UserError: the file is missing or damaged, or a value is invalid.
    """
    path = Path(path)
    table = read_pickle_data(path) if path.suffix == '.pkl' else read_json(path)
    if not isinstance(table, dict):
        raise UserError(f'{path}: needs {{video: {{fps, num_frames, width, height}}}}, found {type(table).__name__}')
    return {str(video): parse_video_meta(entry, f'{path}: {video}') for video, entry in table.items()}


def parse_video_meta(entry: Any, where: str) -> VideoMeta:
    """Check one entry, a dict or a tuple in the order of :class:`VideoMeta`; ``where`` names it in errors."""
    fields = VideoMeta._fields
    values = dict(zip(fields, entry, strict=False)) if isinstance(entry, tuple) else entry
    if not isinstance(values, dict):
        raise UserError(f'{where}: needs {", ".join(fields)}, found {type(entry).__name__}')
    for field in fields:
        value = values.get(field)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float('inf'):
            raise UserError(f'{where}: {field} must be a positive number, found {value!r}')
    return VideoMeta(float(values['fps']), *(int(values[field]) for field in fields[1:]))


def find_video_meta(source: Path, sport: str, path: str | os.PathLike | None) -> dict[str, VideoMeta]:
    """Read ``path``, or by default ``<sport>.video_meta.json|pkl`` in the source or its parent.

    Raises:
        UserError: there is none.
    """
    names = [f'{sport}.video_meta.json', f'{sport}.video_meta.pkl']
    candidates = [folder / name for folder in (source, source.resolve().parent) for name in names]
    path = path or next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UserError(f'{source}: neither here nor one folder up is {" or ".join(names)}; pass --meta FILE')
    return read_video_meta(path)
