"""MATLAB 5 files equal what SciPy reads; a lying or expanding file costs nothing."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io

from vpd_mm.errors import UserError
from vpd_mm.importers.matlab_file import MAX_BYTES, read_matlab_file

FIELDS = {
    'double': np.arange(6, dtype=float).reshape(2, 3) / 7,
    'bytes': np.array([[1, 2, 3]], np.uint8),
    'small': np.array([[-7]], np.int16),
    'cube': np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    'text': 'Läufer',
}


def header(order='<'):
    return b'MATLAB 5.0'.ljust(124) + struct.pack(f'{order}HH', 0x100, 0x4D49)


def element(kind, content):
    return struct.pack('<II', kind, len(content)) + content + b'\0' * (-len(content) % 8)


ONE = struct.pack('<d', 2.5)


def matrix(name=b'x', flag=6, shape=(1, 1), data=ONE, kind=9):
    parts = element(6, struct.pack('<II', flag, 0)) + element(5, np.array(shape, '<i4').tobytes()) + element(1, name)
    return element(14, parts + element(kind, data))


def compressed(content):
    packed = zlib.compress(content)
    return struct.pack('<II', 15, len(packed)) + packed


@pytest.mark.parametrize('compress', [False, True])
def test_arrays_and_texts(tmp_path, compress):
    others = {'cell': np.array([[1, 'a']], object), 'struct': {'a': 1}, 'complex': np.ones((1, 1), complex)}
    scipy.io.savemat(tmp_path / 'x.mat', FIELDS | others, do_compression=compress)
    variables = read_matlab_file(tmp_path / 'x.mat')
    assert variables.pop('text') == 'Läufer'
    assert list(variables) == list(FIELDS)[:-1]
    for name, array in variables.items():
        np.testing.assert_array_equal(array, FIELDS[name])


def test_big_endian(tmp_path):
    data = struct.pack('>IIIIIIII', 6, 8, 6, 0, 5, 8, 1, 1) + b'\0\1\0\1x\0\0\0' + struct.pack('>IId', 9, 8, 2.5)
    (tmp_path / 'x.mat').write_bytes(header('>') + struct.pack('>II', 14, len(data)) + data)
    assert read_matlab_file(tmp_path / 'x.mat') == {'x': 2.5}


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (b'', 'needs version 5'),
        (b'\x89HDF\r\n' + b' ' * 600, 'needs version 5'),
        (header()[:124] + struct.pack('<HH', 0x200, 0x4D49), 'needs version 5'),  # 7.3
        (lambda: header() + compressed(matrix(shape=(1 << 20, 16), data=bytes(128 << 20))), 'expands to more than'),
        (lambda: header() + compressed(matrix(shape=(1, 1 << 20), data=bytes(8 << 20))) * 3, 'expands to more than'),
        (header() + compressed(compressed(matrix())), 'variable of type 15'),
        (header() + compressed(matrix())[:-12], 'truncated'),
        (header() + matrix()[:-4], 'truncated'),
        (header() + matrix(shape=(1 << 30, 1 << 30)), 'cannot reshape'),
        (header() + matrix(shape=(-1, -1)), 'of shape'),
        (header() + matrix(shape=(-3, 1)), 'of shape'),
        (header() + matrix(shape=[1] * 40), 'valid header'),
        (header() + matrix(kind=14), 'data of type 14'),
        (header() + matrix(data=b'xyz'), 'multiple of element size'),
        (header() + matrix(name='ü'.encode()), 'ascii'),
        (header() + struct.pack('<II', 14, 1 << 31), 'truncated'),
    ],
)
def test_a_damaged_or_lying_file_is_one_line(tmp_path, content, problem):
    path = tmp_path / 'x.mat'
    path.write_bytes(content() if callable(content) else content)
    tracemalloc.start()
    with pytest.raises(UserError, match=rf'x\.mat: unreadable as a MATLAB 5 file \(.*({problem})') as raised:
        read_matlab_file(path)
    assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
    tracemalloc.stop()
    assert str(raised.value).isprintable()


def test_a_text_of_a_billion_declared_characters_is_as_long_as_its_bytes(tmp_path):
    (tmp_path / 'x.mat').write_bytes(header() + matrix(flag=4, shape=(1, 1 << 30), data=b'abc', kind=16))
    assert read_matlab_file(tmp_path / 'x.mat') == {'x': 'abc'}
