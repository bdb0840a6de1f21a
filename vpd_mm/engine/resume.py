"""Resume stopped trainings, and identify them by their settings."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from ..compat import find_latest_checkpoint
from ..errors import UserError
from ..files import check_no_link
from .locks import file_lock


@contextmanager
def sole_training(work_dir: Path) -> Iterator[bool]:
    """Hold the folder of a training exclusively; gives True if it has a checkpoint to resume from.

    Nothing is removed: a damaged checkpoint is not read, and is replaced when the training saves again.
    """
    check_no_link(work_dir)
    busy = f'{work_dir}: another process trains there; start again when it is done'
    with file_lock(work_dir.with_name(f'.{work_dir.name}.lock'), busy=busy):
        yield find_latest_checkpoint(work_dir) is not None


def last_checkpoint(work_dir: Path) -> Path:
    """Return the last readable checkpoint of a training; UserError without any."""
    path = find_latest_checkpoint(work_dir)
    if path is None:
        raise UserError(f'{work_dir}: has no readable checkpoint; train again')
    return Path(path)


def config_digest(cfg: Config, **more: object) -> str:
    """Hash the settings that decide the numbers of a run: the config, and ``more`` that is not part of it."""
    skipped = ('work_dir', 'launcher', 'resume', 'load_from', 'vis_backends', 'visualizer', 'log_level', 'env_cfg')
    content = {key: value for key, value in cfg._cfg_dict.to_dict().items() if key not in skipped}
    return hashlib.sha256(json.dumps(content | more, sort_keys=True, default=str).encode()).hexdigest()[:8]
