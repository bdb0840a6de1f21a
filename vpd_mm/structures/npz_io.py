"""Arrays on disk: ``.npz`` without pickle, checked before they are allocated."""

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from ..errors import UserError
from ..files import atomic_write, file_state, open_file, open_flags, parse_json

#: Largest array that is read (an hour of 60 fps video with V = 2, D = 2048 needs 3.5 GB).
MAX_ARRAY_BYTES = 8 << 30
#: Largest expansion of a compressed array beyond the first bytes.
MAX_GROWTH, GROWTH_FLOOR = 100, 16 << 20

#: Largest header of an array; numpy parses no larger one.
MAX_HEADER_BYTES = 10_000

#: Bytes that are read at once.
_CHUNK_BYTES = 1 << 20
#: Flags of a file that is read row by row.
_READ_FLAGS = os.O_RDONLY | open_flags('NONBLOCK', 'CLOEXEC', 'BINARY')
#: Local header of a member of zip: the lengths of name and extra field, which follow it.
_LOCAL_HEADER = struct.Struct('<26xHH')

#: Errors of zipfile for a file that is truncated, damaged (also in the name of a member), encrypted or compressed by an
#: unknown method.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError)


def save_npz(
    path: str | os.PathLike,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    source: Mapping[str, Any] | None = None,
    make_folder: bool = True,
) -> None:
    """Write ``arrays`` as an uncompressed npz that states its ``kind`` (for example ``AthleteTrack/1``).

    ``source`` is what they were made of, see :mod:`vpd_mm.corpus.stale_files`; None: unknown.  Without ``make_folder``
    a missing folder is a FileNotFoundError.
    """
    members: dict[str, Any] = {'format': np.array(f'vpd_mm/{kind}'), **arrays}
    if source is not None:
        members['source'] = np.array(json.dumps(source, sort_keys=True, default=str))
    with atomic_write(path, make_folder=make_folder) as f:
        np.savez(f, **members)


