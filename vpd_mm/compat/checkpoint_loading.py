"""mmengine checkpoints and ``torch.load(weights_only=True)``, the default since torch 2.6.

The checkpoint of a Runner contains its logs (``HistoryBuffer``, NumPy numbers), which the safe unpickler refuses, and
onedl-mmengine then falls back to the unsafe one.  This bridge allows exactly the types that a Runner writes, uses the
safe unpickler only, and refuses any other or damaged file with an error of one line.

Two things that torch leaves open are closed here.  torch writes a CRC of every record and never compares it; and a
checkpoint carries the text of its config, which mmengine executes: a loaded checkpoint has no such text.
"""

import errno
import functools
import importlib
import logging
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from ..errors import UserError
from ..files import list_folder, open_file, read_text
from .bridge import provider, rebind
from .checkpoint_pickle import NUMPY_MODULES, NotWritten, check_pickle
from .checkpoint_resuming import check_resume, check_start, follow_config, load_fitting

FORCE, FORBID = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
#: Messages of torch's unpickler about a type or function that is not allowed.
REFUSED = re.compile(r"(?:GLOBAL|unrecognized function|unsupported class) (<[^>]+>|[\w.]+)|but got <class '([\w.]+)'>")
DAMAGE = (EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, struct.error)
DAMAGE_TEXTS = ('PytorchStreamReader', 'magic number', 'EOF', 'corrupt', 'byte size', 'record size', 'storage')
#: Errors of zipfile and pickletools on a file that is not valid.
INVALID = (zipfile.BadZipFile, EOFError, LookupError, OSError, RuntimeError, ValueError, TypeError, struct.error)
#: Most bytes of the file ``last_checkpoint``.
MAX_POINTER = 10_000
#: Name of the config that a Runner writes into its work dir.
RUN_CONFIG = 'config.py'
#: Most bytes by which tensors, all together, may be larger than their stored values.
MAX_EXPANDED = 64 << 20
#: The last record of a zip archive without a comment: its first bytes and its size.
ARCHIVE_END, ARCHIVE_END_BYTES = b'PK\x05\x06', 22
#: Number of pickles at the start of torch's format before 1.6.
LEGACY_PICKLES = 5
#: Keys of ``meta`` and of the message hub with the text of a config.
PROGRAMS = ('config', 'cfg')
NOT_A_CHECKPOINT = 'it is damaged (truncated?) or was not written by torch.save'
STATISTICS = ('min', 'max', 'mean', 'current')
NUMPY_TYPES = ('Bool', 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'Float16', 'Float32', 'Float64', 'Str')


def cannot_resume() -> str:
    installed = provider('mmengine')
    return f'{" ".join(installed)} cannot resume from its own checkpoints with weights_only=True' if installed else ''


@functools.cache  # the list belongs to the process
def allow_runner_types() -> None:
    """Add HistoryBuffer (message hub) with its statistics methods, and NumPy arrays and numbers, to torch's allow-list.

    torch has this list since 2.5.
    """
    import numpy as np
    from mmengine.logging.history_buffer import HistoryBuffer

    def method(owner: object, name: str) -> object:
        """Resolve ``getattr(HistoryBuffer, 'mean')``, the pickled form of its methods; no other getattr is allowed."""
        if owner is not HistoryBuffer or name not in STATISTICS:
            raise pickle.UnpicklingError(f'Unsupported global: GLOBAL builtins.getattr({owner!r}, {name!r})')
        return getattr(HistoryBuffer, name)

    multiarray = importlib.import_module(NUMPY_MODULES[hasattr(np, '_core')])
    dtypes = importlib.import_module('numpy.dtypes')
    allowed: list = [HistoryBuffer, np.ndarray, np.dtype, (method, 'builtins.getattr')]
    allowed += [getattr(dtypes, f'{name}DType') for name in NUMPY_TYPES]
    for name in ('_reconstruct', 'scalar'):
        allowed += [(getattr(multiarray, name), f'{module}.{name}') for module in NUMPY_MODULES]
    serialization = importlib.import_module('torch.serialization')
    if hasattr(serialization, 'add_safe_globals'):
        serialization.add_safe_globals(allowed)


def load_checkpoint_safely(filename: str, map_location='cpu') -> dict:
    """Read a local checkpoint: weights and the data that a Runner adds; no other type, no code, no text of a config.

    Raises:
        UserError: The file is missing, damaged, or holds something that a Runner does not write.
    """
    allow_runner_types()
    check_checkpoint(filename)
    with _clear_errors(str(filename)):
        content = _torch_load(filename, map_location)
    return _checked(content, filename)


