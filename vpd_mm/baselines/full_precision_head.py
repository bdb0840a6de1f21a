"""Heads of mmaction2 for mixed precision; their scores go to NumPy, which has no bfloat16.

Registered: FullPrecisionGCNHead, FullPrecisionI3DHead, FullPrecisionTRNHead, FullPrecisionTSNHead and
FullPrecisionTimeSformerHead, each with the arguments of the head of mmaction2 that it is named after.
"""

from typing import Any

import torch
from mmaction.models.heads import GCNHead, I3DHead, TimeSformerHead, TRNHead, TSNHead

from ..registry import MODELS


class FullPrecisionHead:
    """Mixin that computes pooling, scores and loss of a head in float32; list it before the head."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(N, K) float32 scores of features in the layout of the head."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float(), *args, **kwargs)  # type: ignore[misc]


for head in (GCNHead, I3DHead, TRNHead, TSNHead, TimeSformerHead):
    MODELS.register_module(module=type(f'FullPrecision{head.__name__}', (FullPrecisionHead, head), {}))
