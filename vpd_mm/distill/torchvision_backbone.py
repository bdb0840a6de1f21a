"""ResNets of torchvision as registered backbones."""

import torch
from mmengine.model import BaseModule
from torch import nn

from ..errors import UserError
from ..registry import MODELS


@MODELS.register_module()
class TorchvisionBackbone(BaseModule):
    """ResNet of torchvision without its classifier; the weights have torchvision's names.

    Shapes: (N, 3, H, W) to (N, C, H / 32, W / 32).

    ``name``: 'resnet18', 'resnet50', ...; ``kwargs``: arguments of torchvision's builder.
    """

    def __init__(self, name: str = 'resnet34', init_cfg: dict | None = None, **kwargs) -> None:
        super().__init__(init_cfg=init_cfg)
        from torchvision.models import get_model, list_models

        if name not in list_models() or 'resne' not in name:
            raise UserError(f"TorchvisionBackbone: name must be one of torchvision's ResNets, found {name!r}")
        net = get_model(name, weights=None, **kwargs)
        net.fc = nn.Identity()
        for child_name, child in net.named_children():
            self.add_module(child_name, child)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