def load_npz(path: str | os.PathLike, kind: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays ``fields`` of a file written by :func:`save_npz`.

    Raises:
        UserError: the file is missing, truncated, no npz, of another kind, lacks a field, holds Python objects, or
            declares sizes that differ from its content.
    """
    with _open_archive(Path(path), f'a vpd_mm {kind} npz; delete it and run the step again') as archive:
        _check_kind(archive, kind)
        return {name: _read_member(archive, name) for name in fields}


def read_source(path: str | os.PathLike) -> dict[str, Any] | None:
    """Read what the arrays of a file of :func:`save_npz` were made of; None where it is unknown; raises UserError."""
    with _open_archive(Path(path), 'a file of vpd_mm; delete it and run the step again') as archive:
        if 'source.npy' not in archive.namelist():
            return None
        return check_source(parse_json(str(_read_member(archive, 'source')), path, 'make it again'), path)


def check_source(source: Any, where: object) -> dict[str, Any]:
    """Return ``source`` if it is an object with ``inputs``, name to digest; else raise UserError."""
    inputs = source.get('inputs') if isinstance(source, dict) else None
    if not isinstance(inputs, dict) or not all(isinstance(value, str) for value in inputs.values()):
        raise UserError(f'{where}: its source must be an object with inputs, name to digest; make it again')
    return source


def npz_checksums(path: str | os.PathLike) -> list[tuple[str, int, int]]:
    """Name, size and checksum of the arrays of a file, without its source; they are not read.  Raises UserError."""
    with _open_archive(Path(path), 'an npz; delete it and make it again') as archive:
        members = [(item.filename, item.file_size, item.CRC) for item in archive.infolist()]
    return [member for member in members if member[0] != 'source.npy']


def read_foreign_npz(path: str | os.PathLike, fields: tuple[str, ...], content: str) -> dict[str, np.ndarray]:
    """Read ``fields`` of an npz of another program, compressed or not; ``content`` describes it in errors."""
    with _open_archive(Path(path), content) as archive:
        names = sorted(name.removesuffix('.npy') for name in archive.namelist())
        if missing := [name for name in fields if name not in names]:
            raise UserError(f'{path}: has no field {missing[0]!r}, only {", ".join(names)}; expected {content}')
        return {name: _read_member(archive, name, foreign=True) for name in fields}


def map_npz(path: str | os.PathLike, kind: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Map arrays into memory as :func:`load_npz` reads them, read-only and shared by all processes.

    Their content is not read, so that their checksums are not compared: load the file before.  A file that is replaced
    (as :func:`save_npz` does) stays valid where it is mapped.  A mapping takes none of the open files of a process,
    unlike those of numpy, but Linux allows 65,530 mappings.

    Raises:
        UserError: as :func:`load_npz`, or the file is replaced during the call, or cannot be mapped.
    """
    import torch

    path = Path(path)
    with _open_archive(path, f'a vpd_mm {kind} npz; delete it and run the step again') as archive:
        _check_kind(archive, kind)
        stat = os.fstat(archive.fp.fileno())  # type: ignore[union-attr]
        try:
            data = torch.from_file(str(path), shared=False, size=stat.st_size, dtype=torch.uint8).numpy()
        except RuntimeError as e:
            raise UserError(f'{path}: cannot be mapped into memory ({e})') from e
        if not os.path.samestat(stat, os.stat(path)):
            raise UserError(f'{path}: was replaced while it was read; run again')
        data.flags.writeable = False
        return {name: _map_member(archive, name, data) for name in fields}


class ReplacedError(UserError):
    """A file is not the one that was opened first; its content may be the same."""


class NpzRows:
    """Read rows of the arrays of a file of :func:`save_npz`, which take no memory and hold no file open in between.

    Checksums are not compared: load the file before.  Arrays in Fortran order have no rows.

    Raises:
        UserError: as :func:`load_npz`; of :meth:`reading`, ReplacedError where the file has been replaced or changed.
    """

    __slots__ = ('_arrays', '_path', '_state', 'shapes')

    def __init__(self, path: str | os.PathLike, kind: str, fields: tuple[str, ...]) -> None:
        with _open_archive(Path(path), f'a vpd_mm {kind} npz; delete it and run the step again') as archive:
            _check_kind(archive, kind)
            self._path, self._state = str(path), file_state(archive.fp.fileno())  # type: ignore[union-attr]
            places = [_place_member(archive, name, self._state[0]) for name in fields]
        if any(order == 'F' and len(shape) > 1 for _, shape, order, _ in places):
            raise UserError(f'{path}: holds an array in Fortran order; delete it and run the step again')
        self.shapes = tuple(shape for _, shape, _, _ in places)
        #: Place, bytes of a row, its shape and type.
        self._arrays = [(at, prod(shape[1:]) * dtype.itemsize, shape[1:], dtype) for at, shape, _, dtype in places]

    @contextmanager
    def reading(self) -> Iterator[Callable[[int, int, int], np.ndarray]]:
        """Give a function of the number of a field, a row and the row after the last one."""
        try:
            handle = os.open(self._path, _READ_FLAGS)
        except OSError as e:
            raise UserError(f'{self._path}: cannot be opened ({e.strerror})') from e
        try:
            if file_state(handle) != self._state:
                raise ReplacedError(f'{self._path}: was replaced by another file since this run opened it; start again')

            def rows(field: int, start: int, end: int) -> np.ndarray:
                at, size, shape, dtype = self._arrays[field]
                os.lseek(handle, at + start * size, os.SEEK_SET)
                return np.ndarray((end - start, *shape), dtype, os.read(handle, (end - start) * size))

            yield rows
        finally:
            os.close(handle)


@contextmanager
def _open_archive(path: Path, expected: str) -> Iterator[zipfile.ZipFile]:
    try:
        with open_file(path, missing=f'expected {expected}') as f, zipfile.ZipFile(f) as archive:
            archive.filename = str(path)  # of an open file it would be the number of its descriptor
            yield archive
    except UNREADABLE as e:
        raise UserError(f'{path}: unreadable as an npz ({e}); expected {expected}') from e


def _check_kind(archive: zipfile.ZipFile, kind: str) -> None:
    stored = str(_read_member(archive, 'format'))
    if stored != f'vpd_mm/{kind}':
        where = archive.filename
        raise UserError(f'{where}: holds {stored!r}, expected vpd_mm/{kind}; make it again with this version')


class _Member(NamedTuple):
    """An array of an archive: its entry, type, and the bytes before its values."""

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    order: Literal['C', 'F']
    dtype: np.dtype
    header_bytes: int


def _read_member(archive: zipfile.ZipFile, name: str, foreign: bool = False) -> np.ndarray:
    with _opened_member(archive, name, foreign) as (member, f):
        data, at = bytearray(member.info.file_size - member.header_bytes), 0
        while chunk := f.read(_CHUNK_BYTES):  # zipfile compares the checksum with the last one
            data[at : at + len(chunk)] = chunk
            at += len(chunk)
        return np.ndarray(member.shape, member.dtype, data, order=member.order)


def _place_member(
    archive: zipfile.ZipFile, name: str, num_bytes: int
) -> tuple[int, tuple[int, ...], Literal['C', 'F'], np.dtype]:
    """Return the place of the values of an array in a file of ``num_bytes``, and its shape, order and type."""
    with _opened_member(archive, name) as (member, _):
        pass
    file = archive.fp  # zipfile has compared this header with the entry; reading it there would load a page of a map
    file.seek(member.info.header_offset)  # type: ignore[union-attr]
    names = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))  # type: ignore[union-attr]
    offset = member.info.header_offset + _LOCAL_HEADER.size + sum(names) + member.header_bytes
    if offset + member.info.file_size - member.header_bytes > num_bytes:
        raise UserError(f'{archive.filename}: field {name!r} is cut short; delete the file and run the step again')
    return offset, member.shape, member.order, member.dtype


