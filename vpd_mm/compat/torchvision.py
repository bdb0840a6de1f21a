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

from .bridge import package_dir


def lacks_operators() -> str:
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
    for name in ('nms', 'qnms'):
        library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    return library


def declare_operators(module: ModuleType) -> Iterator[None]:
    """Declare the operators, unless a compiled torchvision of this process has registered them."""
    if not hasattr(importlib.import_module('torch').ops.torchvision, 'nms'):
        _operators()
    yield
