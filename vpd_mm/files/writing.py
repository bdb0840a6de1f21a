"""Write results: complete files only, and never over a file that this project did not write."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import UserError
from .reading import open_file

#: Text in every image, video, page or network that a tool writes where the user says; it allows to overwrite it.
MARK = 'made by vpd_mm'
#: Bytes at both ends of a file that are searched for a mark.
_ENDS = 64 << 10


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = 'wb') -> Iterator[IO]:
    """Open a temporary file beside ``path`` and rename it to ``path`` at the end, after it has reached the disk.

    A reader gets either the old file or the complete new one; after an exception ``path`` is unchanged.  An OSError
    names ``path``.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name[:100]}.', suffix='.tmp')
        try:
            os.umask(mask := os.umask(0))
            os.fchmod(handle, 0o666 & ~mask)
            with os.fdopen(handle, mode, encoding=None if 'b' in mode else 'utf-8') as f:
                yield f
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as e:
        if e.errno is not None and e.filename is None:
            e.filename = str(path)
        raise


@contextmanager
def open_output(
    path: str | os.PathLike, mode: str = 'wb', *, mark: str = MARK, overwrite: bool = False
) -> Iterator[IO]:
    """Open a file that the user named for writing, atomically; errors as :func:`check_output`."""
    check_output(path, mark=mark, overwrite=overwrite)
    with atomic_write(path, mode) as f:
        yield f


def check_output(path: str | os.PathLike, *, mark: str = MARK, overwrite: bool = False) -> None:
    """Check that a file may be written: call it before long work.

    A file that exists may be replaced if ``mark`` is part of its first or last 64 KiB, or with ``overwrite``.  Tables,
    which have no room for a mark, pass their header line.

    Raises:
        UserError: the file exists and was not written by this tool, or it is no regular file.
    """
    if not os.path.lexists(path):
        return
    if os.path.exists(path):
        with open_file(path) as f:
            head = f.read(_ENDS)
            f.seek(max(0, os.fstat(f.fileno()).st_size - _ENDS))
            if overwrite or mark.encode() in head or mark.encode() in f.read():
                return
    raise UserError(
        f'{path}: exists and was not written by this tool; move it away, write to another path or pass --overwrite'
    )
