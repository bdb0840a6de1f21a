"""Training of folds: finished folds are skipped, folds of other settings or labels kept apart."""

from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.detect.search import train_fold
from vpd_mm.engine.resume import sole_training
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.structures import Action, load_actions, save_actions

CONFIG = Path(__file__).resolve().parents[2] / 'configs/detect/bigru_detector.py'


@pytest.fixture
def cfg(tmp_path):
    actions = [Action(f'x{i}', f'v{i}', 20, 40, 0, 'train') for i in range(4)]
    corpus = make_corpus(tmp_path / 'c', {f'v{i}': (25.0, 60) for i in range(4)}, actions)
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'model.backbone.hidden_dims': 4, 'train_dataloader.batch_size': 4})
    # mmengine caches visualizers by name and second for the life of the process
    cfg.visualizer = dict(type='Visualizer')
    return adapt_config(cfg, str(corpus.root))


def other(cfg, **options):
    cfg = Config(cfg._cfg_dict.to_dict())
    cfg.merge_from_dict(options)
    return cfg


def test_fold_of_other_settings_is_trained_separately(cfg, tmp_path):
    work = tmp_path / 'w'
    corpus = Path(cfg.train_dataloader.dataset.corpus)
    first = train_fold(cfg, 0, 2, work)
    content = first.read_bytes()
    assert train_fold(cfg, 0, 2, work) == first
    others = [
        train_fold(cfg, 1, 2, work),
        train_fold(cfg, 0, 3, work),
        train_fold(other(cfg, **{'train_dataloader.dataset.max_videos': 2}), 0, 2, work),
        train_fold(other(cfg, load_from=str(first)), 0, 2, work),
    ]
    actions = load_actions(corpus / 'annotations' / 'actions.csv')
    save_actions(corpus / 'annotations' / 'actions.csv', [replace(action, end_frame=50) for action in actions])
    others.append(train_fold(cfg, 0, 2, work))
    assert len({first, *others}) == 6
    assert first.read_bytes() == content


def test_unfinished_fold_is_resumed_with_the_same_settings_only(cfg, tmp_path):
    longer = other(cfg, **{'train_cfg.max_epochs': 2, 'default_hooks.checkpoint.interval': 1})
    folder = train_fold(longer, 0, 2, tmp_path / 'w').parent
    (folder / 'done.txt').unlink()
    with sole_training(folder), pytest.raises(UserError, match='fold0: another process trains there'):
        train_fold(longer, 0, 2, tmp_path / 'w')
    written = (folder / 'epoch_2.pth').stat().st_mtime_ns
    assert train_fold(longer, 0, 2, tmp_path / 'w') == folder / 'epoch_2.pth'
    assert (folder / 'epoch_2.pth').stat().st_mtime_ns == written
    (folder / 'done.txt').unlink()
    assert train_fold(cfg, 0, 2, tmp_path / 'w').name == 'epoch_1.pth'
    (folder / 'epoch_2.pth').unlink()  # as after a kill before the next checkpoint
    assert train_fold(longer, 0, 2, tmp_path / 'w') == folder / 'epoch_2.pth'
    assert (folder / 'epoch_2.pth').is_file()
