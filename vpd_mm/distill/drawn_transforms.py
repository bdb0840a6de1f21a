"""Transforms that draw the numbers of the transforms of a pipeline, and compute no pixels.

A loader process then computes the pixels with one kernel (:func:`fused`), or hands over crops as they are stored,
decoded or as JPEG (``CropDataset(handover=...)``), and :class:`CropPreprocessor` computes those of the batch on the
device with :mod:`vpd_mm.distill.gpu_augmentation`.  A draw has the same numbers in each way, on any number of
processes and after a resume; the pixels differ by rounding, and on a GPU by that of its JPEG decoder.

The numbers of a batch for the device are a dict in the order of the transforms, of

- ``color`` (N, 3, 4) float32: the map of (R, G, B, sum of green) to (R, G, B);
- ``noise`` (N, 5) float32 and ``athlete`` (N, S, S) bool: top and left of the noise in its sheet, its standard
  deviation in R, G, B, and the mask of pixels that it leaves unchanged;
- ``window`` (N, 5) float32: left, top, width and height of the window, px of the stored crop, and side of the result,
  px; a negative width, from the right edge, mirrors.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ..errors import UserError
from .crop_batch import CropBatch, pad
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
        results['inputs'] = pad(results['inputs'], handover.side)
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
