"""Where a stopped training goes on, and by what its folder is known."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from .locks import file_lock


@contextmanager
def sole_training(work_dir: Path) -> Iterator[bool]:
    """Hold the folder of a training; gives what :func:`prepare_resume` says of it.

    Raises:
        UserError: another process trains there.
    """
    busy = f'{work_dir}: another process trains there; start again when it is done'
    with file_lock(work_dir.with_name(f'.{work_dir.name}.lock'), busy=busy):
        yield prepare_resume(work_dir)


def prepare_resume(work_dir: Path) -> bool:
    """True where a stopped training can go on; else what it left is removed.

    A process that is killed while it writes leaves half a checkpoint, or none
    where ``last_checkpoint`` says.
    """
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file():
        checkpoint = work_dir / Path(pointer.read_text(encoding='utf-8').strip()).name
        if checkpoint.is_file() and zipfile.is_zipfile(checkpoint):
            return True
    shutil.rmtree(work_dir, ignore_errors=True)
    return False


def config_digest(cfg: Config, **more: object) -> str:
    """Of what decides a run's numbers: the config, and ``more`` that is no part of it."""
    skipped = ('work_dir', 'launcher', 'resume', 'load_from', 'vis_backends', 'visualizer', 'log_level', 'env_cfg')
    content = {key: value for key, value in cfg._cfg_dict.to_dict().items() if key not in skipped}
    return hashlib.sha256(json.dumps(content | more, sort_keys=True, default=str).encode()).hexdigest()[:8]
