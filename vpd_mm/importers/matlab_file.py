"""MATLAB 5 files, plain or compressed: real arrays and one-line texts, everything else is left out.

No length or shape that a file declares is allocated: arrays are views of the bytes that it holds, and what a compressed
variable expands to is limited.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import read_bytes

#: Largest file, and what its variables may expand to together (a label file of Penn Action takes 15 KB).
MAX_BYTES = 16 << 20
#: Types of data; UTF-8 (16) is the type of some texts.
_TYPES = {
    1: 'i1',
    2: 'u1',
    3: 'i2',
    4: 'u2',
    5: 'i4',
    6: 'u4',
    7: 'f4',
    9: 'f8',
    12: 'i8',
    13: 'u8',
    16: 'u1',
    17: 'u2',
}
_MATRIX, _COMPRESSED, _UINT32, _INT32, _INT8 = 14, 15, 6, 5, 1
#: Classes of arrays: text, and double to uint64.
_CHAR, _NUMERIC = 4, range(6, 16)
_COMPLEX = 0x800


def read_matlab_file(path: Path) -> dict[str, np.ndarray | str]:
    """Read the variables of a file: real arrays, and texts of one line.

    Raises:
        UserError: the file is missing, too large, truncated, damaged, or of another version of MATLAB.
    """
    data = read_bytes(path, MAX_BYTES)
    order = {b'IM': '<', b'MI': '>'}.get(data[126:128], '')
    variables: dict[str, np.ndarray | str] = {}
    try:
        if not order or data[125 if order == '<' else 124] != 1:
            raise ValueError('needs version 5 to 7.2')
        total = 0
        for kind, content in _elements(memoryview(data)[128:], order, align=1):
            if kind == _COMPRESSED:
                inflated = zlib.decompressobj().decompress(content, MAX_BYTES - total + 1)
                total += len(inflated)
                if total > MAX_BYTES:
                    raise ValueError(f'expands to more than {MAX_BYTES} bytes')
                kind, content = next(_elements(memoryview(inflated), order, align=1), (0, content))
            if kind != _MATRIX:
                raise ValueError(f'variable of type {kind}')
            variables |= _variable(content, order)
    except (ValueError, struct.error, zlib.error) as e:
        raise UserError(f'{path}: unreadable as a MATLAB 5 file ({e}); copy it again') from e
    return variables


def _elements(data: memoryview, order: str, align: int = 8) -> Iterator[tuple[int, memoryview]]:
    """Yield (type, content) of the elements in a row."""
    while data:
        kind, size = struct.unpack_from(f'{order}II', data)
        start = 8
        if kind >> 16:  # a small element: type and size share four bytes
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        if start + size > (8 if start == 4 else len(data)):
            raise ValueError('truncated')
        yield kind, data[start : start + size]
        data = data[8 if start == 4 else start + -(-size // align) * align :]


def _variable(content: memoryview, order: str) -> dict[str, np.ndarray | str]:
    parts = _elements(content, order)
    (flags_type, flags), (shape_type, shape), (name_type, name) = (next(parts, (0, content)) for _ in range(3))
    if (flags_type, shape_type, name_type) != (_UINT32, _INT32, _INT8) or len(flags) != 8 or len(shape) > 32 * 4:
        raise ValueError('a variable without a valid header')
    sizes = np.frombuffer(shape, f'{order}i4').tolist()
    if min(sizes, default=0) < 0:
        raise ValueError(f'a variable of shape {sizes}')
    (flag,) = struct.unpack_from(f'{order}I', flags)
    if (flag & 0xFF != _CHAR and flag & 0xFF not in _NUMERIC) or flag & _COMPLEX:
        return {}
    kind, values = next(parts, (0, content))
    if kind not in _TYPES:
        raise ValueError(f'data of type {kind}')
    array = np.frombuffer(values, np.dtype(f'{order}{_TYPES[kind]}'))
    key = bytes(name).decode('ascii')
    if flag & 0xFF != _CHAR:
        return {key: array.reshape(sizes, order='F')}
    if len(sizes) != 2 or sizes[0] != 1:
        return {}
    wide = array.dtype.itemsize == 2
    return {key: array.tobytes().decode(f'utf-16-{"le" if order == "<" else "be"}' if wide else 'utf-8')}
