"""LMDB shards: one file per writer, opened once per process, growing as needed.

Keys: ``h/<video>`` header, written last, makes a video visible; ``w/<video>`` marks a video that is being written;
``c/<video>/<frame>`` crop record; ``i/<video>/<frame>`` whole frame; ``a/videos`` digest of the headers' keys, there
while no writer has the shard open.  Every value is sealed with a checksum; the values of former versions
have none and stay readable.
"""

import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import cast

import lmdb

from ..errors import UserError, errors_name
from ..files import check_file, check_no_link, check_video_name, list_folder

HEADER, WRITING, CROP, IMAGE = b'h/', b'w/', b'c/', b'i/'
#: Sorts before all other keys, so that one damaged page does not hide both the list and the headers.
VIDEOS = b'a/videos'

#: First bytes of a sealed value; JSON, a JPEG and a crop record of a former version begin in another way.
_SEAL = b'VPD\x9a'
_CRC_BYTES = 4

_FIRST_MAP_BYTES = 64 << 20


def header_key(video: str) -> bytes:
    return HEADER + video.encode()


def writing_key(video: str) -> bytes:
    return WRITING + video.encode()


def frame_key(kind: bytes, video: str, frame_ind: int) -> bytes:
    return b'%s%s/%010d' % (kind, video.encode(), frame_ind)


def seal(key: bytes, value: bytes) -> bytes:
    """Add a checksum of key and value."""
    return b'%s%s%s' % (_SEAL, value, _checksum(key, value))


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Return the value that was sealed, or a value without checksum as it is; UserError where it has changed."""
    if not is_sealed(sealed):
        return sealed
    value = sealed[len(_SEAL) : -_CRC_BYTES]
    if sealed[-_CRC_BYTES:] != _checksum(key, value):
        raise UserError('differs from its checksum')
    return value


def is_sealed(value: bytes) -> bool:
    """Return whether a stored value has a checksum."""
    return value.startswith(_SEAL) and len(value) >= len(_SEAL) + _CRC_BYTES


def _checksum(key: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(_CRC_BYTES, 'little')


class Environments:
    """The LMDB files that this process has open.

    LMDB does not allow to open a file twice in one process, so all readers and writers of a file share its
    environment.  A forked child opens its own.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[Path, tuple[lmdb.Environment, tuple[int, int]]] = {}  # device and inode tell files apart

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
        if entry and entry[1] == (stat.st_dev, stat.st_ino):
            return entry[0]
        with self._lock:
            self.close(path)
            check_file(path)  # LMDB would wait for a fifo
            try:
                env = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False)
            except (lmdb.Error, MemoryError, OSError) as e:
                again = 'delete it and run tools/prepare.py again'
                if type(e) is lmdb.Error or isinstance(e, lmdb.MemoryError | MemoryError | OSError):  # of the system
                    again = f'raise ulimit -v and ulimit -n; if they are unlimited it is damaged: {again}'
                raise UserError(f'{path}: no readable shard ({e}); {again}') from e
            # reading a page past the end of the file would kill the process
            needed = (env.info()['last_pgno'] + 1) * env.stat()['psize']
            if needed > path.stat().st_size:
                env.close()
                raise UserError(
                    f'{path}: cut short, {stat.st_size} of {needed} bytes; delete it and run tools/prepare.py again'
                )
            self._open[path] = env, (stat.st_dev, stat.st_ino)
            return env

    def writer(self, path: Path) -> lmdb.Environment:
        """Return an environment to write ``path``; the caller holds the lock file of the shard.

        Raises:
            UserError: the file is no LMDB file, or a link.
        """
        check_no_link(path)
        with self._lock:
            if path.exists() and path.stat().st_size:
                env = self.reader(path)  # refuses damaged files
                if not env.flags()['readonly']:
                    return env
            self.close(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                env = lmdb.open(str(path), subdir=False, lock=False, map_size=_FIRST_MAP_BYTES)
            except lmdb.Error as e:
                raise UserError(f'{path}: cannot be opened for writing ({e})') from e
            stat = path.stat()
            self._open[path] = env, (stat.st_dev, stat.st_ino)
            return env

    def close(self, path: Path) -> None:
        """Close ``path``; a reader opens it again."""
        with self._lock:
            if path in self._open:
                self._open.pop(path)[0].close()


#: The table of this process; LMDB's rule holds per process too.
ENVIRONMENTS = Environments()
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=ENVIRONMENTS.__init__)  # type: ignore[misc]