def check_checkpoint(path: str | os.PathLike) -> None:
    """Check a file before torch reads it; torch's format before 1.6 has no checksums to compare.

    Raises:
        UserError: No regular file, a record that is compressed or differs from its CRC, or a pickle with something that
            no training writes or that grows (:mod:`vpd_mm.compat.checkpoint_pickle`).
    """
    try:
        file = open_file(path)
    except UserError as e:
        raise UserError(f'checkpoint {e}') from e
    with file:
        try:
            is_archive = file.read(4) == b'PK\x03\x04'
            file.seek(0)
            if is_archive:
                _check_archive(file)
            else:
                size = os.fstat(file.fileno()).st_size
                for _ in range(LEGACY_PICKLES):
                    check_pickle(file, size)
        except NotWritten as e:
            raise _refusal(path, str(e)) from e
        except INVALID as e:
            raise UserError(f'checkpoint {path}: {NOT_A_CHECKPOINT}; copy or download it again') from e


def _check_archive(file: IO[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - ARCHIVE_END_BYTES))
    ends = file.read(4) == ARCHIVE_END
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # torch and zipfile find the same records in an archive that starts and ends with its file
        whole = ends and min((m.header_offset for m in members), default=1) == 0
        stored = all(m.compress_type == zipfile.ZIP_STORED for m in members)
        fits = sum(m.file_size for m in members) <= size
        if not (whole and stored and fits) or archive.testzip() is not None:
            raise zipfile.BadZipFile
        for member in members:
            if member.filename.endswith('/data.pkl'):
                with archive.open(member) as data:
                    check_pickle(data, size)


def _checked(content: Any, filename: object) -> dict:
    """Return a loaded checkpoint without the texts that mmengine would execute; other types raise UserError."""
    import torch

    parts = [content, *(content.get(key, {}) for key in ('meta', 'message_hub'))] if isinstance(content, dict) else []
    weights = content.get('state_dict', content) if parts else None
    if not parts or not all(isinstance(part, dict) and all(isinstance(k, str) for k in part) for part in parts):
        raise UserError(f'checkpoint {filename}: its content is not that of a checkpoint; train or download it again')
    if not isinstance(weights, dict) or not all(isinstance(key, str) for key in weights):
        raise UserError(f'checkpoint {filename}: has no weights (state_dict); train or download it again')
    for key, value in weights.items() if weights is not content else ():
        if not isinstance(value, torch.Tensor):
            raise UserError(f'checkpoint {filename}: {key} is no weight; train or download it again')
    _check_tensors(content, filename)
    meta, hub = parts[1:]
    for key in ('epoch', 'iter'):
        if key in meta and not (type(meta[key]) is int and 0 <= meta[key] < 1 << 53):
            raise UserError(f'checkpoint {filename}: {key} is no count; train or download it again')
    if type(meta.get('seed', 0)) not in (int, type(None)):
        raise UserError(f'checkpoint {filename}: seed is no whole number; train or download it again')
    for texts in (meta, hub.get('runtime_info')):
        for key in PROGRAMS if isinstance(texts, dict) else ():
            texts.pop(key, None)
    return content


def _check_tensors(content: Any, filename: object) -> None:
    """Refuse tensors that are sparse or larger than what is stored: a stride of 0 makes any number of values of one."""
    import torch

    beyond, seen, waiting = 0, set(), [content]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, torch.Tensor):
            plain = value.layout == torch.strided and not value.is_meta
            if plain:
                stored = value.untyped_storage().nbytes()
                beyond += max(0, value.numel() * value.element_size() - stored)
            if not plain or beyond > MAX_EXPANDED:
                raise UserError(f'checkpoint {filename}: has a tensor without its values; train or download it again')


def _torch_load(file, map_location=None, weights_only=True):
    import torch

    return torch.load(file, map_location=map_location, weights_only=True)


def _refusal(filename: object, name: str | None) -> UserError:
    reason = f'it holds {name}, which no training run writes' if name else NOT_A_CHECKPOINT
    return UserError(
        f'checkpoint {filename} was refused and nothing in it was run: {reason}; '
        'use one from a source you trust, saved with weights only'
    )


@contextmanager
def _clear_errors(filename: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f'checkpoint {filename}: no such file') from None
    except pickle.UnpicklingError as e:
        match = REFUSED.search(str(e))
        raise _refusal(filename, match and (match[1] or match[2])) from e
    except DAMAGE as e:
        if not os.path.isfile(os.path.expanduser(filename)) or not _is_damage(e):
            raise
        raise UserError(f'checkpoint {filename}: {NOT_A_CHECKPOINT}; copy or download it again') from e


