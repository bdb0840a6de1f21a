"""mmengine's saving of checkpoints: the new file is complete on the disk before an old one is removed.

mmengine removes the old checkpoint first and writes the new one in place, so a process that is killed in between loses
the training; it also removes whatever file a resumed checkpoint names as the former best one.
"""

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..files import write_bytes
from .bridge import package_dir

#: Names of the files that a checkpoint replaces: a process that is killed after it has saved leaves them.
_REPLACED, _OWN = 'replaced_checkpoints', re.compile(r'(best_[^/\\]+_)?(epoch|iter)_[0-9]+\.pth')


def removes_first() -> str:
    return '' if package_dir('mmengine') is None else 'CheckpointHook removes the old checkpoint before it saves'


def write_atomically(module: ModuleType) -> Iterator[None]:
    yield

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        write_bytes(filepath, obj)

    module.LocalBackend.put = put  # type: ignore[attr-defined]


class _RemovesLater:
    """File backend of a hook that notes what to remove, also in the checkpoint that is saved then."""

    def __init__(self, backend: Any, message_hub: Any) -> None:
        self.backend, self._hub = backend, message_hub
        self.files: list[str] = []
        self.folders: list[str] = []
        self.rmtree = self.folders.append

    def remove(self, path: str) -> None:
        self.files.append(path)
        former = self._hub.runtime_info.get(_REPLACED, ())
        self._hub.update_info(_REPLACED, [*former, Path(path).name][-2:])  # one of the steps, one of the best

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


def remove_after_saving(module: ModuleType) -> Iterator[None]:
    yield
    hook = module.CheckpointHook  # type: ignore[attr-defined]
    before_train = hook.before_train

    @functools.wraps(before_train)
    def prepare(self, runner) -> None:
        info = runner.message_hub.runtime_info
        steps = info.get('keep_ckpt_ids')
        if not isinstance(steps, list) or not all(type(step) is int for step in steps):
            info.pop('keep_ckpt_ids', None)
        before_train(self, runner)
        _name_best_in(self, runner, Path(self.out_dir))
        for left in Path(self.out_dir).glob('.*.pth.*.tmp') if module.is_main_process() else ():
            left.unlink(missing_ok=True)  # a process was killed while it saved
        replaced = info.get(_REPLACED, [])
        if not isinstance(replaced, list) or not all(
            isinstance(name, str) and _OWN.fullmatch(name) for name in replaced
        ):
            info.pop(_REPLACED)
            replaced = []
        best = Path(getattr(self, 'best_ckpt_path', None) or '').name
        for name in replaced if module.is_main_process() else ():
            if name != best:
                (Path(self.out_dir) / name).unlink(missing_ok=True)

    hook.before_train = prepare
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(hook, name, _remove_later(getattr(hook, name)))


def _name_best_in(hook: Any, runner: Any, folder: Path) -> None:
    """Let the best checkpoint be a file of this folder, which may have been moved, or none."""

    def best_in(path: object) -> str | None:
        name = Path(path).name if isinstance(path, str) else ''
        return str(folder / name) if name.startswith('best_') and name.endswith('.pth') else None

    if getattr(hook, 'best_ckpt_path', None):
        hook.best_ckpt_path = best_in(hook.best_ckpt_path)
        runner.message_hub.update_info('best_ckpt', hook.best_ckpt_path)
    for key, path in getattr(hook, 'best_ckpt_path_dict', {}).items():
        hook.best_ckpt_path_dict[key] = best_in(path)
        runner.message_hub.update_info(f'best_ckpt_{key}', hook.best_ckpt_path_dict[key])


def _remove_later(save):
    @functools.wraps(save)
    def save_then_remove(self, runner, *args, **kwargs) -> None:
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend, runner.message_hub)
        try:
            save(self, runner, *args, **kwargs)
        finally:
            self.file_backend = backend
        saved = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
        saved |= set(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in set(later.files) - saved:
            backend.remove(path)
        for path in set(later.folders) - saved:
            backend.rmtree(path)

    return save_then_remove