#: Errors of LMDB in a damaged file.
_DAMAGED = lmdb.Error, MemoryError, OverflowError


def _begin(path: Path) -> lmdb.Transaction:
    env = ENVIRONMENTS.reader(path)
    try:
        return env.begin()
    except lmdb.MapResizedError:  # another process has made the file larger
        env.set_mapsize(0)
        return env.begin()


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f'{path}: damaged ({error}); delete it and run tools/prepare.py again')


@contextmanager
def _reading(path: Path) -> Iterator[lmdb.Transaction]:
    try:
        with _begin(path) as txn:
            yield txn
    except _DAMAGED as e:
        raise _damaged(path, e) from e


def read_stored(path: Path, key: bytes) -> bytes | None:
    """Read what is stored for ``key``, sealed or not; None where there is none; errors as :func:`read_value`."""
    try:  # of each crop: without the generator of _reading
        with _begin(path) as txn:
            return cast('bytes | None', txn.get(key))
    except _DAMAGED as e:
        raise _damaged(path, e) from e


def read_value(path: Path, key: bytes) -> bytes | None:
    """Read the value of ``key``; None where there is none.

    Raises:
        UserError: the shard is missing or damaged, or the value differs from its checksum.
    """
    stored = read_stored(path, key)
    return None if stored is None else unseal(key, stored)


def keys_of(path: Path, prefix: bytes) -> list[bytes]:
    """List the keys that start with ``prefix``; UserError where the shard is missing or damaged."""
    with _reading(path) as txn:
        return _keys(txn, prefix)


def _keys(txn: lmdb.Transaction, prefix: bytes) -> list[bytes]:
    with txn.cursor() as cursor:
        cursor.set_range(prefix)
        return list(takewhile(lambda key: key.startswith(prefix), map(bytes, cursor.iternext(values=False))))


def videos_of_shards(directory: Path) -> dict[str, Path]:
    """List the finished videos of all shards: name to shard; errors as :func:`videos_of_shard`."""
    videos: dict[str, Path] = {}
    for path in list_folder(directory, 'shard-*.lmdb'):
        for video in videos_of_shard(path):
            videos.setdefault(video, path)
    return videos


def videos_of_shard(path: Path) -> list[str]:
    """List the finished videos of a shard.

    Raises:
        UserError: the shard is missing or damaged, or a key is no name of a video.
    """
    with _reading(path) as txn:
        keys, listed = _keys(txn, HEADER), txn.get(VIDEOS)
        if listed is None:  # a writer is at work or was killed, or the shard is of a former version
            former = keys and not is_sealed(bytes(txn.get(keys[0], b'')))
            main = ENVIRONMENTS.reader(path).open_db()
            complete = former or len(_keys(txn, b'')) == txn.stat(main)['entries']
        else:
            with errors_name(f'{path}: list of videos'):
                complete = unseal(VIDEOS, bytes(listed)) == digest_of(keys)
    if not complete:
        raise UserError(f'{path}: damaged (videos are missing); delete it and run tools/prepare.py again')
    return [_video_of(path, key) for key in keys]


def digest_of(keys: list[bytes]) -> bytes:
    """Digest of the keys of all headers of a shard: their number and checksum."""
    return b'%d %08x' % (len(keys), zlib.crc32(b'\0'.join(keys)))


def unfinished_videos(path: Path) -> list[str]:
    """List the videos whose writing was interrupted; errors as :func:`videos_of_shard`."""
    return [_video_of(path, key) for key in keys_of(path, WRITING)]


def _video_of(path: Path, key: bytes) -> str:
    """Name of the video of a header or a mark."""
    try:
        return check_video_name(key.partition(b'/')[2].decode())
    except (UnicodeDecodeError, UserError) as e:
        raise UserError(f'{path}: key {key!r} names no video; the shard is damaged or not of vpd_mm') from e
