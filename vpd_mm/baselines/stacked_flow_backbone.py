"""Backbones of images for stacks of flow."""

import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor

from ..distill.first_conv import first_conv, set_first_conv, with_channels
from ..errors import UserError
from ..registry import MODELS


@MODELS.register_module()
class StackedFlowBackbone(BaseModule):
    """An RGB backbone for ``in_channels`` channels of flow, initialised as in TSN.

    The first convolution gets the mean of its pre-trained RGB kernels for every channel (Wang et al., Temporal Segment
    Networks, ECCV 2016, 3.2).  mmaction2's ``in_channels`` leaves it random.

    Args:
        backbone: Config of a backbone with three input channels.
        in_channels: 2 per frame of flow.

    Shapes: (N, in_channels, ...) to those of the backbone.  Raises UserError if the weights do not fit.
    """

    def __init__(self, backbone: dict, in_channels: int = 10) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        set_first_conv(self.backbone, with_channels(first_conv(self.backbone)[1], in_channels))

    def init_weights(self) -> None:
        self.backbone.init_weights()
        source = next(filter(None, (getattr(module, 'pretrained', None) for module in self.backbone.modules())), None)
        if source:
            conv = first_conv(self.backbone)[1]
            state = CheckpointLoader.load_checkpoint(source, map_location='cpu')
            shape = (conv.out_channels, 3, *conv.kernel_size)
            kernels = [value for value in state.get('state_dict', state).values() if value.shape == shape]
            if not kernels:
                raise UserError(f'{source}: has no RGB kernel of shape {shape}; take weights of this backbone')
            with torch.no_grad():
                conv.weight.copy_(kernels[0].mean(1, keepdim=True).expand_as(conv.weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)
