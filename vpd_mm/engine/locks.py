"""Advisory file locks: freed by the kernel when their process ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError


@contextmanager
def file_lock(path: Path, *, shared: bool = False, wait_sec: float = 0.0, busy: str = '') -> Iterator[None]:
    """Hold ``path`` (made when missing) locked.

    Args:
        path: The lock file; it stays on disk and means nothing when unlocked.
        shared: Several shared holders go together; an exclusive one goes alone.
        wait_sec: How long to wait for another holder.
        busy: The error line when it is still held.

    Raises:
        UserError: somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    end = time.monotonic() + wait_sec
    with path.open('a+') as handle:
        while True:
            try:
                fcntl.flock(handle, mode)
                break
            except BlockingIOError as e:
                if time.monotonic() >= end:
                    handle.seek(0)
                    holder = handle.read(20).strip()
                    by = f' (process {holder})' if holder else ''
                    raise UserError((busy or f'{path}: locked by another process') + by) from e
                time.sleep(0.05)
        if not shared:
            handle.seek(0)
            handle.truncate()
            handle.write(str(os.getpid()))
            handle.flush()
        yield
