"""Images of other programs: PNG, JPEG and BMP, whose size is read before anything is decoded."""

import struct
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..files import MAX_PIXELS, read_bytes

#: Largest image file.
MAX_IMAGE_BYTES = 256 << 20
#: Scans of a JPEG, each of which is decoded over the whole image; progressive ones have about 10.
MAX_SCANS = 100
_PNG, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND'
_JPEG, _JPEG_SCAN, _JPEG_END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
#: Segments of a JPEG that state its size.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_image(path: Path) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB; errors as :func:`decode_image`."""
    return decode_image(read_bytes(path, MAX_IMAGE_BYTES), path)


def decode_image(data: bytes, where: object, mode: int = cv2.IMREAD_COLOR_RGB) -> np.ndarray:
    """Decode an image to uint8, with the channels that ``mode`` of OpenCV says.

    Raises:
        UserError: it is no PNG, JPEG or BMP, truncated, damaged, or has more than ``MAX_PIXELS`` or ``MAX_SCANS``.
    """
    try:
        width, height = _size(data)
    except (struct.error, IndexError, ValueError) as e:
        raise UserError(f'{where}: not a readable PNG, JPEG or BMP; copy it again') from e
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise UserError(f'{where}: the image is {width}x{height}; at most {MAX_PIXELS} pixels are read')
    if data.startswith(_JPEG) and (scans := data.count(_JPEG_SCAN)) > MAX_SCANS:
        raise UserError(f'{where}: the JPEG has {scans} scans, at most {MAX_SCANS} are read; save it again')
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f'{where}: the image is damaged; copy it again')
    return image


def _size(data: bytes) -> tuple[int, int]:
    """Return (width, height) from the header; ValueError and others where the image is unknown or truncated."""
    if data.startswith(_PNG):
        data.rindex(_PNG_END)
        return struct.unpack_from('>II', data, 16)
    if data.startswith(b'BM'):
        wide = struct.unpack_from('<I', data, 14) != (12,)
        width, height = struct.unpack_from('<ii' if wide else '<HH', data, 18)
        return width, abs(height)
    if not data.startswith(_JPEG):
        raise ValueError('unknown')
    at = len(_JPEG)
    while data[at] == 0xFF and data[at + 1] not in _JPEG_FRAMES:
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    height, width = struct.unpack_from('>HH', data, at + 5)
    data.index(_JPEG_END, at)
    return width, height
