"""Bridges for mmcv-lite (no compiled operators) and for mmcv >= 2.2 (refused by mmdet and mmaction2)."""

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from types import ModuleType

from ..errors import UserError
from .bridge import package_dir, provider

ACCEPTED_VERSION = '2.1.0'


def lacks_operators() -> str:
    root = package_dir('mmcv')
    if root is None or PathFinder.find_spec('mmcv._ext', [str(root)]) is not None:
        return ''
    return 'mmcv has no compiled operators (mmcv-lite)'


def _missing_operator(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise UserError(
            f'mmcv operator {name} is compiled code, which mmcv-lite lacks: '
            'pip uninstall mmcv-lite, then pip install onedl-mmcv (or mmcv==2.1.0; both compile on the spot)'
        )

    missing.__name__ = name
    return missing


def fill_ext(module: ModuleType) -> None:
    """Fill ``mmcv._ext``; all of ``mmcv.ops`` above it is upstream code."""
    from . import torch_ops

    vars(module).update(
        nms=torch_ops.nms,
        softnms=torch_ops.softnms,
        nms_match=torch_ops.nms_match,
        roi_align_forward=torch_ops.roi_align_forward,
        get_compiler_version=lambda: 'n/a (mmcv-lite)',
        get_compiling_cuda_version=lambda: 'n/a (mmcv-lite)',
        __getattr__=_missing_operator,
    )


def version_is_refused() -> str:
    name, version = provider('mmcv') or ('mmcv', '')
    version = getattr(sys.modules.get('mmcv'), '__version__', None) or version
    if not version or tuple(int(part) for part in version.split('.')[:2]) < (2, 2):
        return ''
    return f'{name} {version} is refused by mmdet 3.3.0 and mmaction2 1.2.0'


def show_accepted_version(module: ModuleType) -> Iterator[None]:
    """Show an accepted version while the package's ``__init__`` compares it; forks have their own limits."""
    if (provider(module.__name__) or ('',))[0] not in ('mmdet', 'mmaction2'):
        yield
        return
    mmcv = importlib.import_module('mmcv')
    true_version = mmcv.__version__
    mmcv.__version__ = ACCEPTED_VERSION  # type: ignore[attr-defined]
    try:
        yield
    finally:
        mmcv.__version__ = true_version  # type: ignore[attr-defined]
    if hasattr(module, 'mmcv_version'):
        module.mmcv_version = module.digit_version(true_version)  # type: ignore[attr-defined]
