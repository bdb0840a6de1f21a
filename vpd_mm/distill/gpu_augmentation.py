"""Augmentation of crops at once: the transforms of a pipeline draw their numbers, and compute no pixels.

A loader process then computes the pixels with one kernel (:func:`fused`), or hands over crops as they are stored,
decoded or as JPEG (``CropDataset(handover=...)``), and :class:`CropPreprocessor` computes those of the batch on the
device with :func:`decode_crops` and :func:`augment`.  A draw has the same numbers in each way, on any number of
processes and after a resume; the pixels differ by rounding, and on a GPU by that of its JPEG decoder.

The numbers of a batch for the device are a dict in the order of the transforms, of

- ``color`` (N, 3, 4) float32: the map of (R, G, B, sum of green) to (R, G, B);
- ``noise`` (N, 5) float32 and ``athlete`` (N, S, S) bool: top and left of the noise in its sheet, its standard
  deviation in R, G, B, and the mask of pixels that it leaves unchanged;
- ``window`` (N, 5) float32: left, top, width and height of the window, px of the stored crop, and side of the result,
  px; a negative width, from the right edge, mirrors.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from ..corpus import crop_codec as codec
from ..errors import UserError
from .crop_batch import CropBatch
from .crop_kernel import COLOR, NOISE, WINDOW, augment_crop
from .crop_transforms import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    LoadCrop,
    LoadFlow,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
    scale_flow,
)


class Handover(NamedTuple):
    """State of the crops that are handed over.

    Args:
        state: 'augmented', 'decoded' or 'encoded' (as JPEG images).
        side: Side of the largest, px; decoded ones are padded to it with zeros on the right and below.
    """

    state: str = 'augmented'
    side: int = 0


def fused(transforms: Sequence[Callable]) -> list[Callable[[dict], dict]]:
    """Return transforms for the samples of others, whose pixels one kernel computes; where it cannot, the given ones.

    It can compute the pixels of the transforms here, from :class:`LoadCrop` to :class:`StackFlow`.
    """
    kinds = [type(transform) for transform in transforms]
    stacked = kinds[:-1] if kinds[-1:] == [PackCropInputs] else kinds
    known = len(kinds) == len({*kinds} & _COUNTERPARTS.keys())
    whole = known and stacked[:1] == [LoadCrop] and stacked[-1:] == [StackFlow]
    return _drawing(transforms, Handover()) if whole else list(transforms)


def drawing(transforms: Sequence[Callable], handover: Handover) -> list[Callable[[dict], dict]]:
    """Return transforms that draw the numbers of others, and compute no pixels.

    Samples are the same except for ``inputs``, the stored crop: (5 or 3, S, S) uint8, or ``encoded`` a dict of JPEG
    bytes ``rgb`` and ``flow``; ``data_samples`` also has the drawn numbers, ``augmentation``.

    Raises:
        UserError: a transform has no counterpart on the device, or is repeated.
    """
    kinds = [type(transform) for transform in transforms]
    for kind in kinds:
        if kind not in _COUNTERPARTS or kinds.count(kind) > 1:
            problem = 'may be there once' if kind in _COUNTERPARTS else 'has no counterpart on the device'
            raise UserError(f"CropDataset: {kind.__name__} {problem}; use handover='augmented'")
    return _drawing(transforms, handover)


def _drawing(transforms: Sequence[Callable], handover: Handover) -> list[Callable[[dict], dict]]:
    return [partial(_COUNTERPARTS[type(transform)], transform, handover) for transform in transforms]


def _load_crop(transform: LoadCrop, handover: Handover, results: dict) -> dict:
    store, video, frame = results['store'], results['video'], results['frame']
    if handover.state == 'decoded':
        results = transform(results)
    elif handover.state == 'encoded':
        results['img'] = store.crop_jpeg(video, frame)
    else:
        store.fetch(video, frame)
    height, width = results['shape'] = store.settings(video).square
    results['window'] = 0, 0, width, height, height
    results['steps'] = {}
    return results


def _load_flow(transform: LoadFlow, handover: Handover, results: dict) -> dict:
    store, video, frame = results['store'], results['video'], results['frame']
    if handover.state == 'decoded':
        return transform(results)
    results['flow'] = store.flow_jpeg(video, frame) if handover.state == 'encoded' else None
    step = store.flow_step(video)
    results['flow_scale'] = step, step
    return results


def _draw_color(transform: CropColorJitter, handover: Handover, results: dict) -> dict:
    matrix = transform.matrix(results['rng'])
    if handover.state != 'augmented':
        matrix[:, 3] /= results['shape'][0] * results['shape'][1]
        matrix = matrix.astype(np.float32)
    results['steps']['color'] = matrix
    return results


def _draw_noise(transform: BackgroundNoise, handover: Handover, results: dict) -> dict:
    height, width = results['shape']
    place = transform.place(results, height, width)
    if handover.state != 'augmented':
        noise, athlete = np.zeros(5, np.float32), np.ones((handover.side, handover.side), bool)
        if place is not None:
            athlete[:height, :width], *corner = place
            noise[:] = *corner, *transform.sd
        results['steps'] |= {'noise': noise, 'athlete': athlete}
    elif place is not None:
        results['steps']['noise'] = transform.sheet, *place
    return results


def _draw_window(transform: ResizedCrop, handover: Handover, results: dict) -> dict:
    height, width = results['shape']
    left, top, w, h = transform.window(height, width, results['rng'])
    if 'flow' in results:
        scale_flow(results, transform.size / w, transform.size / h)
    if results.get('view'):  # a window of the mirrored crop
        left = width - left - w
    results['shape'] = transform.size, transform.size
    results['window'] = left, top, w, h, transform.size
    results['steps']['window'] = None  # its place among the steps
    return results


def _draw_flip(transform: ChiralFlip, handover: Handover, results: dict) -> dict:
    if transform.flips(results) and 'flow' in results:
        scale_flow(results, -1, 1)
    return results


def _stack_flow(transform: StackFlow, handover: Handover, results: dict) -> dict:
    if handover.state == 'augmented':
        results['inputs'] = _augmented(results, transform.with_flow)
    elif handover.state == 'encoded':
        flow = {'flow': results['flow']} if transform.with_flow else {}
        results['inputs'] = {'rgb': results['img'], **flow}
    else:
        results = transform(results)
        results['inputs'] = _pad(results['inputs'], handover.side)
    return results


def _augmented(results: dict, with_flow: bool) -> torch.Tensor:
    """Decode a crop and augment it by its drawn numbers: (5 or 3, size, size) uint8."""
    store, video, frame, steps = results['store'], results['video'], results['frame'], results['steps']
    left, top, w, h, size = results['window']
    steps.setdefault('window', None)
    sheet, athlete, *corner = steps.get('noise', _NO_NOISE)
    rgb = store.crop(video, frame, fetched=True)
    flow = store.flow_code(video, frame)[0].transpose(0, 2, 1) if with_flow else _NO_FLOW
    shape, order = (5 if with_flow else 3, size, size), bytes([_STEPS[name] for name in steps])
    inputs, out = (results['batch'] if 'batch' in results else CropBatch(1)).next_input(shape)
    color, mirrored = steps.get('color', _NO_COLOR), bool(results.get('view'))
    augment_crop(rgb, flow, order, color, sheet, tuple(corner), athlete, (left, top, w, h), mirrored, out)
    return inputs


def _pack(transform: PackCropInputs, handover: Handover, results: dict) -> dict:
    packed = transform(results)
    if handover.state != 'augmented':
        left, top, w, h, size = results['window']
        left, w = (left + w, -w) if results.get('view') else (left, w)
        results['steps']['window'] = np.array((left, top, w, h, size), np.float32)
        steps = {name: torch.from_numpy(each) for name, each in results['steps'].items()}
        packed['data_samples']['augmentation'] = steps
    return packed


_STEPS = {'color': COLOR, 'noise': NOISE, 'window': WINDOW}
#: Arguments of the kernel for what a sample does not have.
_NO_FLOW, _NO_COLOR = np.zeros((0, 2, 0), np.uint8), np.zeros((3, 4))
_NO_NOISE = np.zeros((3, 0, 0), np.int16), np.zeros((0, 0), bool), 0, 0

_COUNTERPARTS: dict[type, Callable] = {
    LoadCrop: _load_crop,
    LoadFlow: _load_flow,
    CropColorJitter: _draw_color,
    BackgroundNoise: _draw_noise,
    ResizedCrop: _draw_window,
    ChiralFlip: _draw_flip,
    StackFlow: _stack_flow,
    PackCropInputs: _pack,
}


def _pad(image: torch.Tensor, side: int) -> torch.Tensor:
    """Pad an image (C, H, W) to (C, side, side) with zeros."""
    height, width = image.shape[1:]
    return image if height == width == side else F.pad(image, (0, side - width, 0, side - height))


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
    return torch.stack([_pad(image, side) for image in images])


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
        steps: The drawn numbers of the batch, on its device.
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
