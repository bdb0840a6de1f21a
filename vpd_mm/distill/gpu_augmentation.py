"""Decode and augment a batch of crops on the device of the network, a GPU or a CPU.

The numbers of the augmentation are drawn by :mod:`vpd_mm.distill.drawn_transforms`.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from ..corpus import crop_codec as codec
from ..errors import UserError
from .crop_batch import pad
from .crop_transforms import BackgroundNoise


def decode_crops(encoded: Mapping[str, Sequence[bytes]], device: torch.device) -> torch.Tensor:
    """Decode N crops (JPEG ``rgb``) and their flow (``flow``, if there) to (N, 3 or 5, S, S) uint8 on the device.

    A GPU decodes with nvJPEG of torchvision; without one, OpenCV does.  S is the largest side; smaller crops are padded
    with zeros.

    Raises:
        UserError: this torchvision cannot decode on the GPU.
    """
    if device.type != 'cuda':
        shapes = [codec.image_shape(data)[:2] for data in encoded['rgb']]
        decoders = {'rgb': codec.decode_rgb, 'flow': codec.decode_flow_code}
        parts = [
            _stack(
                [torch.from_numpy(decoders[name](*each)).permute(2, 0, 1) for each in zip(images, shapes, strict=True)]
            )
            for name, images in encoded.items()
        ]
        return torch.cat(parts, dim=1)
    # torchvision writes into memory that kernels which were queued before may still read (pytorch/vision#9606), unless
    # it is memory of a stream on which nothing is queued.
    stream, current = _decoding_stream(device), torch.cuda.current_stream(device)
    stream.synchronize()
    with torch.cuda.stream(stream):
        crops = torch.cat(_decode_nvjpeg(encoded, device), dim=1)
    current.wait_stream(stream)
    crops.record_stream(current)
    return crops


@cache
def _decoding_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _decode_nvjpeg(encoded: Mapping[str, Sequence[bytes]], device: torch.device) -> list[torch.Tensor]:
    """Decode crops to (N, 3, S, S), and flow to (N, 2, S, S)."""
    from torchvision.io import ImageReadMode, decode_jpeg

    parts = []
    for name, images in encoded.items():
        # One copy, because tensors may not share the read-only memory of bytes
        data = torch.frombuffer(bytearray(b''.join(images)), dtype=torch.uint8).split([len(image) for image in images])
        try:
            decoded = decode_jpeg(list(data), ImageReadMode.GRAY if name == 'flow' else ImageReadMode.RGB, device)
        except RuntimeError as e:
            hint = "handover='decoded' decodes in the loader processes instead"
            raise UserError(f'torchvision cannot decode JPEG on the GPU ({str(e).splitlines()[0]}); {hint}') from e
        if name == 'rgb':
            parts.append(_stack(decoded))
        elif len({image.shape for image in decoded}) == 1:
            parts.append(_planes(torch.stack(decoded)))  # at once: the CPU may be what a GPU waits for
        else:
            parts.append(_stack([_planes(image) for image in decoded]))
    return parts


def _planes(both: torch.Tensor) -> torch.Tensor:
    """Split images [u | v] (..., 1, H, 2 W) into planes (..., 2, H, W)."""
    return both.squeeze(-3).unflatten(-1, (2, -1)).transpose(-3, -2)


def _stack(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """Stack N images (C, H, W) to (N, C, S, S)."""
    side = max(image.shape[1] for image in images)
    return torch.stack([pad(image, side) for image in images])


def side_of(steps: Mapping[str, torch.Tensor]) -> int:
    """Return the side of the results of the drawn numbers of a batch, px.

    Raises:
        UserError: there are several.
    """
    sides = set(steps['window'][:, 4].tolist())
    if len(sides) > 1:
        raise UserError(
            f'a batch has crops of {", ".join(f"{side:.0f}" for side in sorted(sides))} px; use ResizedCrop'
        )
    return int(sides.pop())


@torch.no_grad()
def augment(crops: torch.Tensor, steps: Mapping[str, torch.Tensor], size: int) -> torch.Tensor:
    """Return crops (N, 5 or 3, size, size) float32 of R, G, B in 0..255 and codes of flow, computed in float32.

    Args:
        crops: (N, 5 or 3, S, S) uint8 as they are stored.
        steps: The drawn numbers of the batch (:mod:`vpd_mm.distill.drawn_transforms`), on its device.
        size: Side of the result, px.
    """
    with torch.autocast(crops.device.type, enabled=False):
        crops = crops.float()
        for name, values in steps.items():
            if name == 'color':
                crops[:, :3] = _colored(crops[:, :3], values)
            elif name == 'noise':
                crops[:, :3] = _with_noise(crops[:, :3], values, steps['athlete'])
            elif name == 'window':
                crops = _cut(crops, values, size)
    return crops


def _colored(rgb: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    offset = matrices[:, :, 3:] * rgb[:, 1].sum(dim=(1, 2))[:, None, None]
    return torch.baddbmm(offset, matrices[:, :, :3], rgb.flatten(2)).clamp_(0, 255).view_as(rgb)


def _with_noise(rgb: torch.Tensor, noise: torch.Tensor, athlete: torch.Tensor) -> torch.Tensor:
    sheet = _noise_sheet(rgb.device)
    side = rgb.shape[-1]  # of the batch; masks are as large as the largest crop of the data set
    inside = torch.arange(side, device=rgb.device)
    rows, columns = (
        (noise[:, i, None].long() + inside).clamp_(max=BackgroundNoise.SHEET - 1)  # beyond the sheet is padding
        for i in (0, 1)
    )
    cut = sheet[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)
    noisy = (rgb + (cut * noise[:, 2:, None, None]).round_()).clamp_(0, 255)
    return torch.where(athlete[:, None, :side, :side], rgb, noisy)


@cache
def _noise_sheet(device: torch.device) -> torch.Tensor:
    """Return the sheet (3, SHEET, SHEET) float32 of standard deviation 1."""
    return torch.from_numpy(BackgroundNoise.unit_sheet().astype(np.float32)).permute(2, 0, 1).contiguous().to(device)


def _cut(crops: torch.Tensor, windows: torch.Tensor, size: int) -> torch.Tensor:
    """Cut a window (left, top, width, height) of each crop and resize it, as OpenCV does with its border repeated."""
    side = crops.shape[-1]
    at = (torch.arange(size, device=crops.device) + 0.5) / size

    def places(start: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return (N, size) places in -1..1; half a pixel at the border of the window is outside."""
        place = start + length * at
        low, high = torch.minimum(start, start + length), torch.maximum(start, start + length)
        return place.clamp(low + 0.5, high - 0.5) * (2 / side) - 1

    left, top, width, height = windows[:, :4].unsqueeze(2).unbind(1)
    x, y = places(left, width), places(top, height)
    grid = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1)
    return F.grid_sample(crops, grid, align_corners=False)
