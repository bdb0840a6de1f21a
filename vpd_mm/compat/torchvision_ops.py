"""A torchvision built for another torch (PyPI's CUDA build beside a CPU torch, say) fails at import.

Its compiled library does not load, and its Python then describes two operators that nobody declared.  Once they are
declared, everything of torchvision that is pure Python works: RAFT, ResNets, transforms.v2.
"""

import functools
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

from .bridge import Bridge, package_dir

SCHEMAS = (
    'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
)


def applies() -> str:
    """Loads torchvision's compiled library, and torch for it: a probe for the moment torchvision is imported."""
    root = package_dir('torchvision')
    if root is None or _declared_by_torchvision():
        return ''
    torch = importlib.import_module('torch')
    library = _library(root)
    if library is None:
        return 'torchvision has no compiled library'
    if sys.platform == 'win32':
        os.add_dll_directory(str(root))
    try:
        torch.ops.load_library(str(library))
    except OSError as e:
        return f'torchvision is built for another torch: {" ".join(str(e.__cause__ or e).split())[:120]}'
    return ''


def _library(root: Path) -> Path | None:
    candidates = [root / f'_C{suffix}' for suffix in EXTENSION_SUFFIXES]
    return next((path for path in candidates if path.is_file()), None)


def _declared_by_torchvision() -> bool:
    """True once torchvision's own library has registered its operators."""
    extension = sys.modules.get('torchvision.extension')
    return extension is not None and extension._has_ops()


@functools.cache  # once a process; torch forgets a Library's operators when the object goes
def _operators():
    torch = importlib.import_module('torch')
    library = torch.library.Library('torchvision', 'DEF')
    for schema in SCHEMAS:
        library.define(schema)
    return library


@contextmanager
def _declare(module: ModuleType) -> Iterator[None]:
    _operators()
    yield


BRIDGE = Bridge(
    name='torchvision operators',
    upstream='https://github.com/pytorch/pytorch/issues/157648',
    cure='declares the operators nms and qnms; the pure-Python parts (RAFT, ResNet, transforms.v2) work',
    applies=applies,
    around={'torchvision': _declare},
)
