"""The last and the best checkpoint of a training."""

import os
from contextlib import suppress
from pathlib import Path

from ..compat import find_latest_checkpoint
from ..compat.checkpoint_loading import step_of
from ..errors import UserError
from ..files import check_no_link, list_folder
from .training_console import RECORD, training_record

#: Folder of a work dir: the checkpoints that a training replaces, until it has saved its first one.
REPLACED = 'replaced'
_RECORDS = RECORD, 'last_checkpoint'


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


def replaced_checkpoints(work_dir: Path, resume: str | None) -> list[Path]:
    """Return the files ``*.pth`` of a work dir that a training does not continue.

    Args:
        work_dir: Of the training.
        resume: 'auto': continue the last checkpoint of the work dir; a path: that one, which replaces later ones, or
            all where it is of another folder; None: start anew.
    """
    saved = [] if resume == 'auto' else list_folder(work_dir, '*.pth')
    first = step_of(Path(resume)) + 1 if resume and _is_in(resume, work_dir) else -1  # -1: of a name without a step
    return [path for path in saved if step_of(path) >= first]


def set_aside_replaced(work_dir: Path, resume: str | None) -> None:
    """Move :func:`replaced_checkpoints` that a training has written to ``replaced/``, where no step looks for them.

    The record of the training goes too if it is replaced as a whole.
    """
    replaced = list(filter(_is_written, replaced_checkpoints(work_dir, resume)))
    if replaced and not _is_in(resume, work_dir):
        replaced += filter(os.path.lexists, [work_dir / name for name in _RECORDS])
    folder = work_dir / REPLACED
    check_no_link(folder)
    for path in replaced:
        folder.mkdir(exist_ok=True)  # it may hold those of a training before that saved nothing, or was killed here
        os.replace(path, folder / path.name)


def remove_set_aside(work_dir: Path) -> None:
    """Remove the files that :func:`set_aside_replaced` has moved."""
    folder = work_dir / REPLACED
    check_no_link(folder)
    for path in filter(_is_written, list_folder(folder)):
        path.unlink()
    with suppress(OSError):  # there is none, or it holds something else
        folder.rmdir()


def _is_written(path: Path) -> bool:
    """Return whether a file has a name that a training gives."""
    is_step = path.suffix == '.pth' and path.name.startswith(('best_', 'epoch_', 'iter_')) and step_of(path) >= 0
    return is_step or path.name in _RECORDS


def _is_in(path: str | None, folder: Path) -> bool:
    return path is not None and Path(path).resolve().parent == folder.resolve()
