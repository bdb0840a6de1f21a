"""The augmentations of crop_transforms, batched on the device: the loader then only decodes."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ..registry import MODELS

#: Rows turn RGB into YIQ; hue is a rotation of (I, Q), from I to -Q as from red to yellow.
TO_YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))


@MODELS.register_module()
class CropAugmentation(nn.Module):
    """Resized crop, colour jitter and chiral flip of a batch, each sample with its own draw.

    The same rules as :class:`ResizedCrop`, :class:`CropColorJitter` and
    :class:`ChiralFlip`: flow is scaled with the window, u is negated by a flip,
    a flipped sample gets ``flipped_target``.  Draws depend on the batch's
    ``draw`` numbers alone, so a resumed run repeats them.

    Args:
        scale, ratio: Window as in :class:`ResizedCrop`.
        brightness, contrast, saturation, hue: As in :class:`CropColorJitter`.
        flip_prob: Share of flipped samples.

    Shapes: inputs (N, 5 or 3, S, S) float, R, G, B in 0..255, u, v in pixels.
    """

    def __init__(
        self,
        scale: tuple[float, float] = (0.5, 1.0),
        ratio: tuple[float, float] = (0.9, 1.1),
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.05,
        hue: float = 0.05,
        flip_prob: float = 0.5,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.ratio = ratio
        self.jitter = (brightness, contrast, saturation, hue)
        self.flip_prob = flip_prob
        self.register_buffer('to_yiq', torch.tensor(TO_YIQ), persistent=False)

    @torch.no_grad()
    def forward(self, inputs: torch.Tensor, samples: dict) -> tuple[torch.Tensor, dict]:
        n = len(inputs)
        seed = int(samples['draw'][0]) if 'draw' in samples else int(samples['index'][0])
        draws = torch.rand((n, 9), generator=torch.Generator().manual_seed(seed)).to(inputs.device)
        flip = draws[:, 8] < self.flip_prob
        inputs = self.crop(inputs, draws[:, :4], flip)
        inputs = torch.cat([self.color(inputs[:, :3], draws[:, 4:8]), inputs[:, 3:]], dim=1)
        samples = dict(samples)
        if 'target' in samples:
            target, flipped = samples['target'], samples['flipped_target']
            samples['target'] = torch.where(flip[:, None], flipped, target)
            samples['flipped_target'] = torch.where(flip[:, None], target, flipped)
        return inputs, samples

    def crop(self, inputs: torch.Tensor, draws: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
        """Cut windows (draws (N, 4) in [0, 1)), mirror where ``flip`` (N,), resize to the input's size."""
        area = self.scale[0] + (self.scale[1] - self.scale[0]) * draws[:, 0]
        low, high = map(math.log, self.ratio)
        ratio = torch.exp(low + (high - low) * draws[:, 1])
        w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        x, y = (1 - w) * (2 * draws[:, 2] - 1), (1 - h) * (2 * draws[:, 3] - 1)
        sign = torch.where(flip, -1.0, 1.0)
        zero = torch.zeros_like(w)
        theta = torch.stack([torch.stack([sign * w, zero, x], 1), torch.stack([zero, h, y], 1)], 1)
        grid = F.affine_grid(theta, list(inputs.shape), align_corners=False)
        inputs = F.grid_sample(inputs, grid, mode='bilinear', padding_mode='border', align_corners=False)
        if inputs.shape[1] > 3:
            inputs[:, 3:] *= torch.stack([sign / w, 1 / h], 1)[:, :, None, None]
        return inputs

    def color(self, rgb: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Jitter (N, 3, H, W) in 0..255 with draws (N, 4) in [0, 1)."""
        factors = (2 * draws - 1) * torch.tensor(self.jitter, device=rgb.device)
        brightness, contrast, saturation, hue = factors[:, :, None, None, None].unbind(1)
        rgb = rgb * (1 + brightness)
        grey = rgb[:, 1:2].mean(dim=(2, 3), keepdim=True)
        rgb = ((rgb - grey) * (1 + contrast) + grey).clamp(0, 255)
        yiq = torch.einsum('rc,nchw->nrhw', self.to_yiq, rgb)
        angle = 2 * math.pi * hue[:, 0]
        i, q = yiq[:, 1] * (1 + saturation[:, 0]), yiq[:, 2] * (1 + saturation[:, 0])
        turned = [yiq[:, 0], i * angle.cos() + q * angle.sin(), q * angle.cos() - i * angle.sin()]
        return torch.einsum('cr,nrhw->nchw', torch.linalg.inv(self.to_yiq), torch.stack(turned, 1)).clamp(0, 255)
