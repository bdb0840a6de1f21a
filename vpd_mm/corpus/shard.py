"""LMDB shards: one file per writer, opened once per process, growing as needed.

Keys: ``h/<video>`` header, written last, makes a video visible; ``w/<video>`` marks a video that is being written;
``c/<video>/<frame>`` crop record; ``i/<video>/<frame>`` whole frame.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import lmdb

from ..errors import UserError

HEADER, WRITING, CROP, IMAGE = b'h/', b'w/', b'c/', b'i/'

_FIRST_MAP_BYTES = 64 << 20


def header_key(video: str) -> bytes:
    return HEADER + video.encode()


def writing_key(video: str) -> bytes:
    return WRITING + video.encode()


def frame_key(kind: bytes, video: str, frame_ind: int) -> bytes:
    return b'%s%s/%010d' % (kind, video.encode(), frame_ind)


def frame_range(kind: bytes, video: str) -> tuple[bytes, bytes]:
    """First key and the end (exclusive) of all frames of ``video``; '0' follows '/'."""
    return b'%s%s/' % (kind, video.encode()), b'%s%s0' % (kind, video.encode())


class Environments:
    """The LMDB files that this process has open.

    LMDB does not allow to open a file twice in one process, so all readers and writers of a file share its
    environment.  A forked child closes inherited environments and opens its own.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[Path, tuple[lmdb.Environment, tuple[int, int], bool]] = {}
        self._pid = os.getpid()

    def reader(self, path: Path) -> lmdb.Environment:
        """Return an environment to read ``path``.

        Raises:
            UserError: the file is missing, cut short or no LMDB file.
        """
        try:
            stat = path.stat()
        except FileNotFoundError as e:
            raise UserError(f'{path}: shard is missing; restore it or run tools/prepare.py again') from e
        entry = self._open.get(path)
        if entry and entry[1] == (stat.st_dev, stat.st_ino) and self._pid == os.getpid():
            return entry[0]
        with self._lock:
            self._after_fork()
            self.close(path)
            try:
                env = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False)
            except lmdb.Error as e:
                raise UserError(f'{path}: no readable shard ({e}); delete it and run tools/prepare.py again') from e
            # reading a page past the end of the file would kill the process
            needed = (env.info()['last_pgno'] + 1) * env.stat()['psize']
            if needed > stat.st_size and needed > path.stat().st_size:
                env.close()
                raise UserError(
                    f'{path}: cut short, {stat.st_size} of {needed} bytes; delete it and run tools/prepare.py again'
                )
            self._open[path] = (env, (stat.st_dev, stat.st_ino), False)
            return env

    def writer(self, path: Path) -> lmdb.Environment:
        """Return an environment to write ``path``; the caller holds the lock file of the shard.

        Raises:
            UserError: the file is no LMDB file.
        """
        with self._lock:
            self._after_fork()
            entry = self._open.get(path)
            if entry and entry[2] and path.exists() and entry[1] == _identity(path):
                return entry[0]
            if path.exists() and path.stat().st_size:
                self.reader(path)  # refuses damaged files
            self.close(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                env = lmdb.open(str(path), subdir=False, lock=False, map_size=_FIRST_MAP_BYTES)
            except lmdb.Error as e:
                raise UserError(f'{path}: cannot be opened for writing ({e})') from e
            self._open[path] = (env, _identity(path), True)
            return env

    def close(self, path: Path) -> None:
        """Close ``path``; a reader opens it again."""
        with self._lock:
            entry = self._open.pop(path, None)
            if entry:
                entry[0].close()

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            for path in list(self._open):
                self.close(path)
            self._pid = os.getpid()


#: The table of this process; LMDB's rule holds per process too.
ENVIRONMENTS = Environments()


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


@contextmanager
def _reading(path: Path) -> Iterator[lmdb.Transaction]:
    env = ENVIRONMENTS.reader(path)
    try:
        try:
            txn = env.begin()
        except lmdb.MapResizedError:  # another process has made the file larger
            env.set_mapsize(0)
            txn = env.begin()
        with txn:
            yield txn
    except lmdb.Error as e:
        raise UserError(f'{path}: damaged ({e}); delete it and run tools/prepare.py again') from e


def read_value(path: Path, key: bytes) -> bytes | None:
    """Read the value of ``key``; None where there is none.

    Raises:
        UserError: the shard is missing or damaged.
    """
    with _reading(path) as txn:
        value = txn.get(key)
        return None if value is None else bytes(value)


def videos_of_shards(directory: Path) -> dict[str, Path]:
    """List the finished videos of all shards: name to shard."""
    videos: dict[str, Path] = {}
    for path in sorted(directory.glob('shard-*.lmdb')):
        for video in _names(path, HEADER):
            videos.setdefault(video, path)
    return videos


def unfinished_videos(path: Path) -> list[str]:
    """List the videos whose writing was interrupted."""
    return _names(path, WRITING)


def _names(path: Path, kind: bytes) -> list[str]:
    with _reading(path) as txn:
        return [key[len(kind) :].decode() for key in keys_from(txn, kind, kind[:-1] + b'0')]


def keys_from(txn: lmdb.Transaction, first: bytes, end: bytes) -> Iterator[bytes]:
    """Yield the keys from ``first`` to ``end`` (exclusive)."""
    with txn.cursor() as cursor:
        if cursor.set_range(first):
            yield from takewhile(lambda key: key < end, map(bytes, cursor.iternext(keys=True, values=False)))
