"""The detector and the pose model of the main path predict on a stack without compiled operators."""

from pathlib import Path

import mmdet
import mmpose
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from mmpose.apis import inference_topdown, init_model

IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)

pytestmark = pytest.mark.filterwarnings('ignore')


def config_of(package, name):
    cfg = Config.fromfile(Path(package.__file__).parent / '.mim' / 'configs' / name)
    cfg.model.backbone.init_cfg = None
    return cfg


def test_rtmdet_predicts_boxes():
    cfg = config_of(mmdet, 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    cfg.model.test_cfg.update(score_thr=0.0, max_per_img=20)
    cfg.test_dataloader.dataset.pipeline[1].scale = (64, 64)
    cfg.test_dataloader.dataset.pipeline[2].size = (64, 64)
    torch.manual_seed(0)
    model = init_detector(cfg, None, device='cpu')
    found = inference_detector(model, IMAGE).pred_instances
    assert found.bboxes.shape == (20, 4)
    assert torch.equal(found.scores, found.scores.sort(descending=True)[0])
    assert bool(torch.isfinite(found.bboxes).all())


def test_rtmpose_predicts_keypoints():
    cfg = config_of(mmpose, 'body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py')
    torch.manual_seed(0)
    model = init_model(cfg, None, device='cpu')
    (sample,) = inference_topdown(model, IMAGE, np.array([[10.0, 10.0, 100.0, 110.0]]))
    assert sample.pred_instances.keypoints.shape == (1, 17, 2)
    assert sample.pred_instances.keypoint_scores.shape == (1, 17)
