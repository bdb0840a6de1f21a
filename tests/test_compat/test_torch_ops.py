"""The operators under mmcv.ops against plain loops written after mmcv's C++, and against values made by hand."""

import numpy as np
import pytest
import torch
from mmcv.cnn import build_conv_layer
from mmcv.ops import DeformConv2d, RoIAlign, RoIPool, batched_nms, nms, nms_match, soft_nms
from mmcv.ops.carafe import CARAFEPack  # noqa: F401
from mmcv.ops.merge_cells import SumCell  # noqa: F401

from vpd_mm.compat import mmcv, torch_ops
from vpd_mm.errors import UserError

pytestmark = pytest.mark.skipif(not mmcv.lacks_operators(), reason='mmcv is compiled here')

# Boxes 0, 1 overlap by 2/3 (IoU), 2 stands alone, 3 equals 0.
BOXES = torch.tensor([[0, 0, 10, 10], [0, 2, 10, 12], [50, 50, 60, 60], [0, 0, 10, 10]], dtype=torch.float32)
SCORES = torch.tensor([0.6, 0.9, 0.3, 0.5])


def random_boxes(seed, count):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(count, 4, generator=generator) * 60
    boxes[:, 2:] = boxes[:, :2] + 1 + torch.rand(count, 2, generator=generator) * 30
    return boxes, torch.rand(count, generator=generator)


def iou(a, b, offset):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def nms_reference(boxes, scores, threshold, offset):
    boxes, kept = boxes.double().tolist(), []
    for index in scores.argsort(descending=True).tolist():
        if all(iou(boxes[index], boxes[other], offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def soft_nms_reference(boxes, scores, threshold, sigma, min_score, method, offset):
    boxes, left, result = boxes.double().tolist(), dict(enumerate(scores.double().tolist())), []
    while left:
        best = max(left, key=left.get)
        result.append((best, left.pop(best)))
        for other in list(left):
            overlap = iou(boxes[best], boxes[other], offset)
            if method == 'gaussian':
                left[other] *= np.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                left[other] *= 0 if method == 'naive' else 1 - overlap
            if left[other] < min_score:
                del left[other]
    return result


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.7])
def test_nms_equals_the_loop(threshold, offset):
    boxes, scores = random_boxes(0, 80)
    dets, inds = nms(boxes, scores, iou_threshold=threshold, offset=offset)
    assert inds.tolist() == nms_reference(boxes, scores, threshold, offset)
    assert torch.equal(dets, torch.cat([boxes[inds], scores[inds, None]], dim=1))


def test_nms_score_threshold_max_num_and_numpy():
    dets, inds = nms(BOXES, SCORES, iou_threshold=0.7)
    assert inds.tolist() == [1, 0, 2]
    assert nms(BOXES, SCORES, iou_threshold=0.6)[1].tolist() == [1, 2]
    assert nms(BOXES, SCORES, iou_threshold=0.7, score_threshold=0.4)[1].tolist() == [1, 0]
    assert nms(BOXES, SCORES, iou_threshold=0.7, max_num=1)[1].tolist() == [1]
    as_numpy = nms(BOXES.numpy(), SCORES.numpy(), iou_threshold=0.7)
    assert all(isinstance(part, np.ndarray) for part in as_numpy)
    assert as_numpy[0] == pytest.approx(dets.numpy())
    empty, none = nms(BOXES[:0], SCORES[:0], iou_threshold=0.5)
    assert empty.shape == (0, 5)
    assert none.dtype == torch.int64


@pytest.mark.parametrize('split_thr', [10000, 10])
def test_batched_nms_keeps_classes_apart(split_thr):
    boxes, scores = random_boxes(1, 60)
    labels = torch.arange(60) % 3
    dets, keep = batched_nms(boxes, scores, labels, {'type': 'nms', 'iou_threshold': 0.4, 'split_thr': split_thr})
    expected = []
    for label in range(3):
        index = (labels == label).nonzero().flatten()
        expected += index[nms_reference(boxes[index], scores[index], 0.4, 0)].tolist()
    assert keep.tolist() == sorted(expected, key=lambda i: -scores[i])
    assert torch.equal(dets, torch.cat([boxes[keep], scores[keep, None]], dim=1))


