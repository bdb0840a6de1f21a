"""mmengine's checkpoints and ``torch.load(weights_only=True)``, the default since torch 2.6.

A Runner's checkpoint carries its logs (``HistoryBuffer``, NumPy numbers), which the safe unpickler refuses, and
onedl-mmengine then falls back to the unsafe one.  Here exactly the types that a Runner writes are allowed, the safe
unpickler is the only one, and a file with anything else, or a damaged one, is refused with one line.
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
from .bridge import Bridge, provider, rebind

FORCE, FORBID = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
# NumPy's modules moved in NumPy 2; a checkpoint written under either name loads under both.
NUMPY_MODULES = ('numpy.core.multiarray', 'numpy._core.multiarray')
# What torch's unpickler says of a type or function that is not on its list.
REFUSED = re.compile(r"(?:GLOBAL|unrecognized function|unsupported class) (<[^>]+>|[\w.]+)|but got <class '([\w.]+)'>")
DAMAGE = (EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, struct.error)
NOT_A_CHECKPOINT = 'it is damaged (truncated?) or was not written by torch.save'
STATISTICS = ('min', 'max', 'mean', 'current')
NUMPY_TYPES = ('Bool', 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'Float16', 'Float32', 'Float64', 'Str')


def applies() -> str:
    found = provider('mmengine')
    if found is None:
        return ''
    return f'{found[0]} {found[1]} cannot resume from its own checkpoints with weights_only=True'


def safe_globals() -> list:
    """What a genuine Runner checkpoint holds beyond tensors and Python's own types, as torch's allow-list takes it.

    HistoryBuffer (message hub) with its arrays and statistics methods; NumPy numbers in metrics and ``dataset_meta``.
    """
    np = importlib.import_module('numpy')
    buffer = importlib.import_module('mmengine.logging.history_buffer').HistoryBuffer
    multiarray = importlib.import_module('numpy' + ('._core' if hasattr(np, '_core') else '.core') + '.multiarray')
    dtypes = importlib.import_module('numpy.dtypes')

    def method(owner: object, name: str) -> object:
        """``HistoryBuffer.mean`` is pickled as ``getattr(HistoryBuffer, 'mean')``; no other getattr is let through."""
        if owner is not buffer or name not in STATISTICS:
            raise pickle.UnpicklingError(f'Unsupported global: GLOBAL builtins.getattr({owner!r}, {name!r})')
        return getattr(buffer, name)

    allowed: list = [buffer, np.ndarray, np.dtype, (method, 'builtins.getattr')]
    allowed += [getattr(dtypes, f'{name}DType') for name in NUMPY_TYPES]
    for name in ('_reconstruct', 'scalar'):
        allowed += [(getattr(multiarray, name), f'{module}.{name}') for module in NUMPY_MODULES]
    return allowed


@functools.cache  # the list is the process's; once is enough
def allow_runner_types() -> None:
    """Add :func:`safe_globals` to torch's allow-list (torch >= 2.5 has one)."""
    serialization = importlib.import_module('torch.serialization')
    if hasattr(serialization, 'add_safe_globals'):
        serialization.add_safe_globals(safe_globals())


def load_checkpoint_safely(filename: str, map_location='cpu') -> dict:
    """Read a local checkpoint: weights, and what a Runner adds to them; no other type, no code.

    Raises:
        UserError: The file is missing, damaged, or holds a type that a Runner does not write.
    """
    allow_runner_types()
    with _clear_errors(str(filename)):
        return _torch_load(filename, map_location)


def _torch_load(file, map_location=None, weights_only=True):
    torch = importlib.import_module('torch')
    return torch.load(file, map_location=map_location, weights_only=True)


@contextmanager
def _clear_errors(filename: str) -> Iterator[None]:
    path = os.path.expanduser(filename)
    try:
        yield
    except FileNotFoundError:
        raise UserError(f'checkpoint {filename}: no such file') from None
    except pickle.UnpicklingError as e:
        match = REFUSED.search(str(e))
        what = f'it holds {(match[1] or match[2])}, which no training run writes' if match else NOT_A_CHECKPOINT
        raise UserError(
            f'checkpoint {filename} was refused and nothing in it was run: {what}; '
            'use one from a source you trust, saved with weights only'
        ) from e
    except DAMAGE as e:
        if not os.path.isfile(path) or not _is_damage(e):
            raise
        raise UserError(f'checkpoint {filename}: {NOT_A_CHECKPOINT}; copy or download it again') from e


def _is_damage(error: Exception) -> bool:
    """Whether this is how torch reports a file that it cannot parse, and not, say, a full memory or a missing GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.EINVAL
    if type(error) is RuntimeError:
        return any(
            text in str(error) for text in ('PytorchStreamReader', 'magic number', 'EOF', 'corrupt', 'byte size')
        )
    return True


@contextmanager
def _weights_only() -> Iterator[None]:
    """Inside, every ``torch.load`` is weights_only, whatever its caller (a fallback, an old default) asks for."""
    before = {name: os.environ.pop(name, None) for name in (FORCE, FORBID)}
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        del os.environ[FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def _safe_loader(module: ModuleType) -> Iterator[None]:
    yield
    allow_runner_types()
    load = module._load_checkpoint

    @functools.wraps(load)
    def load_safely(filename, map_location=None, logger=None):
        with _clear_errors(str(filename)), _weights_only():
            return load(filename, map_location, logger)

    rebind(load, load_safely)
    if hasattr(module, '_safe_torch_load'):  # onedl-mmengine: its list has the real getattr, and it falls back
        rebind(module._safe_torch_load, _torch_load)


BRIDGE = Bridge(
    name='mmengine checkpoints',
    upstream='https://github.com/open-mmlab/mmengine/issues/1655',
    cure='allow-lists what a Runner writes; loads with weights_only=True always, refuses the rest with one line',
    applies=applies,
    around={'mmengine.runner.checkpoint': _safe_loader},
)
