"""Write results: complete files only, never over a file that this project did not write nor through a link."""

import errno
import glob
import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..errors import UserError
from .reading import open_file, open_flags

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Text in every image, video, page or network that a tool writes where the user says; it allows to replace the file.
MARK = 'made by vpd_mm'
#: Bytes at both ends of a file that are searched for a mark.
_ENDS = 64 << 10
#: Errors of a file system, often one of a network, that has no locks.
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}
#: Longest name of a file or folder.
_MAX_NAME_BYTES = 255


@contextmanager
def disk_errors_name(path: str | os.PathLike) -> Iterator[None]:
    """Name ``path`` in an OSError of the block, such as a full disk, that names no file."""
    try:
        yield
    except OSError as e:
        if e.errno is not None and e.filename is None:
            e.filename = str(path)
        raise


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = 'wb', make_folder: bool = True) -> Iterator[IO]:
    """Open a temporary file beside ``path`` and rename it to ``path`` at the end, after it has reached the disk.

    A reader gets either the old file or the complete new one; after an exception ``path`` is unchanged.  An OSError
    names ``path``.  Without ``make_folder`` a missing folder is a FileNotFoundError.
    """
    path = Path(path)
    prefix = _prefix(path)
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _open_temporary(path.parent, prefix)
        with ExitStack() as lock:
            if fcntl is not None:  # Windows, which has no such lock, renames no open file
                lock.callback(os.close, os.dup(handle))
            try:
                with os.fdopen(handle, mode, encoding=None if 'b' in mode else 'utf-8') as f:
                    yield f
                    f.flush()
                    os.fsync(f.fileno())
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
    except OSError as e:
        if e.errno is not None and (e.filename is None or Path(os.fsdecode(e.filename)).name.startswith(prefix)):
            e.filename, e.filename2 = str(path), None
        raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write a whole file as :func:`atomic_write`."""
    with atomic_write(path) as f:
        f.write(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 text as :func:`atomic_write`."""
    write_bytes(path, text.encode())


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Write lines of UTF-8 text as :func:`atomic_write`."""
    write_text(path, ''.join(f'{line}\n' for line in lines))


def write_json(path: str | os.PathLike, content: Any, **options: Any) -> None:
    """Write JSON as :func:`atomic_write`; ``options`` are those of ``json.dumps``."""
    write_text(path, json.dumps(content, **options) + '\n')


def _open_temporary(folder: Path, prefix: str) -> tuple[int, str]:
    """Make an empty file that no other process writes, in place of one that a killed process left."""
    names = (str(folder / f'{prefix}{number}.tmp') for number in itertools.count())
    flags = os.O_RDWR | open_flags('NOFOLLOW', 'NONBLOCK', 'CLOEXEC', 'BINARY')
    while fcntl is not None:
        _remove_left(name := next(names), flags)
        try:
            handle = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.lstat(name)):
                return handle, name
        except (BlockingIOError, FileNotFoundError):  # another process has just taken it for one that was left
            pass
        except OSError as e:
            os.close(handle)
            os.unlink(name)
            if e.errno not in NO_LOCKS:
                raise
            break
        os.close(handle)
    handle, name = tempfile.mkstemp(dir=folder, prefix=prefix, suffix='.tmp')
    os.umask(mask := os.umask(0))
    os.chmod(name, 0o666 & ~mask)
    return handle, name


def _remove_left(name: str, flags: int) -> None:
    """Remove a temporary file that no process holds: another user, or another umask, may have made it."""
    with suppress(OSError), os.fdopen(os.open(name, flags), 'rb') as left:  # where there is one, of this user
        fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(left.fileno()), os.lstat(name)):
            os.unlink(name)


def remove_unfinished(path: str | os.PathLike) -> None:
    """Remove the temporary files that killed processes left beside ``path``, while no other process writes it."""
    for left in Path(path).parent.glob(f'{glob.escape(_prefix(Path(path)))}*.tmp'):
        left.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f'.{os.fsencode(path.name)[:100].decode(errors="ignore")}.'


def append(path: str | os.PathLike, data: bytes) -> None:
    """Append to a file, made where it is missing, and wait until the disk has it.

    After an OSError, such as a full disk, which names ``path``, the file is as before.
    """
    check_no_link(path)
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | open_flags('NOFOLLOW', 'NONBLOCK', 'CLOEXEC'), 0o666
    )
    with os.fdopen(handle, 'wb', buffering=0) as f, disk_errors_name(path):
        size = os.fstat(handle).st_size
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[f.write(rest) :]
            os.fsync(handle)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise


@contextmanager
def open_output(
    path: str | os.PathLike,
    mode: str = 'wb',
    *,
    mark: str = MARK,
    overwrite: bool = False,
    inputs: Iterable[str | os.PathLike] = (),
) -> Iterator[IO]:
    """Open a file that the user named for writing, atomically; arguments and errors as :func:`check_output`."""
    check_output(path, mark=mark, overwrite=overwrite, inputs=inputs)
    with atomic_write(path, mode) as f:
        yield f


def check_output(
    path: str | os.PathLike,
    *,
    mark: str = MARK,
    overwrite: bool = False,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Check that a file may be written: call it before long work.

    A file that exists may be replaced if :func:`is_ours`, or with ``overwrite``.  No input of the same command is ever
    replaced: no file of ``inputs``, and in a folder of ``inputs`` nothing but what is ours.

    Raises:
        UserError: the file exists and was not written by this tool or is an input, it is no regular file, or its
            folder cannot be made or written.
    """
    _check_folder(Path(path))
    if not os.path.lexists(path):
        return
    link_to_nothing = not os.path.exists(path)
    ours = not link_to_nothing and is_ours(path, mark)
    for source in map(Path, inputs):
        inside = not ours and source.resolve() in Path(path).resolve().parents
        if inside or (source.exists() and not link_to_nothing and source.samefile(path)):
            raise UserError(f'{path}: is an input of this command and would be replaced; write to another path')
    if link_to_nothing or not (ours or overwrite):
        raise UserError(
            f'{path}: exists and was not written by this tool; move it away, write to another path or pass --overwrite'
        )


