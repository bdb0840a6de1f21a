"""Mixed precision on CPUs, which mmengine's AmpOptimWrapper leaves to accelerators."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from ..registry import OPTIM_WRAPPERS


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); without it autocast only costs time."""
    check = getattr(torch.cpu, '_is_avx512_bf16_supported', None)
    return bool(check and check())


@OPTIM_WRAPPERS.register_module()
class CpuAutocastOptimWrapper(OptimWrapper):
    """Forward pass under bfloat16 autocast on the CPU; weights, loss and optimiser stay float32.

    bfloat16 has float32's range, so no loss scaling is needed.  ``build_runner`` puts it in the place of
    ``AmpOptimWrapper`` (``--amp``) where there is no accelerator and the CPU has the instructions.  The arguments are
    those of ``mmengine.OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
