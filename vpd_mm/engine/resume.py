"""Resume stopped trainings, and identify them by their settings."""

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
    """Hold the folder of a training exclusively; gives the result of :func:`prepare_resume`."""
    busy = f'{work_dir}: another process trains there; start again when it is done'
    with file_lock(work_dir.with_name(f'.{work_dir.name}.lock'), busy=busy):
        yield prepare_resume(work_dir)


def prepare_resume(work_dir: Path) -> bool:
    """Return True if ``work_dir`` has a complete last checkpoint; otherwise remove the folder and return False.

    A process that is killed while it saves leaves an incomplete checkpoint or none.
    """
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file():
        checkpoint = work_dir / Path(pointer.read_text(encoding='utf-8').strip()).name
        if checkpoint.is_file() and zipfile.is_zipfile(checkpoint):
            return True
    shutil.rmtree(work_dir, ignore_errors=True)
    return False


def config_digest(cfg: Config, **more: object) -> str:
    """Hash the settings that decide the numbers of a run: the config, and ``more`` that is not part of it."""
    skipped = ('work_dir', 'launcher', 'resume', 'load_from', 'vis_backends', 'visualizer', 'log_level', 'env_cfg')
    content = {key: value for key, value in cfg._cfg_dict.to_dict().items() if key not in skipped}
    return hashlib.sha256(json.dumps(content | more, sort_keys=True, default=str).encode()).hexdigest()[:8]
