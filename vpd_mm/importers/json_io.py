"""JSON from elsewhere: plain or gzipped, never trusted with its size, numbers or shape."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

#: A JSON text larger than this is refused (the poses of an hour of 60 fps video take about 200 MB).
MAX_JSON_BYTES = 2 << 30
#: Real poses and masks shrink up to 30 times; past the floor a file that grows more than this is a bomb.
MAX_GROWTH = 100
GROWTH_FLOOR = 16 << 20
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def read_json(path: Path) -> Any:
    """Read a JSON file; gzip is recognised by its first bytes.

    Raises:
        UserError: the file is missing, empty, cut short, not JSON, nested
            absurdly, or unpacks to an absurd size.
    """
    if not path.is_file():
        raise UserError(f'{path}: no such file')
    compressed = path.stat().st_size
    try:
        with path.open('rb') as raw:
            is_gzip = raw.read(2) == b'\x1f\x8b'
        if is_gzip:
            data = _gunzip(path, min(MAX_JSON_BYTES, max(GROWTH_FLOOR, MAX_GROWTH * compressed)))
        elif compressed > MAX_JSON_BYTES:
            raise UserError(f'{path}: {compressed} bytes of JSON, more than {MAX_JSON_BYTES}; split it by video')
        else:
            data = path.read_bytes()
        return json.loads(data)
    except UserError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise UserError(f'{path}: the gzip is cut short or damaged ({e}); copy it again') from e
    except ValueError as e:
        raise UserError(f'{path}: cut short or not JSON ({e}); copy it again') from e
    except RecursionError as e:
        raise UserError(f'{path}: nested too deep for a file of boxes or poses') from e


def _gunzip(path: Path, limit: int) -> bytes:
    with gzip.open(path) as f:
        data = f.read(limit + 1)
    if len(data) > limit:
        raise UserError(f'{path}: unpacks to more than {limit} bytes from {path.stat().st_size}; not a file of poses')
    return data


def frame_number(value: Any, where: str, num_frames: int | None) -> int:
    """A whole frame number from 0, below ``num_frames`` where that is known.

    Raises:
        UserError: it is not one; ``where`` names the file and the entry.
    """
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) >= 1 << 53:
        raise UserError(f'{where}: frame must be a whole number, found {value!r}')
    frame = int(value)
    if frame < 0:
        raise UserError(f'{where}: frame {frame} is negative; frames count from 0')
    if num_frames is not None and frame >= num_frames:
        raise UserError(f'{where}: frame {frame} is past the end, the video has {num_frames}; is this its file?')
    return frame


def numbers(value: Any, where: str, what: str, size: int | tuple[int, ...]) -> np.ndarray:
    """A finite float64 array whose length (or shape) is one of ``size``.

    Raises:
        UserError: it is not one; ``what`` says what was wanted.
    """
    sizes = (size,) if isinstance(size, int) else size
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as e:
        raise UserError(f'{where}: needs {what}, found {_brief(value)}') from e
    if array.ndim != 1 or len(array) not in sizes:
        raise UserError(f'{where}: needs {what}, found {_brief(value)}')
    sound = np.abs(array) <= _FLOAT32_MAX
    if not sound.all():
        raise UserError(f'{where}: {what} holds NaN or infinity at index {int(np.argmin(sound))}')
    return array


def shape_error(where: str, wanted: str, found: Any) -> UserError:
    """The error for an entry of the wrong form."""
    return UserError(f'{where}: needs {wanted}, found {_brief(found)}')


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return f'a list of {len(value)} ({repr(value)[:60]})'
    return repr(value)[:80]