def test_batched_nms_class_agnostic_and_none():
    labels = torch.tensor([0, 1, 0, 1])
    cfg = {'type': 'nms', 'iou_threshold': 0.6}
    assert batched_nms(BOXES, SCORES, labels, cfg)[1].tolist() == [1, 0, 2]
    assert batched_nms(BOXES, SCORES, labels, cfg, class_agnostic=True)[1].tolist() == [1, 2]
    assert batched_nms(BOXES, SCORES, labels, {**cfg, 'max_num': 1})[1].tolist() == [1]
    assert batched_nms(BOXES, SCORES, labels, None)[1].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_equals_the_loop(method, offset):
    boxes, scores = random_boxes(2, 50)
    dets, inds = soft_nms(boxes, scores, 0.3, sigma=0.5, min_score=0.05, method=method, offset=offset)
    expected = soft_nms_reference(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    assert inds.tolist() == [index for index, _ in expected]
    assert dets[:, 4].tolist() == pytest.approx([score for _, score in expected], abs=1e-6)
    assert torch.equal(dets[:, :4], boxes[inds])


def test_soft_nms_by_hand():
    dets, inds = soft_nms(BOXES, SCORES, 0.3, min_score=0.01, method='linear')
    # 1 first; 0 and 3 lose 2/3 to it: 0.2 and 0.1667; 2 keeps 0.3; 3 then loses all to its twin 0.
    assert inds.tolist() == [1, 2, 0]
    assert dets[:, 4].tolist() == pytest.approx([0.9, 0.3, 0.2])


def test_nms_match_groups():
    groups = nms_match(torch.cat([BOXES, SCORES[:, None]], dim=1), 0.6)
    assert [sorted(group.tolist()) for group in groups] == [[0, 1, 3], [2]]
    assert groups[0][0] == 1


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_equals_the_loop(sampling_ratio, aligned):
    features = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(3))
    rois = torch.tensor([[0, 1.0, 2, 30, 25], [1, -8, 5, 60, 20.5], [1, 10, 10, 10.5, 38]])
    output = RoIAlign((3, 2), 0.25, sampling_ratio, aligned=aligned)(features, rois)
    for k, (batch, *box) in enumerate(rois.tolist()):
        expected = roi_reference(features[int(batch)].numpy(), [side * 0.25 for side in box], sampling_ratio, aligned)
        assert output[k].numpy() == pytest.approx(expected, abs=1e-5)


def roi_reference(feature, box, sampling_ratio, aligned, bins=(3, 2)):
    x1, y1, x2, y2 = (side - 0.5 * aligned for side in box)
    spans = [y2 - y1, x2 - x1] if aligned else [max(y2 - y1, 1), max(x2 - x1, 1)]
    size = [span / count for span, count in zip(spans, bins)]
    grid = [sampling_ratio or int(np.ceil(side)) for side in size]
    result = np.zeros((len(feature), *bins))
    for row, column, i, j in np.ndindex(*bins, *grid):
        y = y1 + size[0] * (row + (i + 0.5) / grid[0])
        x = x1 + size[1] * (column + (j + 0.5) / grid[1])
        result[:, row, column] += bilinear(feature, y, x) / (grid[0] * grid[1])
    return result


def bilinear(feature, y, x):
    height, width = feature.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(feature))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = feature[:, top, left] * (1 - x + left) + feature[:, top, right] * (x - left)
    lower = feature[:, bottom, left] * (1 - x + left) + feature[:, bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def test_other_operators_import_and_name_the_package_when_used():
    layer = build_conv_layer({'type': 'DCN', 'deform_groups': 1}, 2, 2, 3, padding=1)
    assert isinstance(layer, DeformConv2d)
    with pytest.raises(UserError, match='deform_conv_forward is compiled code, which mmcv-lite lacks: pip'):
        layer(torch.zeros(1, 2, 5, 5))
    with pytest.raises(UserError, match='pip install'):
        RoIPool(2)(torch.zeros(1, 2, 5, 5), torch.zeros(1, 5))
    with pytest.raises(UserError, match='max'):
        torch_ops.roi_align_forward(*[torch.zeros(1, 1, 4, 4)] * 5, 1, 1, 1.0, 0, torch_ops.MAX_POOL, True)
