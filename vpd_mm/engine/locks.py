"""Advisory file locks, released by the kernel when their process ends."""

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from ..errors import UserError
from ..files import check_no_link, disk_errors_name, open_flags
from ..files.writing import NO_LOCKS

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Digits of the longest number of a process.
_MAX_DIGITS = 20


@contextmanager
def file_lock(path: Path, *, shared: bool = False, wait_sec: float = 0.0, busy: str = '') -> Iterator[None]:
    """Hold a lock on ``path``; the file stays on disk and has no meaning while unlocked.

    Where the system or the file system has no locks, a warning says so and nothing is locked.

    Args:
        path: Created when missing.
        shared: Allow several shared holders at once; an exclusive lock allows no other holder.
        wait_sec, busy: How long to wait for another holder, and the message of the UserError after that.

    Raises:
        UserError: the lock is held, or ``path`` is a link or a file with other content than the number of a process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    check_no_link(path)
    end = time.monotonic() + wait_sec
    handle = os.open(path, os.O_RDWR | os.O_CREAT | open_flags('NOFOLLOW', 'NONBLOCK', 'CLOEXEC', 'BINARY'), 0o666)
    with os.fdopen(handle, 'r+b', buffering=0) as file:
        _read_holder(file, path)
        while not _try_lock(file, path, shared):
            if time.monotonic() >= end:
                by = f' (process {holder})' if (holder := _read_holder(file, path)) else ''
                raise UserError((busy or f'{path}: locked by another process') + by)
            time.sleep(0.01)  # often, as others may take it again soon after each release
        if not shared:
            with disk_errors_name(path):
                file.seek(0)
                file.truncate()
                file.write(str(os.getpid()).encode())
        yield


def _try_lock(file: IO[bytes], path: Path, shared: bool) -> bool:
    """Lock a file, if there are locks here; False where another process holds it."""
    reason = 'this system'
    if fcntl is not None:
        try:
            with disk_errors_name(path):
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError as e:
            if e.errno not in NO_LOCKS:
                raise
            reason = f'the file system of {path.parent}'
    _warn_once(reason)
    return True


@cache
def _warn_once(where: str) -> None:
    logging.getLogger(__name__).warning('%s has no locks; run one command at a time', where)


def _read_holder(file: IO[bytes], path: Path) -> str:
    """The number of the process that held the lock last, '' for a new lock; UserError where it is another file."""
    content = b'no file'
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.seek(0)
        content = file.read(_MAX_DIGITS + 1)
    if content and not (content.isdigit() and len(content) <= _MAX_DIGITS):
        raise UserError(f'{path}: is no lock of vpd_mm, whose place it takes; move it away')
    return content.decode()
