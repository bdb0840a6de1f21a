"""Normalization of crop batches on the device."""

import torch
from mmengine.model import BaseDataPreprocessor

from ..registry import MODELS


@MODELS.register_module()
class CropPreprocessor(BaseDataPreprocessor):
    """Move a collated batch to the device and normalize it; ``inputs`` (N, 5 or 3, H, W) become float32.

    Args:
        mean: Mean of R, G, B in 0..255.
        std: Standard deviation of R, G, B in 0..255.
        flow_std: Divisor of the flow in px.
        with_flow: False drops the flow channels (ablation of the paper); the student then needs in_channels=3.
    """

    def __init__(
        self,
        mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
        std: tuple[float, float, float] = (58.395, 57.12, 57.375),
        flow_std: float = 4.0,
        with_flow: bool = True,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor([*mean, 0.0, 0.0]).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor([*std, flow_std, flow_std]).view(-1, 1, 1), persistent=False)
        self.with_flow = with_flow

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        channels = data['inputs'].shape[1] if self.with_flow else 3
        inputs = data['inputs'][:, :channels].float()
        inputs = (inputs - self.mean[:channels]) / self.std[:channels]
        return {'inputs': inputs, 'data_samples': data.get('data_samples')}
