"""Network of VIPE*: a 2D pose to a view-invariant embedding (paper 3.1, supplement)."""

import torch
from mmengine.model import BaseModule
from torch import nn

from ..registry import MODELS
from .joint_feature import HIPS, SHOULDERS
from .pose_skeleton import VPD_BONES

NUM_JOINTS = 13


@MODELS.register_module()
class VIPEEncoder(BaseModule):
    """The lifting network of Martinez et al. (2017): two residual blocks of two linear layers between linear layers.

    With the defaults it has 4,313,152 parameters.

    Args:
        dims: D, length of the embedding.
        hidden_dims: Width.
        dropout: Dropout rate after every ReLU.
        bones: Also use the direction and length of 12 bones in the image as input.

    Shapes: (..., 13, 3) of (x, y, confidence - 0.5), normalized by ``normalize_joints``, to (..., D).
    """

    def __init__(
        self,
        dims: int = 64,
        hidden_dims: int = 1024,
        dropout: float = 0.2,
        bones: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.dims, self.bones = dims, bones
        in_dims = 3 * NUM_JOINTS + (3 * len(VPD_BONES) if bones else 0)
        self.enter = nn.Linear(in_dims, hidden_dims)
        self.blocks = nn.ModuleList(_Block(hidden_dims, dropout) for _ in range(2))
        self.leave = nn.Linear(hidden_dims, dims)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        flat = inputs.reshape(-1, NUM_JOINTS, 3)
        features = flat.flatten(1)
        if self.bones:
            features = torch.cat([features, image_bones(flat[..., :2]).flatten(1)], dim=1)
        hidden = self.enter(features)
        for block in self.blocks:
            hidden = block(hidden)
        return self.leave(hidden).reshape(*inputs.shape[:-2], self.dims)


class _Block(nn.Sequential):
    """Two linear layers with a skip connection."""

    def __init__(self, dims: int, dropout: float) -> None:
        super().__init__()
        for _ in range(2):
            self.extend([nn.Linear(dims, dims), nn.BatchNorm1d(dims), nn.ReLU(inplace=True), nn.Dropout(dropout)])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + super().forward(inputs)


def image_bones(points: torch.Tensor) -> torch.Tensor:
    """Convert points (N, 13, 2) to unit direction (x, y) and length (N, 12, 3) of ``VPD_BONES``; zeros stay zeros."""
    middles = [points[:, pair].mean(dim=1, keepdim=True) for pair in (HIPS, SHOULDERS)]
    points = torch.cat([points, *middles], dim=1)
    start, end = torch.tensor(VPD_BONES).T
    bones = points[:, end] - points[:, start]
    lengths = bones.norm(dim=-1, keepdim=True)
    return torch.cat([bones / lengths.clamp(min=1e-6), lengths], dim=-1)
