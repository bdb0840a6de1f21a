"""Images of other programs: values, and errors before anything is decoded."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from vpd_mm.corpus.image_file import decode_image, read_image
from vpd_mm.errors import UserError

RGB = np.arange(30 * 20 * 3, dtype=np.uint8).reshape(20, 30, 3)


def encoded(suffix, image=RGB):
    return cv2.imencode(suffix, image[..., ::-1] if image.ndim == 3 else image)[1].tobytes()


def png(width, height):
    chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    chunks = [chunk, b'IDAT' + zlib.compress(bytes(1000)), b'IEND']
    packed = [struct.pack('>I', len(c) - 4) + c + struct.pack('>I', zlib.crc32(c)) for c in chunks]
    return b'\x89PNG\r\n\x1a\n' + b''.join(packed)


def progressive():
    return cv2.imencode('.jpg', RGB, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()


def repeated_scans(count):
    data = progressive()
    last = data.rindex(b'\xff\xda')
    return data[:last] + data[last:-2] * count + data[-2:]


@pytest.mark.parametrize('suffix', ['.png', '.bmp', '.jpg'])
def test_images_are_rgb(tmp_path, suffix):
    (tmp_path / 'x').write_bytes(encoded(suffix))
    rgb = read_image(tmp_path / 'x')
    assert (rgb.shape, rgb.dtype) == (RGB.shape, np.uint8)
    if suffix != '.jpg':
        np.testing.assert_array_equal(rgb, RGB)
    assert read_image(tmp_path / 'x').shape == (20, 30, 3)
    assert decode_image(encoded(suffix, RGB[..., 0]), 'x', cv2.IMREAD_GRAYSCALE).shape == (20, 30)


@pytest.mark.parametrize(
    ('data', 'problem'),
    [
        (b'', 'not a readable PNG'),
        (b'GIF89a' + bytes(100), 'not a readable PNG'),
        (b'\xff\xd8\xff', 'not a readable PNG'),
        (b'\xff\xd8' + b'\xff\xe0\0\0' * 50_000, 'not a readable PNG'),
        (encoded('.jpg')[:-40], 'not a readable PNG'),
        (encoded('.png')[:-40], 'not a readable PNG'),
        (encoded('.png')[:60] + encoded('.png')[90:], 'damaged'),
        (png(100_000, 100_000), 'is 100000x100000'),
        (png(0, 5), 'is 0x5'),
        (encoded('.bmp').replace(struct.pack('<ii', 30, 20), struct.pack('<ii', 90_000, -9000)), 'is 90000x9000'),
        (encoded('.jpg').replace(struct.pack('>HH', 20, 30), b'\xff\xf0\xff\xf0'), 'is 65520x65520'),
        (repeated_scans(120), 'has 1[23][0-9] scans'),
    ],
    ids=range(12),
)
def test_what_is_no_image_is_one_line(data, problem):
    with pytest.raises(UserError, match=f'^here: .*{problem}'):
        decode_image(data, 'here')


def test_a_fifo_is_refused(tmp_path):
    os.mkfifo(tmp_path / 'x.png')
    with pytest.raises(UserError, match='not a regular file'):
        read_image(tmp_path / 'x.png')


def test_progressive_jpegs_are_read():
    assert progressive().count(b'\xff\xda') > 5
    assert decode_image(progressive(), 'x').shape == (20, 30, 3)
