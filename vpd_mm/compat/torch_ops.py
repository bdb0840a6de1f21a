"""Functions of ``mmcv._ext`` that inference of detectors needs, in PyTorch and NumPy.

Signatures and results equal those of mmcv's C++ (``mmcv/ops/csrc/pytorch/cpu/nms.cpp``, ``roi_align.cpp``).  N boxes
xyxy in pixels; ``offset`` 0 or 1 is added to widths and heights.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2
MAX_POOL = 0
#: Boxes whose IoU with all that remain is computed at once.
_NMS_ROWS = 64


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes whose IoU with a better one exceeds the threshold; return indices (K,) int64, best first."""
    if offset == 0 and (compiled := _torchvision_nms()) is not None:
        return compiled(boxes, scores, iou_threshold)
    groups = _group(boxes, scores, operator.gt, iou_threshold, offset)
    return torch.tensor([group[0] for group in groups], dtype=torch.int64, device=boxes.device)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Return groups of indices: a kept box, then those it suppresses (IoU >= threshold); dets (N, 5) with scores."""
    return _group(dets[:, :4], dets[:, 4], operator.ge, iou_threshold, 0)


def _group(boxes: Tensor, scores: Tensor, suppresses: Callable, iou_threshold: float, offset: int) -> list[list[int]]:
    order = scores.detach().sort(0, descending=True)[1].cpu().numpy()
    corners, areas = _corners_and_areas(boxes, offset)
    groups = []
    while order.size:
        best = order[:_NMS_ROWS, None]  # many at once, as each call of NumPy takes longer than its computation
        suppressed = suppresses(_iou(corners, areas, best, order, offset), np.float32(iou_threshold))
        left = np.ones(order.size, bool)
        for i, row in enumerate(suppressed):
            if left[i]:
                left[i] = False
                group = np.flatnonzero(row & left)
                left[group] = False
                groups.append([int(order[i]), *order[group].tolist()])
        order = order[left]
    return groups


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (Bodla et al., ICCV 2017): lower the scores of overlapping boxes, drop those below ``min_score``.

    ``method`` 0 naive, 1 linear, 2 gaussian.  Fills the first K rows of ``dets`` (N, 5) with box and score.  Returns
    indices (K,) int64 in order of selection.
    """
    corners, areas = _corners_and_areas(boxes, offset)
    score = scores.detach().cpu().numpy().astype(np.float32)
    # Boxes are swapped and dropped in the order of the C++ loop, so that ties are resolved in the same way.
    positions = np.arange(len(score))
    count, rank = len(score), 0
    picked: list[tuple[int, float]] = []
    while rank < count:
        best = rank + int(np.argmax(score[rank:count]))
        for array in (positions, score):
            array[rank], array[best] = array[best], array[rank]
        picked.append((int(positions[rank]), float(score[rank])))
        rest = slice(rank + 1, count)
        iou = _iou(corners, areas, positions[rank], positions[rest], offset)
        score[rest] *= _decay(iou, iou_threshold, sigma, method)
        count = _drop_low(positions, score, rank + 1, count, min_score)
        rank += 1
    inds = torch.tensor([index for index, _ in picked], dtype=torch.int64)
    if picked:
        kept_scores = torch.tensor([value for _, value in picked], dtype=dets.dtype)
        dets[: len(picked)] = torch.cat([boxes[inds].to(dets), kept_scores[:, None]], dim=1)
    return inds


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign with average pooling: input (N, C, H, W), rois (K, 5) batch index and xyxy -> output (K, C, h, w).

    The average of bilinear samples in a bin is separable, so each RoI takes two small matrix products.
    """
    if pool_mode == MAX_POOL:
        raise UserError("RoIAlign with pool_mode='max' needs compiled operators: use 'avg', or install a full mmcv")
    height, width = input.shape[-2:]
    shift = 0.5 if aligned else 0.0
    for k, (batch, x1, y1, x2, y2) in enumerate(rois.detach().float().cpu().tolist()):
        spans = []
        for low, high, bins, size in ((y1, y2, aligned_height, height), (x1, x2, aligned_width, width)):
            start = low * spatial_scale - shift
            length = high * spatial_scale - shift - start
            spans.append(_bin_weights(start, length if aligned else max(length, 1.0), bins, sampling_ratio, size))
        (top, rows), (left, columns) = spans
        patch = input[int(batch), :, top : top + rows.shape[1], left : left + columns.shape[1]]
        output[k] = rows.to(input) @ patch @ columns.to(input).T


def _bin_weights(start: float, length: float, bins: int, sampling_ratio: int, size: int) -> tuple[int, Tensor]:
    """Return the first pixel used, and the weights (bins, pixels) of the pixels from there on in each average."""
    bin_size = length / bins
    samples = sampling_ratio if sampling_ratio > 0 else int(np.ceil(bin_size))
    if samples <= 0:
        return 0, torch.zeros(bins, 1)
    steps = (torch.arange(samples) + 0.5) / samples
    at = (start + bin_size * (torch.arange(bins)[:, None] + steps)).flatten()
    inside = (at >= -1) & (at <= size)
    at = at.clamp(0, size - 1)
    low = at.long()
    high = (low + 1).clamp(max=size - 1)
    first = int(low.min())
    weights = torch.zeros(len(at), int(high.max()) - first + 1)
    weights.scatter_add_(1, (low - first)[:, None], (1 - (at - low))[:, None])
    weights.scatter_add_(1, (high - first)[:, None], (at - low)[:, None])
    return first, (weights * inside[:, None]).view(bins, samples, -1).mean(dim=1)


def _corners_and_areas(boxes: Tensor, offset: int) -> tuple[np.ndarray, np.ndarray]:
    corners = boxes.detach().cpu().numpy().astype(np.float32)
    with np.errstate(invalid='ignore', over='ignore'):  # boxes of an untrained model may be infinite
        return corners, (corners[:, 2] - corners[:, 0] + offset) * (corners[:, 3] - corners[:, 1] + offset)


def _iou(corners: np.ndarray, areas: np.ndarray, some: Any, others: np.ndarray, offset: int) -> np.ndarray:
    """Return the IoU (M,) float32 of one box with others, or (K, M) of ``some`` (K, 1).

    It is 0 between empty boxes, where C++ divides 0 by 0.
    """
    with np.errstate(invalid='ignore', over='ignore'):
        (left, top, right, bottom), (x1, y1, x2, y2) = (np.moveaxis(corners[inds], -1, 0) for inds in (some, others))
        width = np.maximum(np.minimum(right, x2) - np.maximum(left, x1) + offset, 0)
        height = np.maximum(np.minimum(bottom, y2) - np.maximum(top, y1) + offset, 0)
        intersection = width * height
        union = areas[some] + areas[others] - intersection
        return np.divide(intersection, union, out=np.zeros_like(union), where=union != 0)


def _decay(iou: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    if method == GAUSSIAN:
        # Rounded once, like C's expf: the float32 exp of NumPy differs slightly, which can swap boxes of equal score.
        return np.exp(-(iou * iou) / np.float32(sigma), dtype=np.float64).astype(np.float32)
    over = iou >= np.float32(iou_threshold)
    return np.where(over, 0 if method == NAIVE else 1 - iou, 1).astype(np.float32)


def _drop_low(positions: np.ndarray, score: np.ndarray, start: int, count: int, min_score: float) -> int:
    """Fill each position of a low score with the last remaining box; return the number of boxes left."""
    low = score[:count] < np.float32(min_score)
    for hole in np.flatnonzero(low[start:]) + start:
        while count > hole and low[count - 1]:
            count -= 1
        if count <= hole:
            break
        count -= 1
        positions[hole], score[hole] = positions[count], score[count]
    return count


@functools.cache
def _torchvision_nms():
    """Return the compiled nms of torchvision, None where it is absent or built for another torch."""
    try:
        from torchvision.extension import _has_ops
        from torchvision.ops import nms as compiled
    except (ImportError, RuntimeError, OSError):
        return None
    return compiled if _has_ops() else None
