"""Mixed precision on CPUs, which the AmpOptimWrapper of mmengine does not support."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from ..registry import OPTIM_WRAPPERS

LOGGER = logging.getLogger(__name__)


def cpu_has_bfloat16() -> bool:
    """Tell if this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); without it autocast is slower."""
    check = getattr(torch.cpu, '_is_avx512_bf16_supported', None)
    return bool(check and check())


def on_this_cpu(optim_wrapper: dict) -> dict:
    """Adapt the ``optim_wrapper`` of a config to a machine without accelerator: bfloat16 where the CPU supports it."""
    if optim_wrapper.get('type') != 'AmpOptimWrapper':
        return optim_wrapper
    rest = {k: v for k, v in optim_wrapper.items() if k not in ('type', 'loss_scale', 'dtype')}
    if cpu_has_bfloat16():
        return {'type': 'vpd_mm.CpuAutocastOptimWrapper', **rest}
    LOGGER.warning('this CPU has no bfloat16 instructions; the run trains in float32')
    return {'type': 'OptimWrapper', **rest}


@OPTIM_WRAPPERS.register_module()
class CpuAutocastOptimWrapper(OptimWrapper):
    """Run the forward pass under bfloat16 autocast on the CPU; weights, loss and optimizer stay float32.

    bfloat16 has the range of float32, so no loss scaling is needed.  ``build_runner`` uses it in place of
    ``AmpOptimWrapper`` (``--amp``) where the CPU has the instructions.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