def _map_member(archive: zipfile.ZipFile, name: str, data: np.ndarray) -> np.ndarray:
    """Return an array of an archive whose bytes are ``data``."""
    offset, shape, order, dtype = _place_member(archive, name, len(data))
    return np.ndarray(shape, dtype, data, offset, order=order)  # type: ignore[arg-type]


@contextmanager
def _opened_member(archive: zipfile.ZipFile, name: str, foreign: bool = False) -> Iterator[tuple[_Member, IO[bytes]]]:
    """Open an array whose sizes are checked; the file is at its first value."""
    where = f'{archive.filename}: field {name!r}'
    try:
        info = archive.getinfo(f'{name}.npy')
    except KeyError as e:
        raise UserError(f'{where} is missing; delete the file and run the step again') from e
    if foreign and info.file_size > max(GROWTH_FLOOR, MAX_GROWTH * info.compress_size):
        raise UserError(f'{where} expands from {info.compress_size} to {info.file_size} bytes; no file of poses does')
    if (info.compress_type != zipfile.ZIP_STORED and not foreign) or info.file_size > MAX_ARRAY_BYTES:
        raise UserError(f'{where} is compressed or larger than {MAX_ARRAY_BYTES} bytes, unlike files of vpd_mm')
    with archive.open(info) as f:
        try:
            is_short = npy_format.read_magic(f) == (1, 0)
            size = f.read(2 if is_short else 4)
            header = f.read(min(int.from_bytes(size, 'little'), MAX_HEADER_BYTES + 1))
            shape, is_fortran, dtype = _parse_header(is_short, size + header)
        except ValueError as e:
            raise UserError(f'{where} is damaged ({e}); delete the file and run the step again') from e
        member = _Member(info, shape, 'F' if is_fortran else 'C', dtype, f.tell())
        if dtype.hasobject:
            raise UserError(f'{where} holds Python objects, which vpd_mm never reads')
        if int(np.prod(shape, dtype=object)) * dtype.itemsize != info.file_size - member.header_bytes:
            raise UserError(f'{where} declares shape {shape}, more or less than the file holds')
        yield member, f


@lru_cache(maxsize=1000)
def _parse_header(is_short: bool, header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Parse shape, order and type of an array; most headers of a corpus are alike, and parsing one is slow."""
    read_header = npy_format.read_array_header_1_0 if is_short else npy_format.read_array_header_2_0
    return read_header(io.BytesIO(header))
