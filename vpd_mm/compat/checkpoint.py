"""mmengine checkpoints and ``torch.load(weights_only=True)``, the default since torch 2.6.

The checkpoint of a Runner contains its logs (``HistoryBuffer``, NumPy numbers), which the safe unpickler refuses, and
onedl-mmengine then falls back to the unsafe one.  This bridge allows exactly the types that a Runner writes, uses the
safe unpickler only, and refuses any other or damaged file with an error of one line.
"""

import errno
import functools
import importlib
import os
import pickle
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ..errors import UserError
from .bridge import provider, rebind

FORCE, FORBID = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
#: Both names of NumPy's module (it moved in NumPy 2); a checkpoint with either loads under both versions.
NUMPY_MODULES = ('numpy.core.multiarray', 'numpy._core.multiarray')
#: Messages of torch's unpickler about a type or function that is not allowed.
REFUSED = re.compile(r"(?:GLOBAL|unrecognized function|unsupported class) (<[^>]+>|[\w.]+)|but got <class '([\w.]+)'>")
DAMAGE = (EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, struct.error)
DAMAGE_TEXTS = ('PytorchStreamReader', 'magic number', 'EOF', 'corrupt', 'byte size')
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
    """Read a local checkpoint: weights and the data that a Runner adds; no other type, no code.

    Raises:
        UserError: The file is missing, damaged, or holds a type that a Runner does not write.
    """
    allow_runner_types()
    with _clear_errors(str(filename)):
        return _torch_load(filename, map_location)


def _torch_load(file, map_location=None, weights_only=True):
    import torch

    return torch.load(file, map_location=map_location, weights_only=True)


@contextmanager
def _clear_errors(filename: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f'checkpoint {filename}: no such file') from None
    except pickle.UnpicklingError as e:
        match = REFUSED.search(str(e))
        reason = f'it holds {(match[1] or match[2])}, which no training run writes' if match else NOT_A_CHECKPOINT
        raise UserError(
            f'checkpoint {filename} was refused and nothing in it was run: {reason}; '
            'use one from a source you trust, saved with weights only'
        ) from e
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
    load = module._load_checkpoint

    @functools.wraps(load)
    def load_safely(filename, map_location=None, logger=None):
        with _clear_errors(str(filename)), _weights_only():
            return load(filename, map_location, logger)

    rebind(load, load_safely)
    if hasattr(module, '_safe_torch_load'):  # onedl-mmengine allows the real getattr and falls back to pickle
        rebind(module._safe_torch_load, _torch_load)
