"""Limits of the pickle of a checkpoint, checked before torch reads it.

torch's safe unpickler calls functions that make gigabytes out of a few bytes (``bytearray(10**10)``).  Only the names
that a Runner, or ``torch.save`` of tensors, writes are allowed here, with the arguments with which they are written.
"""

import pickletools
import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import IO, Any

#: Both names of NumPy's module (it moved in NumPy 2); a checkpoint with either loads under both versions.
NUMPY_MODULES = ('numpy.core.multiarray', 'numpy._core.multiarray')
HISTORY, ARRAY = 'mmengine.logging.history_buffer.HistoryBuffer', 'numpy.ndarray'
#: Types that are written as values and never called.
TYPES = re.compile(r'torch\.(?:cuda\.)?\w+Storage|torch\.(?:b?float|u?int|complex)\d+|torch\.bool|numpy\.ndarray')
#: What is called, with any arguments.
CALLED = (
    'collections.OrderedDict',
    'collections.Counter',
    'builtins.set',
    'builtins.complex',
    'builtins.getattr',
    'torch.Size',
    'torch.device',
    'torch._utils._rebuild_tensor_v2',
    'torch._utils._rebuild_parameter',
)
#: Most values in a tuple, those in its tuples included: Python hashes and prints each of them.
MAX_TUPLE = 100_000
#: Most bytes that functions may copy out of what the file has once, besides a few times its size.
MAX_COPIED, COPIES = 64 << 20, 4
#: Bytes that a value takes in memory, about.
VALUE_BYTES = 64


class NotWritten(Exception):
    """The name of a function or type that no training run writes, or not with these arguments."""


class _Name(str):
    """A function or type, as opposed to a text."""


class _Value:
    """Description of a value: values in a tuple, bytes with those in it, and a constant, name or tuple of them."""

    __slots__ = 'count', 'size', 'what'

    def __init__(self, count: int = 1, size: int = VALUE_BYTES, what: Any = None) -> None:
        self.count, self.size, self.what = count, size, what


class _Within:
    """A file from which no more is read than it has: Python takes the memory for all that is asked for."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.tell, self.readline, self._read, self._size = file.tell, file.readline, file.read, size

    def read(self, size: int) -> bytes:
        return self._read(min(size, self._size))


def check_pickle(data: IO[bytes], file_size: int) -> None:
    """Follow a pickle on a stack of what is known of its values.

    Raises:
        NotWritten: a function or type is not allowed.
        ValueError: a tuple is too large, or functions copy more than a file of this size has.
    """
    stack: list[_Value] = []
    marks: list[int] = []
    memo: dict[Any, _Value] = {}
    copied, limit = 0, MAX_COPIED + COPIES * file_size
    for op, argument, _ in pickletools.genops(_Within(data, file_size)):  # type: ignore[arg-type]
        name = op.name
        if name == 'MARK':
            marks.append(len(stack))
            continue
        if name in ('GET', 'BINGET', 'LONG_BINGET'):
            stack.append(memo[argument])
            continue
        if name in ('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
            memo[len(memo) if name == 'MEMOIZE' else argument] = stack[-1]
            continue
        if name == 'DUP':
            stack.append(stack[-1])
            continue
        operands = op.stack_before
        if pickletools.markobject in operands:
            start = marks.pop() - operands.index(pickletools.markobject)
        else:
            start = len(stack) - len(operands)
        if start < 0:
            raise ValueError(name)
        taken = stack[start:]
        size = min(limit + 1, VALUE_BYTES + sum(value.size for value in taken))
        made = _Value()
        if 'TUPLE' in name:
            made = _Value(1 + sum(value.count for value in taken), size, tuple(value.what for value in taken))
            if made.count > MAX_TUPLE:
                raise ValueError(name)
        elif name == 'GLOBAL':
            made.what = _allowed(str(argument))
        elif name in ('REDUCE', 'NEWOBJ'):
            _check_call(*(value.what for value in taken))
            made.size, copied = size, copied + size
        elif name in ('APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'BUILD'):
            made = taken[0]
            made.size = size  # in the memo too, where it is the same value
            copied += taken[1].size if name == 'BUILD' else 0
        elif isinstance(argument, str | bytes):
            made = _Value(1, VALUE_BYTES + len(argument), argument)
        elif isinstance(argument, int):
            made.what = argument
        if copied > limit:
            raise ValueError(name)
        stack[start:] = [made] * len(op.stack_after)


def _allowed(argument: str) -> _Name:
    """Return the name of a GLOBAL as torch reads it; one that no training writes raises NotWritten."""
    module, _, name = argument.partition(' ')
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    full = _Name(f'{module}.{name}')
    if not (
        TYPES.fullmatch(full) or full in CALLED or full in (HISTORY, 'numpy.dtype', '_codecs.encode') or _numpy(full)
    ):
        raise NotWritten(full)
    return full


def _numpy(name: str) -> str:
    """``scalar`` or ``_reconstruct`` of NumPy, else an empty text."""
    module, _, function = name.rpartition('.')
    return function if module in NUMPY_MODULES and function in ('scalar', '_reconstruct') else ''


def _check_call(function: Any, arguments: Any) -> None:
    """Raise NotWritten for a function with arguments other than those with which pickle writes it."""
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise NotWritten(str(function) if isinstance(function, str) else 'a call of a value')
    count = len(arguments)
    fits = {
        HISTORY: not arguments,
        '_codecs.encode': count == 2 and arguments[1] == 'latin1',
        'numpy.dtype': count > 0 and bool(re.fullmatch(r'[biufSU]\d+', str(arguments[0]))),
        **dict.fromkeys(CALLED, True),
    }
    numpy_fits = {'scalar': count == 2, '_reconstruct': count == 3 and arguments[:2] == (ARRAY, (0,))}
    if not (fits.get(function) or numpy_fits.get(_numpy(function))):
        raise NotWritten(str(function))
