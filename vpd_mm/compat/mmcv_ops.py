"""Stand-in for the compiled module ``mmcv._ext``, which mmcv-lite lacks.

Only ``mmcv._ext`` is replaced; all of ``mmcv.ops`` above it is upstream code: names, classes, registration,
``batched_nms``, the PyTorch path of ``MultiScaleDeformableAttention``.
"""

from collections.abc import Callable
from importlib.machinery import PathFinder
from types import ModuleType

from ..errors import UserError
from .bridge import Bridge, package_dir


def applies() -> str:
    root = package_dir('mmcv')
    if root is None or PathFinder.find_spec('mmcv._ext', [str(root)]) is not None:
        return ''
    return 'mmcv has no compiled operators (mmcv-lite)'


def _missing(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise UserError(
            f'mmcv operator {name} is compiled code, which mmcv-lite lacks: '
            'pip uninstall mmcv-lite, then pip install onedl-mmcv (or mmcv==2.1.0; both compile on the spot)'
        )

    missing.__name__ = name
    return missing


def _fill(module: ModuleType) -> None:
    from . import torch_ops

    vars(module).update(
        nms=torch_ops.nms,
        softnms=torch_ops.softnms,
        nms_match=torch_ops.nms_match,
        roi_align_forward=torch_ops.roi_align_forward,
        get_compiler_version=lambda: 'n/a (mmcv-lite)',
        get_compiling_cuda_version=lambda: 'n/a (mmcv-lite)',
        __getattr__=_missing,
    )


BRIDGE = Bridge(
    name='mmcv.ops',
    upstream='https://github.com/open-mmlab/mmdetection/issues/11475',
    fix='nms, batched_nms, soft_nms, nms_match, roi_align in PyTorch; others import, and raise when used',
    applies=applies,
    stand_ins={'mmcv._ext': _fill},
)
