"""Arrays on disk: ``.npz`` without pickle, checked before they are allocated."""

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from ..errors import UserError
from ..files import atomic_write, open_file, parse_json

#: Largest array that is read (an hour of 60 fps video with V = 2, D = 2048 needs 3.5 GB).
MAX_ARRAY_BYTES = 8 << 30
#: Largest expansion of a compressed array beyond the first bytes.
MAX_GROWTH, GROWTH_FLOOR = 100, 16 << 20

#: Errors of zipfile for a file that is truncated, damaged (also in the name of a member), encrypted or compressed by an
#: unknown method.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError)


def save_npz(
    path: str | os.PathLike, kind: str, arrays: Mapping[str, np.ndarray], source: Mapping[str, Any] | None = None
) -> None:
    """Write ``arrays`` as an uncompressed npz that states its ``kind`` (for example ``AthleteTrack/1``).

    ``source`` is what they were made of, see :mod:`vpd_mm.corpus.provenance`; None: unknown.
    """
    members: dict[str, Any] = {'format': np.array(f'vpd_mm/{kind}'), **arrays}
    if source is not None:
        members['source'] = np.array(json.dumps(source, sort_keys=True, default=str))
    with atomic_write(path) as f:
        np.savez(f, **members)


def load_npz(path: str | os.PathLike, kind: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays ``fields`` of a file written by :func:`save_npz`.

    Raises:
        UserError: the file is missing, truncated, no npz, of another kind, lacks a field, holds Python objects, or
            declares sizes that differ from its content.
    """
    with _open_archive(Path(path), f'a vpd_mm {kind} npz; delete it and run the step again') as archive:
        stored = str(_read_member(archive, 'format'))
        if stored != f'vpd_mm/{kind}':
            raise UserError(f'{path}: holds {stored!r}, expected vpd_mm/{kind}; make it again with this version')
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


@contextmanager
def _open_archive(path: Path, expected: str) -> Iterator[zipfile.ZipFile]:
    try:
        with open_file(path, missing=f'expected {expected}') as f, zipfile.ZipFile(f) as archive:
            archive.filename = str(path)  # of an open file it would be the number of its descriptor
            yield archive
    except UNREADABLE as e:
        raise UserError(f'{path}: unreadable as an npz ({e}); expected {expected}') from e


def _read_member(archive: zipfile.ZipFile, name: str, foreign: bool = False) -> np.ndarray:
    where = f'{archive.filename}: field {name!r}'
    try:
        info = archive.getinfo(f'{name}.npy')
    except KeyError as e:
        raise UserError(f'{where} is missing; delete the file and run the step again') from e
    if foreign and info.file_size > max(GROWTH_FLOOR, MAX_GROWTH * info.compress_size):
        raise UserError(f'{where} expands from {info.compress_size} to {info.file_size} bytes; no file of poses does')
    if (info.compress_type != zipfile.ZIP_STORED and not foreign) or info.file_size > MAX_ARRAY_BYTES:
        raise UserError(f'{where} is compressed or larger than {MAX_ARRAY_BYTES} bytes, unlike files of vpd_mm')
    try:
        with archive.open(info) as member:
            version = npy_format.read_magic(member)
            read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, _, dtype = read_header(member)
            header_bytes = member.tell()
        if dtype.hasobject:
            raise UserError(f'{where} holds Python objects, which vpd_mm never reads')
        if int(np.prod(shape, dtype=object)) * dtype.itemsize != info.file_size - header_bytes:
            raise UserError(f'{where} declares shape {shape}, more or less than the file holds')
        with archive.open(info) as member:
            return npy_format.read_array(member, allow_pickle=False)
    except UserError:
        raise
    except ValueError as e:
        raise UserError(f'{where} is damaged ({e}); delete the file and run the step again') from e
