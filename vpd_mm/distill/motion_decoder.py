"""D, which reads pose and motion from the student's feature (paper 3.2)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from ..registry import MODELS


@MODELS.register_module()
class MotionDecoder(BaseModule):
    """Three linear layers: D to 128 to 128 to 2 D, ReLU between; dropped after training.

    Args:
        dims: D, the length of the student's feature and of the teacher's.
        hidden_dims: Width of the two hidden layers.

    Shapes: (N, D) to (N, 2 D) = [p_t ; p_t - p_(t-1)].
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
