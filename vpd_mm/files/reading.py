"""Open files for reading: regular files of limited size; text, JSON and CSV that are not valid raise UserError."""

import csv
import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from ..errors import UserError

#: Largest text or JSON file of a corpus or a run (a million actions take 60 MB).
MAX_TEXT_BYTES = 512 << 20
#: Pixels of the largest image or frame of a video.
MAX_PIXELS = 64 << 20
#: Characters of the longest whole number that always fits into 64 bits.
MAX_DIGITS = 18
#: Digits and minus become 0, other bytes a space; then longer numbers hold this run.
_DIGITS = bytes(48 if byte in b'-0123456789' else 32 for byte in range(256))
_LONG = b'0' * (MAX_DIGITS + 1)
_SURROGATE = re.compile(rb'\\u[dD][89a-fA-F]')


def check_file(path: str | os.PathLike, max_bytes: int | None = None, missing: str = '') -> Path:
    """Check a file that a library opens by its path.

    Args:
        path: The file; links are followed.
        max_bytes: Largest size.
        missing: What to add to 'no such file', for example how the file is made.

    Raises:
        UserError: there is no such file, it is no regular file (a folder, fifo or device), or it is too large.
    """
    open_file(path, max_bytes, missing).close()
    return Path(path)


def open_flags(*names: str) -> int:
    """Flags of ``os.open`` by the end of their names; a system has some of them only."""
    return sum(getattr(os, f'O_{name}', 0) for name in names)


def open_file(path: str | os.PathLike, max_bytes: int | None = None, missing: str = '') -> BinaryIO:
    """Open a regular file for reading bytes; arguments and errors as :func:`check_file`."""
    try:
        handle = os.open(path, os.O_RDONLY | open_flags('NONBLOCK', 'CLOEXEC', 'BINARY'))  # a fifo would block
    except (FileNotFoundError, NotADirectoryError) as e:
        raise UserError(f'{path}: no such file' + (f'; {missing}' if missing else '')) from e
    except (OSError, ValueError) as e:
        raise UserError(f'{path}: cannot be opened ({getattr(e, "strerror", None) or e})') from e
    file = os.fdopen(handle, 'rb') if stat.S_ISREG(os.fstat(handle).st_mode) else None
    if file is None:
        os.close(handle)
        raise UserError(f'{path}: is not a regular file')
    if max_bytes is not None and (size := os.fstat(handle).st_size) > max_bytes:
        file.close()
        raise UserError(f'{path}: has {size} bytes, more than the {max_bytes} that such a file may have')
    return file


def file_state(file: str | os.PathLike | int) -> tuple[int, ...]:
    """Return size, time of the last change in ns and inode of a file, by which a change is seen; (-1,): it is missing.

    ``file`` is a path or the descriptor of an open file.  Written files are new ones with another inode, also where a
    clock was set back.
    """
    try:
        stat = os.stat(file)
    except (OSError, ValueError):
        return (-1,)
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of the content of a file."""
    digest = hashlib.sha256()
    with open_file(path) as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_bytes(path: str | os.PathLike, max_bytes: int = MAX_TEXT_BYTES, missing: str = '') -> bytes:
    """Read a whole file; errors as :func:`check_file`."""
    with open_file(path, max_bytes, missing) as f:
        return f.read()


@contextmanager
def open_text(path: str | os.PathLike, max_bytes: int = MAX_TEXT_BYTES, missing: str = '') -> Iterator[IO[str]]:
    """Open a UTF-8 text for reading, without its byte order mark; errors of decoding or CSV raise UserError."""
    try:
        with io.TextIOWrapper(open_file(path, max_bytes, missing), encoding='utf-8-sig', newline='') as f:
            yield f
    except UnicodeDecodeError as e:
        byte = f'byte 0x{e.object[e.start]:02x}'
        raise UserError(f'{path}: not in UTF-8 ({byte}); save it as UTF-8 (spreadsheets: "CSV UTF-8")') from e
    except csv.Error as e:
        raise UserError(f'{path}: no CSV ({e}); save it as CSV in UTF-8') from e


def read_text(path: str | os.PathLike, max_bytes: int = MAX_TEXT_BYTES, missing: str = '') -> str:
    """Read a UTF-8 text; errors as :func:`open_text`."""
    with open_text(path, max_bytes, missing) as f:
        return f.read()


def read_json(path: str | os.PathLike, hint: str) -> Any:
    """Read a JSON file; ``hint`` says how to repair one that is missing or not valid, which raises UserError."""
    return parse_json(read_bytes(path, missing=hint), path, hint)


def parse_json(data: bytes | str, where: object, hint: str) -> Any:
    """Parse JSON; ``where`` and ``hint`` go into the UserError.

    Raises:
        UserError: no JSON, nested too deep, or text that is not Unicode.
    """
    data = data.encode('utf-8', 'surrogatepass') if isinstance(data, str) else data
    try:
        content = json.loads(data, parse_int=_parse_int if _LONG in data.translate(_DIGITS) else None)
        if _SURROGATE.search(data):
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError as e:
        raise UserError(f'{where}: nested too deep; {hint}') from e
    except ValueError as e:
        raise UserError(f'{where}: truncated or not JSON ({e}); {hint}') from e
    return content


def _parse_int(text: str) -> int | float:
    """A number that no int64 holds becomes a float, infinite if need be: what expects a whole number refuses it."""
    return int(text) if len(text) <= MAX_DIGITS else float(text)
