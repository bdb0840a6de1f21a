"""A head for mixed precision: mmaction2's heads hand their scores to NumPy, which knows no bfloat16."""

import torch
from mmaction.models.heads import GCNHead

from ..registry import MODELS


@MODELS.register_module()
class FullPrecisionGCNHead(GCNHead):
    """``mmaction.GCNHead`` whose pooling, scores and loss are float32 whatever precision the backbone has.

    The arguments are those of ``mmaction.GCNHead``.
    """

    def forward(self, x: torch.Tensor, **kwargs) -> torch.Tensor:
        """(N, K) float32 scores of (N, M, D, T, V) features."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float(), **kwargs)
