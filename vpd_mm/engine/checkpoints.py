"""The last and the best checkpoint of a training."""

from contextlib import suppress
from pathlib import Path

from ..compat import find_latest_checkpoint
from ..compat.checkpoint import step_of
from ..errors import UserError
from ..files import list_folder
from .training_console import training_record


def last_checkpoint(work_dir: Path) -> Path:
    """Return the last readable checkpoint of a training; UserError without any."""
    path = find_latest_checkpoint(work_dir)
    if path is None:
        raise UserError(f'{work_dir}: has no readable checkpoint; train again')
    return Path(path)


def best_checkpoint(work_dir: Path) -> Path | None:
    """Return the best checkpoint of a training (``best_*.pth``), None without any.

    There are several where a process was killed between two saves, where a training replaced another one, or with
    several metrics.  It is then the one of the record of the training; without, that of the last step.  Times of
    files are not used: a copy has others, and a clock may be set back.
    """
    saved = {path.name: path for path in list_folder(work_dir, 'best_*.pth')}
    with suppress(UserError, LookupError, TypeError):  # no record, or none of them
        return saved[training_record(work_dir)['best']['checkpoint']]
    return max(saved.values(), key=step_of, default=None)
