"""Names that become parts of paths and LMDB keys, and the entries of folders.

Names are kept in the composed Unicode form (NFC), in which people type them; macOS writes the decomposed one (NFD).
"""

import os
import re
from pathlib import Path
from unicodedata import normalize

from ..errors import UserError

#: Names of videos become file names and, with the frame number, LMDB keys of at most 511 bytes.
MAX_NAME_BYTES = 200

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._+=-]{0,99}')


def composed(name: str) -> str:
    """Return a name in the composed Unicode form, in which two spellings of it are equal."""
    return name if name.isascii() else normalize('NFC', name)


def check_video_name(name: str) -> str:
    """Return ``name``, composed, if it can name a video, else raise UserError."""
    name = composed(name)
    valid = name == name.strip() and name.isprintable() and not any(c in name for c in ',"/\\')
    if not name or name[0] == '.' or not valid:
        raise UserError(
            f'video name {name!r}: must be non-empty and printable, without comma, quote, slash or space at its ends, '
            'and not start with a dot; rename the file'
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UserError(f'video name {name!r}: longer than {MAX_NAME_BYTES} bytes; rename the file')
    return name


def checked_name(what: str, name: str) -> str:
    """Return ``name`` if it is a valid folder name, else raise UserError; ``what`` is what it names."""
    if not _NAME.fullmatch(name):
        raise UserError(f'{what} name {name!r}: must be letters, digits, _ . + = - (at most 100, no leading dot)')
    return name


def stored_path(folder: str | os.PathLike, name: str) -> Path:
    """Return ``<folder>/<name>``, or where only that exists, the path with the decomposed form of ``name``."""
    path = Path(folder) / name
    if not name.isascii() and not os.path.exists(path):
        other = Path(folder) / normalize('NFD', name)
        return other if os.path.exists(other) else path  # unlike exists() of a Path, where it is longer than 255 bytes
    return path


def input_name(path: Path) -> str:
    """Name of the video that a file, or a folder of images, holds."""
    path = Path(os.path.abspath(path))
    return composed(path.name if path.is_dir() else path.stem)


def npz_path(folder: str | os.PathLike, video: str) -> Path:
    """Path ``<folder>/<video>.npz``; a name that cannot name a video, and so may leave the folder, raises UserError."""
    return stored_path(folder, f'{check_video_name(video)}.npz')


def list_folder(folder: str | os.PathLike, pattern: str = '*') -> list[Path]:
    """List the entries of a folder that match a glob pattern, sorted; a missing folder has none.

    Hidden entries, such as ``._take.mp4`` of macOS, and what lies in hidden folders are left out.
    """
    folder = Path(folder)
    paths = folder.glob(pattern)
    return sorted(path for path in paths if not any(part[0] == '.' for part in path.relative_to(folder).parts))
