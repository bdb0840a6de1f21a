"""Pickles of the public VPD release, read as data: nothing in them is imported or run.

The release stores features and video tables as pickles.  The C unpickler of Python calls what a file names; this reader
interprets only the opcodes of plain containers and knows only the names below, which stand for NumPy arrays.  Any other
opcode or name raises an error.  Time and memory grow with the size of the file: what the file refers to again counts
again, up to a limit, and lists and dicts occur in one place each, so that none can hold itself.
"""

import io
import os
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any, Literal, NoReturn

import numpy as np

from ..errors import UserError
from ..files import read_bytes

#: Largest pickle that is read (the features of an hour of video with V = 2, D = 128 take 250 MB).
MAX_PICKLE_BYTES = 2 << 30
#: Types of the numbers in an array.
DTYPES = ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1')
#: Bytes, characters and items that references may repeat, for every byte of the file, and in a small file.
MAX_REPEATS, REPEATS_FLOOR = 16, 1000
#: Longest tuple that is the key of a dict; its items, and other keys, are texts and numbers.
MAX_KEY_ITEMS = 4
_OPCODES = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT LONG LONG1 LONG4 BININT BININT1 BININT2 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8
    EMPTY_LIST EMPTY_DICT EMPTY_TUPLE LIST DICT TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE
    BUILD NEWOBJ BYTEARRAY8
