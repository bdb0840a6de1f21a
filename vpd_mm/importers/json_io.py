"""Checked reading of foreign JSON files: plain or gzip, with limits on size, numbers and form.

``where`` names the file and the entry in the UserError, ``form`` describes what is expected there.
"""

import gzip
import io
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import parse_json, read_bytes
from ..files.reading import MAX_TEXT_BYTES

#: Largest expansion of a gzip beyond the first bytes; real poses and masks expand up to 30 times.
MAX_GROWTH, GROWTH_FLOOR = 30, 16 << 20
#: Most values (of up to 100 bytes in memory) for a byte of a gzip, beyond the first ones; real poses have up to 0.7.
MAX_VALUES, VALUES_FLOOR = 2, 4 << 20
#: Types of numbers, which bool and str are not; null stands for NaN, which JSON does not have.
_NUMBERS = {int, float, np.float64, type(None)}
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def read_json(path: Path) -> Any:
    """Read a JSON file; gzip is recognised by its first bytes.

    Raises:
        UserError: the file is missing, empty, truncated, not JSON, nested too deep, or too large when unpacked.
    """
    data = read_bytes(path)
    if data[:2] == b'\x1f\x8b':
        limit = min(MAX_TEXT_BYTES, max(GROWTH_FLOOR, MAX_GROWTH * len(data)))
        try:
            with gzip.open(io.BytesIO(data)) as f:
                unpacked = f.read(limit + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as e:
            raise UserError(f'{path}: the gzip is truncated or damaged ({e}); copy it again') from e
        if len(unpacked) > limit:
            raise UserError(f'{path}: unpacks to more than {limit} bytes from {len(data)}; not a file of poses')
        if sum(map(unpacked.count, (b',', b'[', b'{'))) > max(VALUES_FLOOR, MAX_VALUES * len(data)):
            raise UserError(f'{path}: holds too many values for {len(data)} bytes; not a file of poses')
        data = unpacked
    return parse_json(data, path, 'copy it again')


def entries_of(content: Any, where: object, form: str, name: str = 'entry') -> Iterator[tuple[str, Any]]:
    """Yield (where, entry) of a list; ``form`` describes one entry."""
    if not isinstance(content, list):
        raise shape_error(where, f'a list of {form}', content)
    for i, entry in enumerate(content):
        yield f'{where}: {name} {i}', entry


def frame_entries(content: Any, path: Path, form: str, num_frames: int | None) -> Iterator[tuple[str, int, Any]]:
    """Yield (where, frame, value) of ``[[frame, value], ...]``, every frame once."""
    form, frames = f'[frame, {form}]', set[int]()
    for where, entry in entries_of(content, path, form):
        if not isinstance(entry, list) or len(entry) != 2:
            raise shape_error(where, form, entry)
        frame = frame_number(entry[0], where, num_frames, frames)
        yield f'{where} (frame {frame})', frame, entry[1]


def scored_people(content: Any, where: str, form: str) -> Iterator[tuple[float, np.ndarray, Any]]:
    """Yield (score, xyxy box, value) of ``[[score, [x, y, w, h], value], ...]``; see :func:`measurements`."""
    form = f'[score, [x, y, w, h], {form}]'
    for _, person in entries_of(content, where, form):
        if not isinstance(person, list) or len(person) != 3:
            raise shape_error(where, form, person)
        yield float(measurements([person[0]], where, 'a score', 1)[0]), xyxy(person[1], where), person[2]


def fields_of(entry: Any, where: object, names: Iterable[str]) -> list:
    """Return the fields of a JSON object."""
    if not isinstance(entry, dict) or not set(names) <= entry.keys():
        raise shape_error(where, f'{{{", ".join(names)}}}', entry)
    return [entry[name] for name in names]


def first_frame(frames: Collection[int], where: object, num_frames: int | None) -> int:
    """Return from where a file counts the frames: 1 if it has frame 1, no frame 0, and one past the end, else 0.

    Raises:
        UserError: another frame is past the end of the video.
    """
    first = int(0 not in frames and 1 in frames and num_frames in frames)
    if frames:
        frame_number(max(frames) - first, where, num_frames)
    return first


def frame_number(value: Any, where: object, num_frames: int | None, frames: set[int] | None = None) -> int:
    """Return a whole frame number from 0, below ``num_frames`` where that is known; add it to ``frames``, once."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) >= 1 << 53:
        raise UserError(f'{where}: frame must be a whole number, found {brief(value)}')
    frame = int(value)
    if frame < 0:
        raise UserError(f'{where}: frame {frame} is negative; frames count from 0')
    if num_frames is not None and frame >= num_frames:
        raise UserError(f'{where}: frame {frame} is past the end, the video has {num_frames}; is this its file?')
    if frames is not None:
        if frame in frames:
            raise UserError(f'{where}: frame {frame} occurs twice; keep one entry a frame, or one folder an athlete')
        frames.add(frame)
    return frame


def numbers(value: Any, where: str, form: str, size: int) -> np.ndarray:
    """Return a list of numbers that float32 holds as float64 (size,)."""
    array = measurements(value, where, form, size)
    if np.isnan(array).any():
        raise UserError(f'{where}: {form} holds NaN or infinity at index {int(np.argmax(np.isnan(array)))}')
    return array


def measurements(value: Any, where: str, form: str, size: int) -> np.ndarray:
    """Return a list of numbers as float64 (size,); NaN where one is null, not finite, or too large for float32."""
    if not isinstance(value, list) or len(value) != size:
        raise shape_error(where, form, value)
    if not _NUMBERS.issuperset(map(type, value)):
        raise shape_error(where, form, next(v for v in value if type(v) not in _NUMBERS))
    array = np.array(value, dtype=np.float64)
    array[~(np.abs(array) <= _FLOAT32_MAX)] = np.nan
    return array


def xyxy(box: Any, where: str) -> np.ndarray:
    """Return ``[x, y, w, h]`` as (4,) x1, y1, x2, y2; see :func:`measurements`."""
    corner_and_size = measurements(box, where, 'a box [x, y, w, h]', 4)
    corner_and_size[2:] += corner_and_size[:2]
    return corner_and_size


def shape_error(where: object, form: str, value: Any) -> UserError:
    """Return the error for an entry of the wrong form."""
    return UserError(f'{where}: needs {form}, found {brief(value)}')


def brief(value: Any) -> str:
    """Text of a value for an error; of a list, tuple or dict, which may be large or deep, only the number of items."""
    if isinstance(value, (list, tuple, dict)):
        return f'a {type(value).__name__} of {len(value)}'
    return repr(value[:80] if isinstance(value, str) else value)
