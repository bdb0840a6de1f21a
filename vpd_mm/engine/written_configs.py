"""Record the configs that this user's trainings wrote: only those are executed without being named.

A config is a program.  A work dir that came from elsewhere has one too, so a file counts as ours only by its place and
content, which are recorded outside of any work dir: in ``$XDG_STATE_HOME/vpd_mm`` (default ``~/.local/state/vpd_mm``).
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError
from ..files import read_bytes, read_text, write_lines
from .locks import file_lock

LOGGER = logging.getLogger(__name__)
#: Why a config is not read, and after it how to allow it.
NOT_OURS = 'is a program and was not written here by a training of yours'
#: Newest entries that are kept.
MAX_ENTRIES = 10_000


def _record_path() -> Path:
    return Path(os.environ.get('XDG_STATE_HOME') or Path.home() / '.local' / 'state') / 'vpd_mm' / 'written_configs.txt'


def _entry(config: str | os.PathLike) -> str:
    return f'{hashlib.sha256(read_bytes(config)).hexdigest()}  {os.path.realpath(config)!a}'


def _read_record() -> list[str]:
    return read_text(path).splitlines() if (path := _record_path()).is_file() else []


def record_configs(configs: Iterable[str | os.PathLike]) -> None:
    """Add configs to the record; where it cannot be written, they have to be named later, which is logged."""
    try:
        path, new = _record_path(), [_entry(config) for config in configs]
        with file_lock(path.with_suffix('.lock'), wait_sec=10):
            kept = [line for line in _read_record() if line not in new]
            write_lines(path, [*kept, *new][-MAX_ENTRIES:])
    except (OSError, RuntimeError, UserError) as e:  # RuntimeError: no home folder
        LOGGER.warning('%s; tools will ask for the config of this training', e)


def is_recorded(config: str | os.PathLike) -> bool:
    """Tell if a training of this user wrote the file, at this place and with this content."""
    try:
        return _entry(config) in _read_record()
    except (OSError, RuntimeError, UserError):
        return False
