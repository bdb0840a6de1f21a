"""Resume stopped trainings, and identify them by their settings."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from ..compat import find_latest_checkpoint
from ..errors import UserError
from ..files import check_no_link, list_folder
from .cli import launcher_ranks
from .locks import file_lock


@contextmanager
def sole_training(work_dir: Path) -> Iterator[bool]:
    """Hold the folder of a training exclusively; gives True if it has a checkpoint to resume from.

    Nothing is removed: a damaged checkpoint is not read, and is replaced when the training saves again.
    """
    check_no_link(work_dir)
    with file_lock(_lock_path(work_dir), busy=_busy(work_dir)):
        yield find_latest_checkpoint(work_dir) is not None


@contextmanager
def train_alone(work_dir: Path, *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Hold the work dir that the user named for a training; other ranks of the same launcher share the hold of rank 0.

    Raises:
        UserError: another process trains there, or there are checkpoints, which the training would replace, and neither
            ``resume`` nor ``overwrite`` is given.
    """
    if launcher_ranks()[0] != 0:
        yield
        return
    saved = [path.name for path in list_folder(work_dir, '*.pth')]
    if saved and not resume and not overwrite:
        raise UserError(
            f'{work_dir}: holds checkpoints ({saved[0]}); pass --resume to continue that training, another --work-dir, '
            'or --overwrite'
        )
    with file_lock(_lock_path(work_dir), busy=_busy(work_dir)):
        yield


def _lock_path(work_dir: Path) -> Path:
    folder = Path(os.path.realpath(work_dir))
    return folder.with_name(f'.{folder.name}.lock')


def _busy(work_dir: Path) -> str:
    return f'{work_dir}: another process trains there; start again when it is done'


def config_digest(cfg: Config, **more: object) -> str:
    """Hash the settings that decide the numbers of a run: the config, and ``more`` that is not part of it."""
    skipped = {'work_dir', 'launcher', 'resume', 'load_from', 'vis_backends', 'visualizer', 'log_level', 'env_cfg'}
    skipped.add('experiment_name')  # of a config that a Runner wrote
    content = {key: value for key, value in cfg._cfg_dict.to_dict().items() if key not in skipped}
    return hashlib.sha256(json.dumps(content | more, sort_keys=True, default=str).encode()).hexdigest()[:8]
