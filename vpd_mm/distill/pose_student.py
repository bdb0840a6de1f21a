"""Student network F on crop and flow (paper 3.2)."""

import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import nn

from ..engine.paths import find_weights
from ..errors import UserError
from ..registry import MODELS
from .first_conv import first_conv, set_first_conv, widen_kernel, with_channels


@MODELS.register_module()
class PoseStudent(BaseModule):
    """Backbone with a widened first convolution, global average pooling and one linear layer.

    Shapes: (N, in_channels, H, W) to (N, D).

    Args:
        out_dims: D, the length of the feature.
        backbone: Any registered backbone that returns feature maps (N, C, h, w) or vectors (N, C); default ResNet-34.
        in_channels: 5 with flow, 3 without.
        init_cfg: ``dict(type='Pretrained', checkpoint=path or URL[, prefix='backbone.'])`` loads a checkpoint of the
            backbone with 3 (widened by the mean RGB kernel) or ``in_channels`` inputs, or of a whole student.  With
            ``partial=True`` later stages may be missing and keep their random weights.
        mean_kernels: With flow, start all kernels of the first convolution as the mean of the RGB ones, random or
            pre-trained, as in the published code.

    Example:
        >>> student = PoseStudent(26, dict(type='vpd_mm.TorchvisionBackbone', name='resnet18'))
        >>> student(torch.zeros(1, 5, 64, 64)).shape
        torch.Size([1, 26])
    """

    def __init__(
        self,
        out_dims: int,
        backbone: dict | None = None,
        in_channels: int = 5,
        init_cfg: dict | None = None,
        mean_kernels: bool = False,
    ) -> None:
        super().__init__(init_cfg=None)
        self.pretrained = init_cfg
        self.out_dims, self.in_channels = out_dims, in_channels
        self.num_kept = 0 if mean_kernels and in_channels > 3 else 3
        self.backbone = MODELS.build(backbone or {'type': 'vpd_mm.TorchvisionBackbone'})
        conv = first_conv(self.backbone)[1]
        if conv.in_channels != in_channels:
            set_first_conv(self.backbone, with_channels(conv, in_channels))
        self.backbone.eval()
        with torch.no_grad():
            feature_dims = self._pool(self.backbone(torch.zeros(1, in_channels, 64, 64))).shape[1]
        self.backbone.train()
        self.fc = nn.Linear(feature_dims, out_dims)

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
            self.load_pretrained(**{k: v for k, v in self.pretrained.items() if k != 'type'})
        elif not self.num_kept:
            kernel = first_conv(self.backbone)[1].weight.data
            kernel.copy_(widen_kernel(kernel[:, :3], self.in_channels, 0))

    def load_pretrained(self, checkpoint: str, prefix: str = '', partial: bool = False) -> None:
        """Load the weights of the backbone, see ``init_cfg``; missing tensors, or of another shape, raise UserError."""
        state = CheckpointLoader.load_checkpoint(find_weights(checkpoint), map_location='cpu')
        state = state.get('state_dict', state)
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for start in ('module.', 'student.', 'backbone.'):
            if any(k.startswith(start) for k in state):
                state = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
        name = f'{first_conv(self.backbone)[0]}.weight'
        if name in state and state[name].shape[1] == 3 < self.in_channels:
            state[name] = widen_kernel(state[name], self.in_channels, self.num_kept)
        own = self.backbone.state_dict()
        fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        missing = [k for k in own if k not in fitting and not k.endswith('num_batches_tracked')]
        if missing and not (partial and name in fitting):
            raise UserError(
                f'{checkpoint}: does not fit the student backbone {type(self.backbone).__name__}: '
                f'{len(missing)} of {len(own)} tensors are missing or of another shape, the first is {missing[0]}'
            )
        self.backbone.load_state_dict(fitting, strict=False)