"""
_DAMAGE: tuple[type[Exception], ...] = (pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError)
_DAMAGE += (AttributeError, OverflowError, MemoryError, struct.error)


class _Refused(Exception):
    """Content beyond arrays and plain containers."""


class PickledArray:
    """An array of the pickle; ``array`` is None until its content has been read."""

    __slots__ = ('array',)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array

    def set_state(self, state: Any) -> None:
        if self.array is not None:
            raise _Refused('a second state of an array')
        _, shape, dtype, fortran, content = state
        self.array = _decode(content, dtype, shape, 'F' if fortran else 'C')


class _DType:
    __slots__ = ('code', 'order')

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in DTYPES:
            raise _Refused(f'an array of dtype {code!r}' if isinstance(code, str) else 'an unknown dtype')
        self.code = code
        self.order: Literal['<', '>', '='] = '='

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise _Refused('a structured dtype')
        self.order = state[1] if state[1] in ('<', '>') else '='


def _decode(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if isinstance(content, str):  # of Python 2
        content = _encode(content, 'latin1')
    if not isinstance(dtype, _DType) or not isinstance(content, bytes):
        raise _Refused('an array of objects')
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 8:
        raise ValueError('an array without a valid shape')
    values = np.frombuffer(content, np.dtype(dtype.code).newbyteorder(dtype.order))
    return values.reshape(shape, order='F' if order == 'F' else 'C')


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise ValueError('bytes in an unknown encoding')
    return text.encode('latin1')


def _refuse_call(*_: Any) -> NoReturn:
    raise _Refused('a call of ndarray')


#: The only names that may occur, and what stands in for each; NumPy 2 moved some modules.
NAMES: dict[tuple[str, str], Callable] = {
    ('numpy', 'ndarray'): _refuse_call,
    ('numpy', 'dtype'): _DType,
    ('_codecs', 'encode'): _encode,
    ('util.video', 'VideoMetadata'): lambda *items: items,  # (fps, num_frames, width, height) of the release
}
for _core in ('numpy.core', 'numpy._core'):
    NAMES[f'{_core}.multiarray', '_reconstruct'] = lambda *_: PickledArray()
    NAMES[f'{_core}.multiarray', 'scalar'] = lambda dtype, content: _decode(content, dtype, (), 'C').item()
    NAMES[f'{_core}.numeric', '_frombuffer'] = lambda *arguments: PickledArray(_decode(*arguments))


class _Dispatch(dict):
    """Opcode to its function; a missing one is refused, or reported as damage where pickles have no such opcode."""

    def __missing__(self, code: int) -> NoReturn:
        opcode = pickletools.code2op.get(chr(code))  # type: ignore[attr-defined]
        if opcode is None:
            raise ValueError(f'no opcode {code}')
        raise _Refused(f'the opcode {opcode.name}')


class _Reader(pickle._Unpickler):  # type: ignore[name-defined,misc]  # the unpickler written in Python
    dispatch = _Dispatch()
    stack: list
    read: Callable[[int], bytes]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding='latin1')
        self.repeats = MAX_REPEATS * len(data) + REPEATS_FLOOR

    def find_class(self, module: Any, name: Any) -> Callable:
        if (module, name) not in NAMES:
            raise _Refused(f'{module}.{name}')
        return NAMES[module, name]

    def check_reference(self) -> None:
        """Count the content of an object that the file refers to; a list, dict or unfinished array is refused."""
        pending = self.stack[-1:]
        while pending:
            item = pending.pop()
            if isinstance(item, (list, dict)) or (isinstance(item, PickledArray) and item.array is None):
                raise _Refused('a list, dict or unfinished array in two places')
            self.repeats -= 1 + (len(item) if isinstance(item, (tuple, str, bytes)) else 0)
            self.repeats -= getattr(getattr(item, 'array', None), 'nbytes', 0)
            if self.repeats < 0:
                raise _Refused('references that repeat more than the file holds')
            pending += item if isinstance(item, tuple) else ()

    def check_int(self) -> None:
        if not -(1 << 63) <= self.stack[-1] < 1 << 64:
            raise ValueError('a number of more than 64 bits')

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.set_items(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def load_setitems(self) -> None:
        self.set_items(self.pop_mark())

    def set_items(self, items: list) -> None:
        """Put [key, value, ...] into the dict on the stack; keys whose hash takes long, or collides, are refused."""
        content = self.stack[-1]
        if not isinstance(content, dict):
            raise ValueError('an entry outside of a dict')
        for key, value in zip(items[::2], items[1::2], strict=True):
            parts = key if isinstance(key, tuple) else (key,)
            if len(parts) > MAX_KEY_ITEMS or not all(isinstance(part, (str, int, float)) for part in parts):
                raise ValueError('a key that is no text or number')
            content[key] = value

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.stack[-1](*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (PickledArray, _DType)):
            raise _Refused(f'a state for {type(self.stack[-1]).__name__}')
        self.stack[-1].set_state(state)

    def load_bytearray8(self) -> None:
        """Read the bytes that the file holds, where the original first allocates the declared size."""
        (size,) = struct.unpack('<Q', self.read(8))
        self.append(self.read(size))


def _load(name: str) -> Callable:
    """The function of an opcode, with the check of what it puts on the stack."""
    load: Any = getattr(_Reader, f'load_{name.lower()}', None)
    load = load or pickle._Unpickler.dispatch[getattr(pickle, name)[0]]  # type: ignore[attr-defined]
    check = _CHECKS.get(name)
    if check is None:
        return load

    def load_checked(reader: _Reader) -> None:
        load(reader)
        check(reader)

    return load_checked


_CHECKS = dict.fromkeys(('GET', 'BINGET', 'LONG_BINGET'), _Reader.check_reference)
_CHECKS |= dict.fromkeys(('INT', 'LONG', 'LONG1', 'LONG4'), _Reader.check_int)
for _name in _OPCODES.split():
    _Reader.dispatch[getattr(pickle, _name)[0]] = _load(_name)


def read_pickle_data(path: str | os.PathLike) -> Any:
    """Read lists, tuples, dicts, numbers, text and :class:`PickledArray` from a pickle.

    Raises:
        UserError: the file is missing, too large, truncated, damaged, or contains anything else; nothing of it has run.
    """
    data = read_bytes(path, MAX_PICKLE_BYTES)
    try:
        return _Reader(data).load()
    except _Refused as e:
        raise UserError(f'{path}: refused, the pickle holds {e}, not only NumPy arrays and plain containers') from e
    except _DAMAGE as e:
        raise UserError(f'{path}: truncated or damaged ({e}); copy it again') from e
