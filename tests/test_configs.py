"""Every config loads, and its models and metrics build at full size, once a stream."""

from pathlib import Path

import pytest
from baseline_corpus import make_baseline_corpus, make_sport_corpus
from mmengine.config import Config
from mmengine.registry import init_default_scope

from vpd_mm.features.corpus_config import adapt_config, datasets_of
from vpd_mm.registry import METRICS, MODELS

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'
RUNNABLE = sorted(p for p in CONFIGS.rglob('*.py') if not {'_base_', 'compare'} & {*p.relative_to(CONFIGS).parts})
#: Models that were built; several configs share one, and a ViT-B takes seconds.
BUILT = set()


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp('configs')
    return str(make_sport_corpus(root, 'fx35', make_baseline_corpus(root)).root)


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda p: str(p.relative_to(CONFIGS)))
def test_config_builds(path, corpus):
    read = Config.fromfile(path)
    from_corpus = any(dataset.get('corpus', '') is None or 'dims' in dataset for dataset in datasets_of(read, 'train'))
    for stream in read.get('streams', [None]):
        cfg = adapt_config(read, corpus, stream=stream) if from_corpus else read
        assert cfg.default_scope == 'vpd_mm'
        init_default_scope(cfg.default_scope)
        if str(cfg.model) not in BUILT:
            assert sum(p.numel() for p in MODELS.build(cfg.model).parameters()) > 0
            BUILT.add(str(cfg.model))
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


@pytest.mark.parametrize('room', ['baselines', 'recognize', 'detect'])
def test_a_config_has_a_row_or_says_that_it_was_not_run(room):
    metafile = (CONFIGS / 'compare' / 'metafile.yml').read_text(encoding='utf-8')
    for path in sorted((CONFIGS / room).glob('*.py')):
        has_row = str(path.relative_to(ROOT)) in metafile
        says_not_run = 'Not run' in path.read_text(encoding='utf-8').split('"""')[1]
        assert has_row != says_not_run, f'{path.name}: needs a metafile row or "Not run." in its docstring, not both'
