"""Advisory file locks, released by the kernel when their process ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..files import disk_errors_name


@contextmanager
def file_lock(path: Path, *, shared: bool = False, wait_sec: float = 0.0, busy: str = '') -> Iterator[None]:
    """Hold a lock on ``path``; the file stays on disk and has no meaning while unlocked.

    Args:
        path: Created when missing.
        shared: Allow several shared holders at once; an exclusive lock allows no other holder.
        wait_sec, busy: How long to wait for another holder, and the message of the UserError after that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    end = time.monotonic() + wait_sec
    with path.open('ab+', buffering=0) as handle:
        while True:
            try:
                fcntl.flock(handle, mode)
                break
            except BlockingIOError as e:
                if time.monotonic() >= end:
                    handle.seek(0)
                    holder = handle.read(20).decode(errors='replace').strip()
                    by = f' (process {holder})' if holder else ''
                    raise UserError((busy or f'{path}: locked by another process') + by) from e
                time.sleep(0.05)
        if not shared:
            handle.seek(0)
            handle.truncate()
            with disk_errors_name(path):
                handle.write(str(os.getpid()).encode())
        yield
