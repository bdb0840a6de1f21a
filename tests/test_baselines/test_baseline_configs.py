"""Every config of the rivals builds, takes one optimisation step on a small corpus and names what it predicts."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from vpd_mm.engine.cpu_autocast import on_this_cpu
from vpd_mm.registry import DATASETS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'baselines'
PATHS = sorted(p for p in CONFIGS.glob('*.py') if 'generated' not in p.stem)
SIDE = 32


def shrink(cfg: Config) -> None:
    """A small network of the same kind, on 32 px and short clips; no weights are fetched."""
    model = cfg.model
    backbone = model.backbone
    kind = backbone.type.rpartition('.')[2]
    if kind in ('ResNet', 'GSM'):
        resnet = backbone.backbone if kind == 'GSM' else backbone
        resnet.update(depth=18, pretrained=None, num_stages=2, strides=(2, 2), dilations=(1, 1), out_indices=(1,))
        model.cls_head.in_channels = 128
    elif kind == 'TimeSformer':
        backbone.update(pretrained=None, img_size=SIDE, embed_dims=24, num_heads=2, num_transformer_layers=1)
        model.cls_head.in_channels = 24
    elif kind == 'ResNet3dSlowOnly':
        backbone.update(base_channels=8, stage_blocks=(1, 1, 1))
        model.cls_head.in_channels = 128
    else:
        backbone.base_channels = 12
        model.cls_head.in_channels = 48
    for part in ('train', 'val', 'test'):
        for step in cfg[f'{part}_dataloader'].dataset.pipeline:
            if step.type.endswith('Resize'):
                step.scale = (-1, SIDE) if -1 in step.scale else (SIDE, SIDE)
            elif step.type.endswith('CenterCrop'):
                step.crop_size = SIDE
            elif step.type.endswith(('ResampleFrames', 'UniformSampleFrames')):
                step['num_frames' if 'num_frames' in step else 'clip_len'] = 8


@pytest.mark.parametrize('path', PATHS, ids=lambda p: p.stem)
def test_one_step_and_one_prediction(path, rival_corpus):
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    num_classes = cfg.model.cls_head.num_classes
    shrink(cfg)
    init_default_scope(cfg.default_scope)
    data = {}
    for part, ids_file in (('train', 'annotations/fewshot/1_0.txt'), ('val', None), ('test', None)):
        settings = cfg[f'{part}_dataloader'].dataset
        assert settings.num_classes == num_classes
        assert settings.corpus.startswith('data/')
        settings.update(corpus=str(rival_corpus.root), num_classes=2, ids_file=ids_file)
        data[part] = DATASETS.build(settings)
    assert len(data['train']) == 2
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = build_optim_wrapper(model, on_this_cpu(cfg.optim_wrapper))
    before = [p.detach().clone() for p in model.parameters()]
    losses = model.train().train_step(pseudo_collate([data['train'][(i, i)] for i in (0, 1)]), wrapper)
    assert torch.isfinite(losses['loss'])
    assert sum(not torch.equal(a, b) for a, b in zip(before, model.parameters())) > len(before) / 2
    for part, action_id in (('val', 'b2'), ('test', 'a3')):
        (sample,) = model.eval().test_step(pseudo_collate([data[part][0]]))
        assert sample.action_id == action_id
        assert sample.pred_score.shape == (num_classes,)
        assert float(sample.pred_score.sum()) == pytest.approx(1, abs=1e-4)
