"""Decoder D of pose and motion (paper 3.2)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from ..registry import MODELS


@MODELS.register_module()
class MotionDecoder(BaseModule):
    """Three linear layers with ReLU; used in training only.

    Shapes: (N, D) to (N, 2 D) = [p_t ; p_t - p_(t-1)]; D = ``dims``.
    """

    def __init__(self, dims: int, hidden_dims: int = 128) -> None:
        super().__init__()
        self.dims = dims
        self.layers = nn.Sequential(
            nn.Linear(dims, hidden_dims),
            nn.ReLU(),
            nn.Linear(hidden_dims, hidden_dims),
            nn.ReLU(),
            nn.Linear(hidden_dims, 2 * dims),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)
