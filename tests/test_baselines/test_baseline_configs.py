"""Every method, stream and data set that has a baseline or a recogniser builds and takes one training step."""

from functools import cache
from pathlib import Path

import pytest
import torch
from baseline_corpus import SPORT_CORPORA, make_sport_corpus
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from vpd_mm.engine.cpu_autocast import on_this_cpu
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.registry import DATASETS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PAPER = ('fsjump6', 'tennis7', 'fx35', 'diving48')
CLIP_SIZES = {'': PAPER, '_small': ('synthetic',)}
SKELETON_SIZES = {'': PAPER, '_small_20e': ('penn',), '_small': ('synthetic',)}
METHODS = {
    **dict.fromkeys(('tsn', 'trn', 'gsm', 'timesformer'), (('crop', 'frame', 'flow'), CLIP_SIZES)),
    **dict.fromkeys(('stgcn', 'stgcnpp', 'msg3d'), (('joint', 'bone'), SKELETON_SIZES)),
    'posec3d': (('joint',), SKELETON_SIZES),
}
BASELINES = [
    (f'{method}{size}', stream, name)
    for method, (streams, sizes) in METHODS.items()
    for size, names in sizes.items()
    for stream in streams
    for name in names
]
#: Cases of ``make test``: each network and stream on a data set of the paper, these in turn; the first stream of a
#: small config.
SHORT = {(*pair, PAPER[i % 4]) for i, pair in enumerate(dict.fromkeys(case[:2] for case in BASELINES))}
SHORT |= {case for case in BASELINES if case[1] in ('crop', 'joint') and case[2] not in PAPER}
MARKED = [pytest.param(*case, id='-'.join(case), marks=[] if case in SHORT else pytest.mark.full) for case in BASELINES]
SEQUENCES = [
    *[('recognize/bigru', 'joints', name) for name in SPORT_CORPORA],
    *[('recognize/bigru', 'vpd', name) for name in (*PAPER, 'synthetic')],
    *[
        (f'recognize/{name}', 'joints', corpus)
        for name in ('bigru_fast', 'bigru_fast_2000i')
        for corpus in ('penn', 'synthetic')
    ],
    *[('recognize/bigru_fast_features', 'vipe', name) for name in ('penn', 'synthetic')],
    ('recognize/bigru_fast_features', 'vpd', 'synthetic'),
    *[
        ('detect/bigru_detector', features, name)
        for features in ('joints', 'vpd')
        for name in ('fsjump6', 'tennis7', 'synthetic')
    ],
]
FEW = 'annotations/fewshot/1_0.txt'
SIDE = 32

read = cache(Config.fromfile)


@pytest.fixture(scope='module')
def roots(baseline_corpus, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp('sports')
    return {name: str(make_sport_corpus(folder, name, baseline_corpus).root) for name in SPORT_CORPORA}


def shrink(cfg: Config) -> None:
    """A small network of the same kind, on 32 px and short clips; no weights are fetched."""
    model = cfg.model
    backbone = model.backbone
    if backbone.type == 'vpd_mm.StackedFlowBackbone':
        backbone = backbone.backbone
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


def train_step(model: torch.nn.Module, cfg: Config, batch: dict) -> None:
    """One step; the loss is finite and most parameters change."""
    wrapper = build_optim_wrapper(model, on_this_cpu(cfg.optim_wrapper))
    before = [p.detach().clone() for p in model.parameters()]
    losses = model.train().train_step(batch, wrapper)
    assert torch.isfinite(losses['loss'])
    assert sum(not torch.equal(a, b) for a, b in zip(before, model.parameters())) > len(before) / 2


@pytest.mark.parametrize(('config', 'stream', 'name'), MARKED)
def test_baseline_takes_one_step_and_predicts(config, stream, name, roots):
    torch.manual_seed(0)
    cfg = adapt_config(read(CONFIGS / 'baselines' / f'{config}.py'), roots[name], stream=stream)
    num_classes = cfg.model.cls_head.num_classes
    assert num_classes == SPORT_CORPORA[name][1]
    shrink(cfg)
    init_default_scope(cfg.default_scope)
    datasets = [cfg[f'{part}_dataloader'].dataset for part in ('train', 'val', 'test')]
    assert {dataset.get('source', dataset.get('stream')) for dataset in datasets} == {stream}
    train, val, test = (DATASETS.build(dataset) for dataset in [{**datasets[0], 'ids_file': FEW}, *datasets[1:]])
    assert len(train) == 2
    model = MODELS.build(cfg.model)
    model.init_weights()
    train_step(model, cfg, pseudo_collate([train[(i, i)] for i in (0, 1)]))
    for dataset, action_id in ((val, 'b2'), (test, 'a3')):
        (sample,) = model.eval().test_step(pseudo_collate([dataset[0]]))
        assert sample.action_id == action_id
        assert sample.pred_score.shape == (num_classes,)
        assert float(sample.pred_score.sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(('config', 'features', 'name'), SEQUENCES, ids=map('-'.join, SEQUENCES))
def test_recogniser_and_detector_take_one_step(config, features, name, roots):
    torch.manual_seed(0)
    cfg = adapt_config(read(CONFIGS / f'{config}.py'), roots[name], features=features)
    init_default_scope(cfg.default_scope)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert cfg.model.num_classes == (1 if 'detect' in config else SPORT_CORPORA[name][1])
    train_step(MODELS.build(cfg.model), cfg, pseudo_collate([train[i] for i in range(2)]))


def test_at_most_25_baselines_and_6_recognisers():
    assert len(list(CONFIGS.glob('baselines/*.py'))) <= 25
    assert len(list(CONFIGS.glob('recognize/*.py'))) <= 6
    assert len(list(CONFIGS.glob('detect/*.py'))) <= 3
