"""Flow networks start from the mean of the pre-trained RGB kernels, as TSN's do."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from vpd_mm.baselines import StackedFlowBackbone
from vpd_mm.engine.model_files import build_model
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import _set_stream

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'baselines'


@pytest.mark.parametrize('name', ['tsn', pytest.param('trn', marks=pytest.mark.full), 'gsm'])
def test_every_channel_gets_the_mean_rgb_kernel(name, tmp_path):
    conv = 'backbone.conv1.conv' if name == 'gsm' else 'conv1.conv'
    pytest.importorskip('torchvision')
    from torchvision.models import resnet50

    pretrained = resnet50(weights=None)
    torch.save(pretrained.state_dict(), tmp_path / 'resnet50.pth')
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    _set_stream(cfg, name, 'flow')
    inner = cfg.model.backbone.backbone.get('backbone') or cfg.model.backbone.backbone
    inner.pretrained = str(tmp_path / 'resnet50.pth')
    model = build_model(cfg)
    model.init_weights()
    backbone = model.backbone.backbone
    weight = backbone.get_submodule(conv).weight
    expected = pretrained.conv1.weight.mean(dim=1)
    assert weight.shape == (64, 10, 7, 7)
    for channel in range(10):
        assert torch.equal(weight[:, channel], expected)
    last = backbone.get_submodule(conv.replace('conv1.conv', 'layer4')).state_dict()
    assert torch.equal(last['2.conv3.conv.weight'], pretrained.layer4[2].conv3.weight)


def test_weights_of_another_backbone_are_refused(tmp_path):
    torch.save({'conv1.weight': torch.zeros(8, 3, 3, 3)}, tmp_path / 'other.pth')
    backbone = StackedFlowBackbone(dict(type='mmaction.ResNet', depth=18, torchvision_pretrain=False))
    backbone.backbone.init_weights = lambda: None
    backbone.backbone.pretrained = str(tmp_path / 'other.pth')
    with pytest.raises(UserError, match=r'other\.pth: has no RGB kernel of shape \(64, 3, 7, 7\)'):
        backbone.init_weights()
