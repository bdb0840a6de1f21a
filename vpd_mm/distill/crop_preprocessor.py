"""From the loader's batch to the device: normalise, and augment there when asked."""

import torch
from mmengine.model import BaseDataPreprocessor

from ..registry import MODELS


@MODELS.register_module()
class CropPreprocessor(BaseDataPreprocessor):
    """Move a collated batch to the device and normalise it.

    Args:
        mean: Of R, G, B in 0..255.
        std: Likewise.
        flow_std: Flow in pixels is divided by this.
        with_flow: Off drops the flow channels (the paper's ablation); the student then has in_channels=3.
        augment: Config of :class:`CropAugmentation`, applied to training batches on the device.

    ``inputs`` (N, 5 or 3, H, W) of any dtype become float32.
    """

    def __init__(
        self,
        mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
        std: tuple[float, float, float] = (58.395, 57.12, 57.375),
        flow_std: float = 4.0,
        with_flow: bool = True,
        augment: dict | None = None,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor([*mean, 0.0, 0.0]).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor([*std, flow_std, flow_std]).view(-1, 1, 1), persistent=False)
        self.with_flow = with_flow
        self.augment = MODELS.build(augment) if augment else None

    def forward(self, data: dict, training: bool = False) -> dict:
        data = self.cast_data(data)
        inputs, samples = data['inputs'].float(), data.get('data_samples')
        if training and self.augment is not None:
            inputs, samples = self.augment(inputs, samples)
        channels = inputs.shape[1] if self.with_flow else 3
        inputs = inputs[:, :channels]
        return {'inputs': (inputs - self.mean[:channels]) / self.std[:channels], 'data_samples': samples}
