"""A pickle read as data: nothing in it is ever imported, called or run.

The public VPD release keeps features and video tables as pickles.  Python's
own unpickler runs what a file tells it to; this one is a small interpreter of
the opcodes that NumPy arrays and plain containers need.  Any other opcode, and
any name outside the table below, makes the file refused.
"""

import codecs
import os
import pickletools
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from ..errors import UserError

#: A larger pickle is refused (the features of an hour of video with V = 2, D = 128 take 250 MB).
MAX_PICKLE_BYTES = 2 << 30
#: The only names that may occur, in NumPy 1's modules and NumPy 2's; each becomes the tag on the right.
NAMES = {
    ('numpy', 'ndarray'): 'ndarray',
    ('numpy', 'dtype'): 'dtype',
    ('numpy.core.multiarray', '_reconstruct'): 'reconstruct',
    ('numpy._core.multiarray', '_reconstruct'): 'reconstruct',
    ('numpy.core.multiarray', 'scalar'): 'scalar',
    ('numpy._core.multiarray', 'scalar'): 'scalar',
    ('numpy.core.numeric', '_frombuffer'): 'frombuffer',
    ('numpy._core.numeric', '_frombuffer'): 'frombuffer',
    ('_codecs', 'encode'): 'encode',
    ('util.video', 'VideoMetadata'): 'tuple',  # the release's (fps, num_frames, width, height)
}
#: Types of the numbers in an array.
DTYPES = ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1')
_PUSH_ARGUMENT = frozenset(
    (
        *('BININT', 'BININT1', 'BININT2', 'INT', 'LONG', 'LONG1', 'LONG4', 'BINFLOAT', 'FLOAT'),
        *('UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8'),
        *('BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8', 'BYTEARRAY8'),
    )
)
_PUSH_CONSTANT = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_SHORT_TUPLES = {'EMPTY_TUPLE': 0, 'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}
_MARK = object()


class PickledArray:
    """A place for an array; ``array`` is None until its content has been read."""

    __slots__ = ('array',)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array


class _Name:
    __slots__ = ('tag',)

    def __init__(self, tag: str) -> None:
        self.tag = tag


class _DType:
    __slots__ = ('code', 'order')

    def __init__(self, code: str) -> None:
        self.code = code
        self.order: Literal['<', '>', '='] = '='

    def numpy(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)


def read_pickle_data(path: str | os.PathLike) -> Any:
    """Read lists, tuples, dicts, numbers, text and :class:`PickledArray` from a pickle.

    Raises:
        UserError: the file is missing, too large, cut short, damaged, or asks
            for anything else; nothing of it has run then.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: no such file')
    if path.stat().st_size > MAX_PICKLE_BYTES:
        raise UserError(f'{path}: larger than {MAX_PICKLE_BYTES} bytes; not a file of features')
    try:
        return _Machine(path).run(path.read_bytes())
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as e:
        raise UserError(f'{path}: cut short or damaged ({e}); copy it again') from e


class _Machine:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name in _PUSH_ARGUMENT:
                self.stack.append(argument)
            elif name in _PUSH_CONSTANT:
                self.stack.append(_PUSH_CONSTANT[name])
            elif name in _SHORT_TUPLES:
                count = _SHORT_TUPLES[name]
                self.stack.append(tuple(self._pop() for _ in range(count))[::-1])
            elif name == 'STOP':
                return self._pop()
            else:
                handler = getattr(self, f'_do_{name.lower()}', None)
                if handler is None:
                    self._refuse(f'the opcode {name}')
                handler(argument)
        raise ValueError('no end')

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(f'{self.path}: refused, the pickle holds {what}, not only NumPy arrays and plain containers')

    def _pop(self) -> Any:
        if self.stack[-1] is _MARK:
            raise ValueError('a value is missing')
        return self.stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        items = []
        while self.stack[-1] is not _MARK:
            items.append(self.stack.pop())
        self.stack.pop()
        return items[::-1]

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f'{type(self.stack[-1]).__name__} where a {kind.__name__} belongs')
        return self.stack[-1]

    def _do_proto(self, _: Any) -> None:
        pass

    _do_frame = _do_proto

    def _do_mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _do_empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _do_empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _do_list(self, _: Any) -> None:
        self.stack.append(self._pop_to_mark())

    def _do_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def _do_dict(self, _: Any) -> None:
        items = self._pop_to_mark()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def _do_append(self, _: Any) -> None:
        item = self._pop()
        self._top(list).append(item)

    def _do_appends(self, _: Any) -> None:
        items = self._pop_to_mark()
        self._top(list).extend(items)

    def _do_setitem(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._top(dict)[key] = value

    def _do_setitems(self, _: Any) -> None:
        items = self._pop_to_mark()
        self._top(dict).update(zip(items[::2], items[1::2], strict=True))

    def _do_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _do_binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _do_put = _do_long_binput = _do_binput

    def _do_binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _do_get = _do_long_binget = _do_binget

    def _do_global(self, names: str) -> None:
        self._push_name(*names.split(' ', 1))

    def _do_stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        if (module, name) not in NAMES:
            self._refuse(f'{str(module)[:40]}.{str(name)[:40]}')
        self.stack.append(_Name(NAMES[module, name]))

    def _do_reduce(self, _: Any) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ValueError('a call of something that is no function')
        make = getattr(self, f'_make_{function.tag}', None)
        if make is None:
            self._refuse(f'a call of {function.tag}')
        self.stack.append(make(*arguments))

    _do_newobj = _do_reduce

    def _do_build(self, _: Any) -> None:
        state, target = self._pop(), self.stack[-1]
        if isinstance(target, _DType):
            if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
                self._refuse('a structured dtype')
            target.order = state[1] if state[1] in ('<', '>') else '='
        elif isinstance(target, PickledArray) and target.array is None:
            _, shape, dtype, fortran, content = state
            target.array = self._array(content, dtype, shape, 'F' if fortran else 'C')
        else:
            self._refuse(f'a state for {type(target).__name__}')

    def _array(self, content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
        if not isinstance(dtype, _DType) or not isinstance(content, (bytes, bytearray)):
            self._refuse('an array of objects')
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 8:
            raise ValueError(f'an array of shape {str(shape)[:40]}')
        values = np.frombuffer(content, dtype.numpy())
        return values.reshape(shape, order='F' if order == 'F' else 'C')

    @staticmethod
    def _make_reconstruct(*_: Any) -> PickledArray:
        return PickledArray()

    def _make_dtype(self, code: Any, *_: Any) -> _DType:
        if code not in DTYPES:
            self._refuse(f'an array of dtype {str(code)[:20]!r}')
        return _DType(code)

    def _make_scalar(self, dtype: Any, content: Any) -> Any:
        return self._array(content, dtype, (), 'C').item()

    def _make_frombuffer(self, content: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
        return PickledArray(self._array(content, dtype, shape, order))

    @staticmethod
    def _make_encode(text: Any, encoding: Any) -> bytes:
        if encoding != 'latin1' or not isinstance(text, str):
            raise ValueError('bytes in an unknown encoding')
        return codecs.latin_1_encode(text)[0]

    @staticmethod
    def _make_tuple(*items: Any) -> tuple:
        return items
