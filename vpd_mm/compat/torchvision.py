"""Bridge for a torchvision built for another torch (such as PyPI's CUDA build beside a CPU torch).

Its compiled library does not load, and its Python code then fails on two undeclared operators.  Once they are declared,
everything in torchvision that is pure Python works: RAFT, ResNets, transforms.v2.
"""

import functools
import importlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

from .bridge import Bridge, package_dir

_SIGNATURE = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'


def _lacks_operators() -> str:
    """Return why the bridge is needed; loads torch and the compiled library of torchvision."""
    root = package_dir('torchvision')
    extension = sys.modules.get('torchvision.extension')
    if root is None or (extension is not None and extension._has_ops()):
        return ''
    torch = importlib.import_module('torch')
    libraries = [path for suffix in EXTENSION_SUFFIXES if (path := root / f'_C{suffix}').is_file()]
    if not libraries:
        return 'torchvision has no compiled library'
    if sys.platform == 'win32':
        os.add_dll_directory(str(root))
    try:
        torch.ops.load_library(str(libraries[0]))
    except OSError as e:
        return f'torchvision is built for another torch: {" ".join(str(e.__cause__ or e).split())[:120]}'
    return ''


@functools.cache  # torch drops the operators of a Library when the object is deleted
def _operators():
    library = importlib.import_module('torch').library.Library('torchvision', 'DEF')
    library.define(f'nms{_SIGNATURE}')
    library.define(f'qnms{_SIGNATURE}')
    return library


def _declare(module: ModuleType) -> Iterator[None]:
    _operators()
    yield


BRIDGES = (
    Bridge(
        name='torchvision operators',
        upstream='https://github.com/pytorch/pytorch/issues/157648',
        fix='declares the operators nms and qnms; the pure-Python parts (RAFT, ResNet, transforms.v2) work',
        applies=_lacks_operators,
        around={'torchvision': _declare},
    ),
)
