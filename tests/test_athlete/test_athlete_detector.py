"""AthleteDetector with a narrow RTMDet of random weights."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from vpd_mm.athlete.athlete_detector import AthleteDetector
from vpd_mm.engine.model_zoo import find_model
from vpd_mm.errors import UserError

SMALL = """
_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
model = dict(
    backbone=dict(widen_factor=0.125, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128], out_channels=16),
    bbox_head=dict(in_channels=16, feat_channels=16, num_classes={num_classes}),
    test_cfg=dict(score_thr=0.0, max_per_img=100))
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='Pad', size=(128, 128), pad_val=dict(img=(114, 114, 114))),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""


def make_detector(folder, classes, weights=None, dataset_meta=True):
    """Config and checkpoint of a small RTMDet with random weights."""
    from mmengine.config import Config
    from mmengine.registry import DefaultScope

    models = importlib.import_module('mmdet.registry').MODELS
    config, checkpoint = folder / 'small.py', folder / 'small.pth'
    config.write_text(SMALL.format(num_classes=len(classes)))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = models.build(Config.fromfile(config).model)
    for parameter in model.bbox_head.rtm_cls.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    meta = {'dataset_meta': {'CLASSES': tuple(classes)}} if dataset_meta else {}
    torch.save({'state_dict': weights or model.state_dict(), 'meta': meta}, checkpoint)
    return str(config), str(checkpoint)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    return make_detector(tmp_path_factory.mktemp('detector'), ('ball', 'Person', 'racket'))


@pytest.fixture(scope='module')
def frames():
    rng = np.random.default_rng(0)
    return [np.kron(rng.integers(0, 255, (9, 12, 3)), np.ones((10, 10, 1))).astype(np.uint8) for _ in range(5)]


@pytest.fixture(scope='module')
def detector(small):
    return AthleteDetector(*small, device='cpu', batch_size=2, score_thr=0.0)


def test_boxes_equal_mmdet(detector, frames):
    """mmdet's own call, one BGR frame at a time, is the reference."""
    from mmdet.apis import inference_detector
    from mmengine.registry import DefaultScope

    detections = detector.detect(frames)

    assert len(detections) == 5
    assert sum(map(len, detections)) > 10
    assert all(boxes.dtype == np.float32 and boxes.shape[1:] == (5,) for boxes in detections)
    for frame, boxes in zip(frames, detections, strict=True):
        with DefaultScope.overwrite_default_scope('mmdet'):
            persons = inference_detector(detector.model, frame[..., ::-1]).pred_instances
        persons = persons[persons.labels == 1]
        persons = persons[persons.scores.argsort(descending=True, stable=True)]
        np.testing.assert_allclose(boxes[:, :4], persons.bboxes.numpy(), atol=0.05)
        np.testing.assert_allclose(boxes[:, 4], persons.scores.numpy(), atol=1e-4)


def test_batch_size_does_not_matter(detector, small, frames):
    whole = AthleteDetector(*small, device='cpu', batch_size=8, score_thr=0.0).detect(frames)
    for a, b in zip(detector.detect(frames), whole, strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)
    assert detector.detect([]) == []


def test_scores_below_the_threshold_are_dropped(small, detector, frames):
    boxes = detector.detect(frames[:1])[0]
    limit = float(np.median(boxes[:, 4]))
    (kept,) = AthleteDetector(*small, device='cpu', score_thr=limit).detect(frames[:1])
    np.testing.assert_allclose(kept, boxes[boxes[:, 4] >= limit], atol=1e-4)
    assert len(kept) < len(boxes)


def test_channel_order_of_the_network_input(detector):
    """RTMDet's weights take BGR: a red frame is dark, dark, bright after normalisation."""
    seen = []
    hook = detector.model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    red = np.zeros((128, 128, 3), np.uint8)
    red[..., 0] = 255
    detector.detect([red])
    hook.remove()
    expected = [(0 - 103.53) / 57.375, (0 - 116.28) / 57.12, (255 - 123.675) / 58.395]
    np.testing.assert_allclose(seen[0][0, :, 64, 64].numpy(), expected, rtol=1e-5)


