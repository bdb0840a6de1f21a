"""Arrays on disk: ``.npz`` without pickle, written atomically, checked before they are allocated."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from ..errors import UserError

#: More than this in one array is not a file of ours (an hour of 60 fps video with V = 2, D = 2048 needs 3.5 GB).
MAX_ARRAY_BYTES = 8 << 30

#: What zipfile raises of a file that is cut short, damaged, encrypted or packed in another way.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = 'wb') -> Iterator[IO]:
    """Open a temporary file beside ``path`` and rename it onto ``path`` at the end.

    A reader sees either the old file or the whole new one; after an exception
    neither the temporary file nor a change is left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp')
    try:
        os.fchmod(handle, 0o666 & ~_umask())
        with os.fdopen(handle, mode) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_npz(path: str | os.PathLike, kind: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` as an uncompressed npz that names its ``kind`` (for example ``AthleteTrack/1``)."""
    with atomic_write(path) as f:
        members: dict[str, Any] = {'format': np.array(f'vpd_mm/{kind}'), **arrays}
        np.savez(f, **members)


def load_npz(path: str | os.PathLike, kind: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays ``fields`` of a file that :func:`save_npz` wrote.

    Raises:
        UserError: the file is missing, cut short, no npz, of another kind,
            lacks a field, holds Python objects, or claims sizes that it does
            not have.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: no such file; expected a vpd_mm {kind} npz')
    try:
        with zipfile.ZipFile(path) as archive:
            found = str(_read_member(archive, 'format', path))
            if found != f'vpd_mm/{kind}':
                raise UserError(f'{path}: holds {found!r}, expected vpd_mm/{kind}; make it again with this version')
            return {name: _read_member(archive, name, path) for name in fields}
    except _UNREADABLE as e:
        raise UserError(f'{path}: unreadable as a vpd_mm {kind} npz ({e}); delete it and run the step again') from e


def read_foreign_npz(path: str | os.PathLike, fields: tuple[str, ...], what: str) -> dict[str, np.ndarray]:
    """Read the arrays ``fields`` of an npz that others wrote, compressed or not.

    Raises:
        UserError: as :func:`load_npz`; ``what`` says what the file should be.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: no such file; expected {what}')
    try:
        with zipfile.ZipFile(path) as archive:
            found = sorted(name.removesuffix('.npy') for name in archive.namelist())
            if missing := [name for name in fields if name not in found]:
                raise UserError(f'{path}: has no field {missing[0]!r}, only {", ".join(found)}; expected {what}')
            return {name: _read_member(archive, name, path, foreign=True) for name in fields}
    except _UNREADABLE as e:
        raise UserError(f'{path}: unreadable as an npz ({e}); expected {what}') from e


def _read_member(archive: zipfile.ZipFile, name: str, path: Path, foreign: bool = False) -> np.ndarray:
    try:
        info = archive.getinfo(f'{name}.npy')
    except KeyError as e:
        raise UserError(f'{path}: field {name!r} is missing; delete the file and run the step again') from e
    if (info.compress_type != zipfile.ZIP_STORED and not foreign) or info.file_size > MAX_ARRAY_BYTES:
        raise UserError(f'{path}: field {name!r} is compressed or larger than {MAX_ARRAY_BYTES} bytes; not one of ours')
    try:
        with archive.open(info) as member:
            version = npy_format.read_magic(member)
            read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, _, dtype = read_header(member)
            header_bytes = member.tell()
        if dtype.hasobject:
            raise UserError(f'{path}: field {name!r} holds Python objects, which vpd_mm never reads')
        if int(np.prod(shape, dtype=object)) * dtype.itemsize != info.file_size - header_bytes:
            raise UserError(f'{path}: field {name!r} claims shape {shape}, more or less than the file holds')
        with archive.open(info) as member:
            return npy_format.read_array(member, allow_pickle=False)
    except UserError:
        raise
    except ValueError as e:
        raise UserError(f'{path}: field {name!r} is damaged ({e}); delete the file and run the step again') from e


def check_frame_inds(what: str, frame_inds: np.ndarray) -> None:
    """Frame numbers are (T,) int64, from 0, strictly increasing."""
    check_array(what, 'frame_inds', frame_inds, np.int64, (None,))
    if len(frame_inds) and (frame_inds[0] < 0 or np.any(np.diff(frame_inds) <= 0)):
        raise UserError(f'{what}: frame_inds must start at 0 or later and strictly increase (no duplicate frame)')


def check_array(what: str, field: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> None:
    """Check dtype, shape (None = any) and that every number is finite."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = getattr(array, 'dtype', type(array).__name__)
        raise UserError(f'{what}: {field} must be a {np.dtype(dtype)} array, found {found}')
    fits = array.ndim == len(shape) and all(want in (None, got) for got, want in zip(array.shape, shape, strict=True))
    if not fits:
        wanted = tuple('any' if n is None else n for n in shape)
        raise UserError(f'{what}: {field} must have shape {wanted}, found {array.shape}')
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        raise UserError(f'{what}: {field} holds NaN or infinity (first at index {_first_bad(array)})')


def _first_bad(array: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
