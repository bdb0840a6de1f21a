import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures.bbox import HorizontalBoxes

from vpd_mm.athlete.detection_transforms import MotionBlur, QuarterTurn, Stretch, Tilt


def one_box():
    img = np.zeros((40, 60, 3), np.uint8)
    img[5:25, 10:14] = 255
    return {'img': img, 'gt_bboxes': HorizontalBoxes(torch.tensor([[10.0, 5.0, 14.0, 25.0]])), 'img_shape': (40, 60)}


@pytest.mark.parametrize('seed', range(4))
def test_rotated_box_stays_tight(seed):
    np.random.seed(seed)
    results = QuarterTurn(prob=1.0)(one_box())
    assert results['img'].shape == (60, 40, 3)
    assert results['img_shape'] == (60, 40)
    y, x = np.nonzero(results['img'][..., 0])
    assert results['gt_bboxes'].tensor.tolist() == [[x.min(), y.min(), x.max() + 1, y.max() + 1]]


def test_both_directions_occur_and_four_turns_are_the_identity(monkeypatch):
    monkeypatch.setattr(np.random, 'random', lambda: 0.0)
    first = one_box()
    results = one_box()
    seen = []
    for _ in range(4):
        results = QuarterTurn(prob=1.0)(results)
        seen.append(results['gt_bboxes'].tensor[0].tolist())
    assert seen[0] == [5, 46, 25, 50]
    assert seen[3] == [10, 5, 14, 25]
    assert (results['img'] == first['img']).all()


@pytest.mark.parametrize('seed', range(6))
def test_box_contains_the_tilted_ellipse(seed):
    np.random.seed(seed)
    img = np.zeros((80, 80, 3), np.uint8)
    cv2.ellipse(img, (34, 44), (6, 18), 0, 0, 360, (255, 255, 255), -1)
    boxes = HorizontalBoxes(torch.tensor([[27.5, 25.5, 41.5, 63.5]]))
    tilt = Tilt(prob=1.0)
    tilt.max_angle = 180
    results = tilt({'img': img, 'gt_bboxes': boxes})
    y, x = np.nonzero(results['img'][..., 0] > 127)
    assert results['gt_bboxes'].tensor[0].tolist() == pytest.approx([x.min(), y.min(), x.max() + 1, y.max() + 1], abs=1)


def test_box_tilted_out_of_the_image_has_no_area(monkeypatch):
    monkeypatch.setattr(np.random, 'uniform', lambda low, high: high)
    results = {'img': np.zeros((40, 200, 3), np.uint8), 'gt_bboxes': HorizontalBoxes(torch.tensor([[0.0, 5, 9, 9]]))}
    tilt = Tilt(prob=1.0)
    tilt.max_angle = 90
    x0, y0, x1, y1 = tilt(results)['gt_bboxes'].tensor[0].tolist()
    assert (x1 - x0) * (y1 - y0) == 0


@pytest.mark.parametrize('seed', range(4))
def test_stretched_box_stays_tight_and_the_image_area_constant(seed):
    np.random.seed(seed)
    results = one_box() | {'gt_bboxes': HorizontalBoxes(torch.tensor([[10.0, 5.0, 14.0, 25.0]]))}
    results = Stretch(prob=1.0)(results)
    height, width = results['img'].shape[:2]
    assert results['img_shape'] == (height, width)
    assert height * width == pytest.approx(40 * 60, rel=0.03)
    assert 0.5 <= width / height / (60 / 40) <= 2.05
    y, x = np.nonzero(results['img'][..., 0] > 127)
    assert results['gt_bboxes'].tensor[0].tolist() == pytest.approx([x.min(), y.min(), x.max() + 1, y.max() + 1], abs=1)


def test_blur_keeps_brightness_and_position():
    img = np.zeros((41, 41, 3), np.uint8)
    img[18:23, 18:23] = 200
    np.random.seed(1)
    blur = MotionBlur(prob=1.0)
    blur.length = (6, 9)
    out = blur({'img': img})['img'].astype(float)
    assert out.sum() == pytest.approx(img.sum(), rel=0.02)
    _y, x = np.indices((41, 41))
    assert (out[..., 0] * x).sum() / out[..., 0].sum() == pytest.approx(20, abs=0.3)
    assert (out[..., 0] > 0).sum() > 40
    assert MotionBlur(prob=0.0)({'img': img})['img'] is img
