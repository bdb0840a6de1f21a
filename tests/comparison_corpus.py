"""A corpus of two easy classes and comparisons on it, small enough to train in a second."""

from pathlib import Path

import numpy as np
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.corpus import Corpus
from vpd_mm.experiments import Plan, Spec, plan_runs, read_spec
from vpd_mm.structures import Action, FeatureSequence

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 5
#: Splits of the 36 actions of ten frames each; classes take turns.
SPLITS = ['train'] * 16 + ['val'] * 8 + ['test'] * 12


def easy_corpus(root: Path, dataset: str = '') -> Corpus:
    """Two classes, 2-d features: class 0 rises, class 1 falls, both with noise; the flipped view negates dim 1."""
    actions = [Action(f'a{i:02d}', 'v', 10 * i, 10 * i + 10, i % 2, split) for i, split in enumerate(SPLITS)]
    corpus = make_corpus(root, {'v': (25.0, 10 * len(actions))}, actions, dataset=dataset)
    rng = np.random.default_rng(0)
    slope = np.linspace(-1, 1, 10)
    feats = np.concatenate([np.stack([(1 - 2 * a.label) * slope, slope], 1) for a in actions])
    feats += rng.normal(0, 1.0, feats.shape)
    views = np.stack([feats, feats * [1, -1]], axis=1).astype(np.float32)
    path = corpus.teacher_dir('joints') / 'v.npz'
    FeatureSequence(np.arange(len(views)), views, np.ones(len(views), np.float32)).save(path)
    return corpus


def write_comparison(path: Path, corpus: Corpus, **fields) -> Path:
    """Write the config of a comparison of a BiGRU with nearest neighbours; ``fields`` replace its own."""
    metric = dict(type='mmaction.AccMetric')
    short = {
        'train_cfg.max_epochs': EPOCHS,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint': dict(interval=1, save_best='nll/log_loss', rule='less'),
        'test_evaluator': [metric],
        'optim_wrapper.optimizer.lr': 0.1,
        'model.hidden_dims': 16,
        'model.backbone.hidden_dims': 8,
    }
    content = dict(
        name='easy',
        title='Two easy classes',
        dataset='Easy',
        corpus=str(corpus.root),
        ks=[2, 'all'],
        subsets=2,
        all_seeds=1,
        options=short,
        methods=[
            dict(name='BiGRU', group='learnt', config='configs/recognize/bigru.py'),
            dict(name='nearest', group='given', kind='nearest', features='teacher/joints'),
            dict(name='both', group='learnt', kind='ensemble', of=['BiGRU', 'nearest']),
        ],
    )
    lines = [f'{name} = {value!r}' for name, value in (content | fields).items()]
    path.write_text('\n'.join(lines) + '\n')
    return path


def spec_of(path: Path, only: tuple[str, ...] = ()) -> Spec:
    return read_spec(Config.fromfile(path), only)


def plan_of(path: Path, only: tuple[str, ...] = ()) -> Plan:
    return plan_runs(spec_of(path, only))
