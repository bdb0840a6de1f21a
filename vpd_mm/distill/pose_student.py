"""F, the student that sees crop and flow (paper 3.2)."""

from collections import OrderedDict

import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import nn

from ..engine.paths import find_weights
from ..errors import UserError
from ..registry import MODELS


def first_conv(module: nn.Module) -> tuple[str, nn.Conv2d]:
    """Name and module of the first convolution, in the order of definition."""
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            return name, child
    raise UserError(f'PoseStudent: backbone {type(module).__name__} has no convolution to widen')


def widen_kernel(weight: torch.Tensor, in_channels: int) -> torch.Tensor:
    """(O, 3, h, w) to (O, C, h, w): the further channels get the mean of the RGB kernels."""
    extra = weight.mean(dim=1, keepdim=True).expand(-1, in_channels - weight.shape[1], -1, -1)
    return torch.cat([weight, extra], dim=1)


def widen_first_conv(backbone: nn.Module, in_channels: int) -> None:
    """Give the first convolution ``in_channels`` inputs; its kernels are drawn anew, as ResNets draw them."""
    name, conv = first_conv(backbone)
    if conv.in_channels == in_channels:
        return
    wider = nn.Conv2d(
        in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
    )
    nn.init.kaiming_normal_(wider.weight, mode='fan_out', nonlinearity='relu')
    parent = backbone.get_submodule(name.rpartition('.')[0])
    setattr(parent, name.rpartition('.')[2], wider)


@MODELS.register_module()
class PoseStudent(BaseModule):
    """A backbone with a widened first convolution and one linear layer.

    Args:
        out_dims: D, the length of the feature.
        backbone: Any registered backbone; its last feature map (N, C, h, w), or
            vector (N, C), is pooled.  Default: torchvision's ResNet-34.
        in_channels: 5 with flow, 3 without.
        feature_dims: C; found out with a small picture when not given.
        init_cfg: ``dict(type='Pretrained', checkpoint=path or URL[, prefix='backbone.'])``
            starts from any checkpoint of the backbone, with 3 input channels
            (widened by the mean RGB kernel) or ``in_channels``, or of a whole student.  With ``partial=True``
            stages that the checkpoint lacks keep their random start; the first convolution must be there.

    Shapes: (N, in_channels, H, W) to (N, D).
    """

    def __init__(
        self,
        out_dims: int,
        backbone: dict | None = None,
        in_channels: int = 5,
        feature_dims: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=None)
        self.pretrained = init_cfg
        self.out_dims = out_dims
        self.in_channels = in_channels
        self.backbone = MODELS.build(backbone or {'type': 'vpd_mm.TorchvisionBackbone', 'name': 'resnet34'})
        widen_first_conv(self.backbone, in_channels)
        self.fc = nn.Linear(feature_dims or self._find_dims(), out_dims)

    def _find_dims(self) -> int:
        training = self.backbone.training
        self.backbone.eval()
        with torch.no_grad():
            dims = self._pool(self.backbone(torch.zeros(1, self.in_channels, 64, 64))).shape[1]
        self.backbone.train(training)
        return dims

    @staticmethod
    def _pool(features: torch.Tensor | tuple) -> torch.Tensor:
        if isinstance(features, list | tuple):
            features = features[-1]
        return features.mean(dim=(2, 3)) if features.ndim == 4 else features

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(self._pool(self.backbone(inputs)))

    def init_weights(self) -> None:
        super().init_weights()
        if self.pretrained:
            fields = ('checkpoint', 'prefix', 'partial')
            self.load_pretrained(**{name: self.pretrained[name] for name in fields if name in self.pretrained})

    def load_pretrained(self, checkpoint: str, prefix: str = '', partial: bool = False) -> None:
        """Load backbone weights (or a whole student's) from a checkpoint.

        Raises:
            UserError: no tensor of the checkpoint fits; the message names both sides.
        """
        state = CheckpointLoader.load_checkpoint(find_weights(checkpoint), map_location='cpu')
        state = state.get('state_dict', state)
        state = OrderedDict((k[len(prefix) :], v) for k, v in state.items() if k.startswith(prefix))
        for start in ('module.', 'student.', 'backbone.'):
            if any(k.startswith(start) for k in state):
                state = OrderedDict((k[len(start) :], v) for k, v in state.items() if k.startswith(start))
        name = f'{first_conv(self.backbone)[0]}.weight'
        if name in state and state[name].shape[1] == 3 < self.in_channels:
            state[name] = widen_kernel(state[name], self.in_channels)
        own = self.backbone.state_dict()
        fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        missing = [k for k in own if k not in fitting and not k.endswith('num_batches_tracked')]
        if missing and not (partial and name in fitting):
            raise UserError(
                f'{checkpoint}: does not fit the student backbone {type(self.backbone).__name__}: '
                f'{len(missing)} of {len(own)} tensors are missing or of another shape, the first is {missing[0]}'
            )
        self.backbone.load_state_dict(fitting, strict=False)
