"""Resume stopped trainings, and identify them by their settings."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine import dist
from mmengine.config import Config
from mmengine.hooks import Hook

from ..compat import find_latest_checkpoint
from ..errors import UserError
from ..files import check_no_link
from .checkpoint_choice import remove_set_aside, replaced_checkpoints, set_aside_replaced
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
def train_alone(work_dir: Path, *, resume: str | None, overwrite: bool) -> Iterator[None]:
    """Hold the work dir that the user named for a training; other ranks of the same launcher share the hold of rank 0.

    Raises:
        UserError: another process trains there, or there are checkpoints that the training would replace
            (:func:`~vpd_mm.engine.checkpoint_choice.replaced_checkpoints`), without ``overwrite``.
    """
    if launcher_ranks()[0] != 0:
        yield
        return
    replaced = replaced_checkpoints(work_dir, resume)
    if replaced and not overwrite:
        of = f' that {resume} does not continue' if resume else ''
        raise UserError(
            f'{work_dir}: holds checkpoints{of} ({replaced[0].name}); pass --resume to continue that training, another '
            '--work-dir, or --overwrite'
        )
    with file_lock(_lock_path(work_dir), busy=_busy(work_dir)):
        yield


class ReplaceTrainingHook(Hook):
    """Set the checkpoints that a training replaces aside, and remove them when it has saved its first one.

    They are set aside after its first iteration, or before its first validation, which a resumed training may begin
    with: a training that ends before that changes nothing, and later no step takes them for its own.

    Args:
        resume: As of :func:`~vpd_mm.engine.checkpoint_choice.replaced_checkpoints`.
    """

    priority = 'VERY_HIGH'  # before hooks that write into the work dir

    def __init__(self, resume: str | None) -> None:
        self.resume, self._is_done, self._has_saved = resume, False, False

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None) -> None:
        self._replace(runner)

    def before_val(self, runner) -> None:
        self._replace(runner)

    def after_run(self, runner) -> None:
        self._remove(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        self._remove(runner)
        self._has_saved = True  # or will have when this hook is called next

    def _replace(self, runner) -> None:
        self._remove(runner)
        if self._is_done:
            return
        self._is_done = True
        dist.barrier()  # all processes have read what they start from
        if dist.is_main_process():
            set_aside_replaced(Path(runner.work_dir), self.resume)

    def _remove(self, runner) -> None:
        if self._has_saved:
            remove_set_aside(Path(runner.work_dir))
            self._has_saved = False


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
