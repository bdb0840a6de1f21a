"""Normalization of crop batches on the device."""

from collections.abc import Mapping

import torch
from mmengine.model import BaseDataPreprocessor

from ..corpus.crop_codec import FLOW_ZERO
from ..errors import UserError
from ..registry import MODELS
from .gpu_augmentation import augment, decode_crops, side_of


def crops_in_px(inputs: torch.Tensor, flow_scale: torch.Tensor | None = None) -> torch.Tensor:
    """Return crops (N, 3 or 5 F, H, W), of F frames with flow, as float32: R, G, B in 0..255, flow in px.

    Flow is codes worth ``flow_scale`` (N, 2) px a step, or without it in px; uint8 ``inputs`` have codes.
    """
    crops = inputs.float()
    if inputs.shape[1] > 3 and flow_scale is not None:
        flow = crops.unflatten(1, (-1, 5))[:, :, 3:]
        flow.sub_(FLOW_ZERO).mul_(flow_scale[:, None, :, None, None])
    elif inputs.shape[1] > 3 and inputs.dtype == torch.uint8:
        raise UserError('crops of uint8 with flow need flow_scale, which PackCropInputs adds to data_samples')
    return crops


@MODELS.register_module()
class CropPreprocessor(BaseDataPreprocessor):
    """Move a collated batch to the device and normalize it; ``inputs`` (N, 3 or 5 F, H, W) become float32.

    uint8 ``inputs`` have ``flow_scale`` in ``data_samples``, see :func:`crops_in_px`.  JPEG images are decoded and
    crops with ``augmentation`` in ``data_samples`` are augmented by :mod:`vpd_mm.distill.gpu_augmentation`.

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
        if isinstance(data['inputs'], Mapping):
            data = {**data, 'inputs': decode_crops(data['inputs'], self.device)}
        steps = (data.get('data_samples') or {}).get('augmentation')
        size = side_of(steps) if steps else 0  # before the copy: to read a number, a GPU ends all its work
        data = self.cast_data(data)
        inputs, samples = data['inputs'], data.get('data_samples') or {}
        if not self.with_flow and inputs.shape[1] > 5:
            raise UserError('NeighborFrames needs flow: with_flow=False would drop the other frames')
        channels = inputs.shape[1] if self.with_flow else 3
        crops = inputs[:, :channels]
        if steps:
            crops = augment(crops, samples['augmentation'], size)
            samples = {name: value for name, value in samples.items() if name != 'augmentation'}
        crops = crops_in_px(crops, samples.get('flow_scale'))
        frames = max(1, channels // 5)
        mean, std = (values[:channels].repeat(frames, 1, 1) for values in (self.mean, self.std))
        return {'inputs': (crops - mean).div_(std), 'data_samples': samples or None}
