"""Every config loads, and its models, data sets and metrics build."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from vpd_mm.registry import METRICS, MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
RUNNABLE = sorted(p for p in CONFIGS.rglob('*.py') if not {'_base_', 'compare'} & {*p.relative_to(CONFIGS).parts})
#: Models that were built, but for the number of classes: the sports share them, and a ViT-B takes seconds.
BUILT = set()


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda p: str(p.relative_to(CONFIGS)))
def test_config_builds(path):
    cfg = Config.fromfile(path)
    assert cfg.default_scope == 'vpd_mm'
    init_default_scope(cfg.default_scope)
    model = re.sub(r"'num_classes': \d+", '', str(cfg.model))
    if model not in BUILT:
        assert sum(p.numel() for p in MODELS.build(cfg.model).parameters()) > 0
        BUILT.add(model)
    for name in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(name) or []
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            METRICS.build(metric)
    assert cfg.randomness.seed is not None


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda p: str(p.relative_to(CONFIGS)))
def test_epochs_in_the_name_are_the_epochs_that_are_run(path):
    epochs = [part[:-1] for part in path.stem.split('_') if part.endswith('e') and part[:-1].isdigit()]
    if epochs:
        assert Config.fromfile(path).train_cfg.max_epochs == int(epochs[0])