def _is_damage(error: Exception) -> bool:
    """Tell an unreadable file from other errors of torch, such as full memory or a missing GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.EINVAL
    return type(error) is not RuntimeError or any(text in str(error) for text in DAMAGE_TEXTS)


@contextmanager
def _weights_only() -> Iterator[None]:
    """Make every ``torch.load`` inside use weights_only, whatever its caller passes."""
    before = {name: os.environ.pop(name, None) for name in (FORCE, FORBID)}
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        del os.environ[FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def safe_loader(module: ModuleType) -> Iterator[None]:
    yield
    allow_runner_types()
    load = module.CheckpointLoader.load_checkpoint.__func__

    @functools.wraps(load)
    def load_safely(cls, filename, map_location=None, logger='current'):
        if cls._get_checkpoint_loader(filename) is module.load_from_local:
            check_checkpoint(os.path.expanduser(filename))
        with _clear_errors(str(filename)), _weights_only():
            content = load(cls, filename, map_location, logger)
        return _checked(content, filename)

    module.CheckpointLoader.load_checkpoint = classmethod(load_safely)  # type: ignore[attr-defined]

    def load_and_count(model, state_dict, strict=False, logger=None):
        while module.is_model_wrapper(model) or isinstance(model, module.BaseTTAModel):
            model = model.module
        line, whole = load_fitting(model, state_dict, strict)
        module.print_log(line, logger or 'current', logging.INFO if whole else logging.WARNING)

    rebind(module.load_state_dict, load_and_count)
    rebind(module.find_latest_checkpoint, find_latest_checkpoint)
    if hasattr(module, '_safe_torch_load'):  # onedl-mmengine allows the real getattr and falls back to pickle
        rebind(module._safe_torch_load, _torch_load)


def resume_errors(module: ModuleType) -> Iterator[None]:
    """Load and resume all weights or none; a training that starts from other weights (load_from) may load a part.

    A resumed training follows the schedule of its config (:func:`vpd_mm.compat.checkpoint_resuming.follow_schedule`).
    """
    yield
    resume, load = module.Runner.resume, module.Runner.load_checkpoint  # type: ignore[attr-defined]

    @functools.wraps(load)
    def load_or_report(self, filename, map_location='cpu', strict=None, **kwargs):
        if strict is None:
            strict = not isinstance(self._train_loop, module.BaseLoop)
        with _misfits(self, filename):
            content = load(self, filename, map_location, strict, **kwargs)
            check_start(self, content, strict)
            return content

    @functools.wraps(resume)
    def resume_or_report(self, filename, *args, **kwargs):
        def load_checked(filename, map_location):
            content = load(self, filename, map_location, strict=True)
            check_resume(self, content)
            return content

        self.load_checkpoint = load_checked
        try:
            with _misfits(self, filename), follow_config(self):
                resume(self, filename, *args, **kwargs)
        finally:
            del self.load_checkpoint

    module.Runner.load_checkpoint = load_or_report  # type: ignore[attr-defined]
    module.Runner.resume = resume_or_report  # type: ignore[attr-defined]


@contextmanager
def _misfits(runner: Any, filename: object) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, OverflowError) as e:
        reason = str(e) if type(e) is ValueError else f'{type(e).__name__}: {e}'
        config = runner.cfg.get('experiment_name') or Path(runner.cfg.filename or 'this training').name
        raise UserError(f'checkpoint {filename}: does not fit {config}: {reason}{own_config(filename)}') from e


def own_config(checkpoint: object) -> str:
    """Hint at the config that the training of a checkpoint wrote beside it, '' where there is none."""
    path = Path(str(checkpoint)).parent / RUN_CONFIG
    return f'; or the config of its training, {path}' if path.is_file() else ''


def step_of(checkpoint: Path) -> int:
    """Epoch or iteration in the name of a checkpoint (``epoch_3.pth``), -1 without one."""
    number = checkpoint.stem.rpartition('_')[2]
    return int(number) if number.isascii() and number.isdigit() else -1


def find_latest_checkpoint(folder: str | os.PathLike) -> str | None:
    """Path of the last readable checkpoint of a training, None without any.

    It is the one whose name ``last_checkpoint`` ends with, in whatever folder it was trained; where that one is
    damaged, as a killed process may leave it, the one before it.  Without such a file it is that of the last step.
    Times of files are not used: a copy has others, and a clock may be set back.
    """
    folder = Path(folder)
    saved = [path for kind in ('epoch', 'iter') for path in list_folder(folder, f'{kind}_*.pth')]
    candidates = sorted(saved, key=step_of, reverse=True)
    with suppress(UserError):
        last = folder / Path(read_text(folder / 'last_checkpoint', MAX_POINTER).strip()).name
        first = candidates.index(last) if last in candidates else 0
        # later ones come last: they may be of a training that was replaced, or resumed from an earlier step
        candidates = [last, *candidates[first:], *candidates[:first]]
    for path in candidates:
        with suppress(UserError):
            check_checkpoint(path)
            return str(path)
    return None
