"""Backbones of images for stacks of flow."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ..distill.pose_student import first_conv, set_first_conv, with_channels
from ..registry import MODELS


@MODELS.register_module()
class StackedFlowBackbone(BaseModule):
    """An RGB backbone for ``in_channels`` channels of flow, initialised as in TSN.

    The first convolution gets the mean of its pre-trained RGB kernels for every channel (Wang et al., Temporal Segment
    Networks, ECCV 2016, 3.2).  mmaction2's ``in_channels`` leaves it random.

    Args:
        backbone: Config of a backbone with three input channels.
        in_channels: 2 per frame of flow.

    Shapes: (N, in_channels, ...) to those of the backbone.
    """

    def __init__(self, backbone: dict, in_channels: int = 10) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        set_first_conv(self.backbone, with_channels(first_conv(self.backbone)[1], in_channels))

    def init_weights(self) -> None:
        wide = first_conv(self.backbone)[1]
        set_first_conv(self.backbone, with_channels(wide, 3))
        self.backbone.init_weights()
        rgb = first_conv(self.backbone)[1]
        with torch.no_grad():
            wide.weight.copy_(rgb.weight.mean(1, keepdim=True).expand_as(wide.weight))
            if rgb.bias is not None:
                wide.bias.copy_(rgb.bias)
        set_first_conv(self.backbone, wide)

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)