def test_person_class_is_selected(tmp_path, small, detector):
    assert detector.person == 1
    assert AthleteDetector(*make_detector(tmp_path, ('skater',)), device='cpu').person == 0
    with pytest.raises(UserError, match=r'none of its 2 classes \(ball, net, ...\) is "person"'):
        AthleteDetector(*make_detector(tmp_path, ('ball', 'net')), device='cpu')
    coco = make_detector(tmp_path, [str(i) for i in range(80)], dataset_meta=False)
    assert AthleteDetector(*coco, device='cpu').person == 0


def test_missing_or_unfitting_checkpoint_raises_one_line(tmp_path, small):
    with pytest.raises(UserError, match=r'no checkpoint given.*pass one: mmdet:.*small.py:<checkpoint.pth>'):
        AthleteDetector(small[0], device='cpu')
    with pytest.raises(UserError, match=r'nowhere\.pth: no such file'):
        AthleteDetector(small[0], str(tmp_path / 'nowhere.pth'), device='cpu')
    foreign = make_detector(tmp_path, ('person',) * 3, weights={'other.weight': torch.zeros(1)})
    with pytest.raises(UserError, match=r'does not fit .*weights are missing'):
        AthleteDetector(*foreign, device='cpu')
    with pytest.raises(UserError, match='batch_size'):
        AthleteDetector(*small, batch_size=0)


def test_model_zoo_names():
    cfg, weights = find_model('mmdet', 'RTMDet-m')
    assert cfg.model.type == 'RTMDet'
    assert weights.endswith('rtmdet_m_8xb32-300e_coco_20220719_112220-229f527c.pth')
    by_path = find_model('mmdet', 'mmdet::rtmdet/rtmdet_m_8xb32-300e_coco.py')
    assert by_path[1] == weights
    assert find_model('mmdet', 'rtmdet-m', 'mine.pth')[1] == 'mine.pth'


@pytest.mark.parametrize(
    'name',
    [
        *('rtmdet_m_8xb32-300e_coco', 'RTMDet_m_8xb32-300e_coco.py', 'rtmdet/rtmdet_m_8xb32-300e_coco'),
        *('configs/rtmdet/rtmdet_m_8xb32-300e_coco.py', 'mmdet::rtmdet/rtmdet_m_8xb32-300e_coco.py'),
    ],
)
def test_a_config_of_the_package_by_any_of_its_names(name):
    cfg, weights = find_model('mmdet', name)
    assert Path(cfg.filename).name == 'rtmdet_m_8xb32-300e_coco.py'
    assert weights.endswith('-229f527c.pth')


def test_a_config_that_the_model_zoo_does_not_list():
    with pytest.raises(UserError, match=r'zoo lists none; pass one: mmdet:yolox_nano_8xb8-300e_coco:<checkpoint\.pth>'):
        find_model('mmdet', 'yolox_nano_8xb8-300e_coco')
    cfg, weights = find_model('mmdet', 'yolox_nano_8xb8-300e_coco', 'yolox_nano_coco.pth')
    assert (cfg.model.backbone.widen_factor, weights) == (0.25, 'yolox_nano_coco.pth')


def test_a_file_of_the_user_goes_before_one_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'rtmdet_m_8xb32-300e_coco.py').write_text('own = 1')
    (tmp_path / 'rtmdet-m').touch()
    assert find_model('mmdet', 'rtmdet_m_8xb32-300e_coco.py', 'x.pth')[0].own == 1
    assert find_model('mmdet', 'rtmdet-m', 'x.pth')[0].model.type == 'RTMDet'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('rtmdet-mm', "'rtmdet-mm': neither a config file .* did you mean rtmdet-m"),
        ('rtmdet_m', 'did you mean rtmdet-m'),
        ('yolox_nano_8x8_300e_coco', 'did you mean yolox_nano_8xb8-300e_coco'),
        ('own/rtmdet_m_8xb32-300e_coco.py', 'no such file.* did you mean rtmdet_m_8xb32-300e_coco'),
        ('configs/nothing.py', 'no such file'),
        ('mmdet::rtmdet/nothing.py', 'no such file'),
        ('override_category', r'several configs have this name; pass mmdet::glip/odinw/override_category\.py or '),
        ('', "model '': neither"),
    ],
)
def test_near_misses_are_suggested(name, message):
    with pytest.raises(UserError, match=message):
        find_model('mmdet', name, 'x.pth' if name == 'yolox_nano_8x8_300e_coco' else None)
