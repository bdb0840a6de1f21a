"""Advisory file locks, released by the kernel when their process ends."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..files import check_no_link, disk_errors_name

#: Digits of the longest number of a process.
_MAX_DIGITS = 20


@contextmanager
def file_lock(path: Path, *, shared: bool = False, wait_sec: float = 0.0, busy: str = '') -> Iterator[None]:
    """Hold a lock on ``path``; the file stays on disk and has no meaning while unlocked.

    Args:
        path: Created when missing.
        shared: Allow several shared holders at once; an exclusive lock allows no other holder.
        wait_sec, busy: How long to wait for another holder, and the message of the UserError after that.

    Raises:
        UserError: the lock is held, or ``path`` is a link or a file with other content than the number of a process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    check_no_link(path)
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    end = time.monotonic() + wait_sec
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        _read_holder(handle, path)
        while True:
            try:
                fcntl.flock(handle, mode)
                break
            except BlockingIOError as e:
                if time.monotonic() >= end:
                    by = f' (process {holder})' if (holder := _read_holder(handle, path)) else ''
                    raise UserError((busy or f'{path}: locked by another process') + by) from e
                time.sleep(0.05)
        if not shared:
            os.ftruncate(handle, 0)
            with disk_errors_name(path):
                os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _read_holder(handle: int, path: Path) -> str:
    """The number of the process that held the lock last, '' for a new lock; UserError where it is another file."""
    content = os.pread(handle, _MAX_DIGITS + 1, 0) if stat.S_ISREG(os.fstat(handle).st_mode) else b'no file'
    if content and not (content.isdigit() and len(content) <= _MAX_DIGITS):
        raise UserError(f'{path}: is no lock of vpd_mm, whose place it takes; move it away')
    return content.decode()
