"""Heads of mmaction2 for mixed precision; their scores go to NumPy, which has no bfloat16."""

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


@MODELS.register_module()
class FullPrecisionGCNHead(FullPrecisionHead, GCNHead):
    """``mmaction.GCNHead`` in float32; its arguments.  Features (N, M, D, T, V)."""


@MODELS.register_module()
class FullPrecisionTSNHead(FullPrecisionHead, TSNHead):
    """``mmaction.TSNHead`` in float32; its arguments.  Features (N segments, D, H, W)."""


@MODELS.register_module()
class FullPrecisionTRNHead(FullPrecisionHead, TRNHead):
    """``mmaction.TRNHead`` in float32; its arguments.  Features (N segments, D, H, W)."""


@MODELS.register_module()
class FullPrecisionTimeSformerHead(FullPrecisionHead, TimeSformerHead):
    """``mmaction.TimeSformerHead`` in float32; its arguments.  Features (N, D)."""


@MODELS.register_module()
class FullPrecisionI3DHead(FullPrecisionHead, I3DHead):
    """``mmaction.I3DHead`` in float32; its arguments.  Features (N, D, T, H, W)."""
