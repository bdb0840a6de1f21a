"""Names that become parts of paths and LMDB keys."""

import os
import re
from pathlib import Path

from ..errors import UserError

#: Names of videos become file names and, with the frame number, LMDB keys of at most 511 bytes.
MAX_NAME_BYTES = 200

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._+=-]{0,99}')


def check_video_name(name: str) -> str:
    """Return ``name`` if it can name a video, else raise UserError."""
    if not name or name[0] == '.' or any(c in name for c in ',"/\\') or not name.isprintable():
        raise UserError(
            f'video name {name!r}: must be non-empty and printable, without comma, quote or slash, and not start with '
            'a dot; rename the file'
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UserError(f'video name {name!r}: longer than {MAX_NAME_BYTES} bytes; rename the file')
    return name


def checked_name(what: str, name: str) -> str:
    """Return ``name`` if it is a valid folder name, else raise UserError; ``what`` is what it names."""
    if not _NAME.fullmatch(name):
        raise UserError(f'{what} name {name!r}: must be letters, digits, _ . + = - (at most 100, no leading dot)')
    return name


def npz_path(folder: str | os.PathLike, video: str) -> Path:
    """Path ``<folder>/<video>.npz``; a name that cannot name a video, and so may leave the folder, raises UserError."""
    return Path(folder) / f'{check_video_name(video)}.npz'