def _check_folder(path: Path) -> None:
    if any(len(os.fsencode(name)) > _MAX_NAME_BYTES for name in path.parts):
        raise UserError(f'{path}: a name is longer than {_MAX_NAME_BYTES} bytes; write to another path')
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not os.path.isdir(folder):
        raise UserError(f'{path}: {folder} is no folder; write to another path')
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f'{path}: no permission to write into {folder}; write to another path')


def is_ours(path: str | os.PathLike, mark: str = MARK) -> bool:
    """True where ``mark`` is part of the first or last 64 KiB of a file.

    Tables, which have no room for a mark, pass their header line.  A file that is missing or not regular raises
    UserError.
    """
    with open_file(path) as f:
        head = f.read(_ENDS)
        f.seek(max(0, os.fstat(f.fileno()).st_size - _ENDS))
        return mark.encode() in head or mark.encode() in f.read()


def check_no_link(path: str | os.PathLike) -> None:
    """Check that a path which this project names, in a folder that may come from elsewhere, leads nowhere else.

    Raises:
        UserError: it is a symbolic link.
    """
    if os.path.islink(path):
        raise UserError(
            f'{path}: is a link to {Path(path).readlink()}, through which files elsewhere would be changed; replace it '
            'by what it leads to, or link the whole folder'
        )


def check_no_links(folder: str | os.PathLike, *levels: str) -> None:
    """Check the entries of a folder, which itself may be a link, as :func:`check_no_link`.

    Checkpoints (``*.pth``) may be links: they are only ever replaced or removed.

    Args:
        folder: May be missing.
        levels: Patterns of the entries, outer ones first; default: those directly in the folder.
    """
    for level in levels or ('*',):
        for path in Path(folder).glob(level):
            if path.suffix != '.pth':
                check_no_link(path)
