import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures.bbox import HorizontalBoxes

from vpd_mm.athlete.detection_transforms import MotionBlur, QuarterTurn


def one_box():
    img = np.zeros((40, 60, 3), np.uint8)
    img[5:25, 10:14] = 255
    return {'img': img, 'gt_bboxes': HorizontalBoxes(torch.tensor([[10.0, 5.0, 14.0, 25.0]])), 'img_shape': (40, 60)}


@pytest.mark.parametrize('seed', range(4))
def test_a_turned_box_is_as_tight_as_before(seed):
    np.random.seed(seed)
    results = QuarterTurn(prob=1.0)(one_box())
    assert results['img'].shape == (60, 40, 3)
    assert results['img_shape'] == (60, 40)
    y, x = np.nonzero(results['img'][..., 0])
    assert results['gt_bboxes'].tensor.tolist() == [[x.min(), y.min(), x.max() + 1, y.max() + 1]]


def test_both_sides_come_and_four_turns_to_one_side_are_none(monkeypatch):
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


def test_blur_keeps_the_light_and_the_place():
    img = np.zeros((41, 41, 3), np.uint8)
    img[18:23, 18:23] = 200
    np.random.seed(1)
    out = MotionBlur(length=(6, 9), prob=1.0)({'img': img})['img'].astype(float)
    assert out.sum() == pytest.approx(img.sum(), rel=0.02)
    _y, x = np.indices((41, 41))
    assert (out[..., 0] * x).sum() / out[..., 0].sum() == pytest.approx(20, abs=0.3)
    assert (out[..., 0] > 0).sum() > 40
    assert MotionBlur(prob=0.0)({'img': img})['img'] is img
