"""Trainings that are skipped when finished and resumed when stopped."""

from dataclasses import replace

import pytest
from sequence_corpus import make_corpus

from vpd_mm.compat.checkpoint_loading import load_checkpoint_safely
from vpd_mm.engine.config import read_config
from vpd_mm.engine.run import build_runner, train_once
from vpd_mm.engine.training_console import training_record
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.structures import Action, save_actions


@pytest.fixture
def trained_config(tmp_path):
    """A recognizer of two classes, one training clip each, one epoch."""
    splits = {'v0': 'train', 'v1': 'train', 'v2': 'val', 'v3': 'test'}
    actions = [Action(video, video, 20, 40, i % 2, split) for i, (video, split) in enumerate(splits.items())]
    corpus = make_corpus(tmp_path / 'c', dict.fromkeys(splits, (25.0, 60)), actions)
    cfg = adapt_config(read_config('configs/recognize/bigru.py'), str(corpus.root))
    cfg.merge_from_dict({'log_level': 'ERROR', 'train_cfg.max_epochs': 1, 'work_dir': str(tmp_path / 'w')})
    cfg.visualizer = dict(type='Visualizer')
    return cfg


@pytest.mark.parametrize(('batch_size', 'steps'), [(1, 4), (3, 2), (1000, 1)])
def test_any_batch_size_trains_without_workers(trained_config, batch_size, steps):
    cfg = trained_config
    workers = {'num_workers': 0, 'persistent_workers': True, 'prefetch_factor': 2}
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'] |= {**workers, 'batch_size': batch_size}
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == steps
    mean = runner.model.head[0].running_mean
    assert bool(mean.any()) == (batch_size > 1)  # a single sequence has no variance: the running statistics are used


def test_no_batch_at_all_is_one_line(trained_config):
    cfg = trained_config
    del cfg.train_dataloader.batch_sampler
    cfg.train_dataloader |= {'drop_last': True, 'batch_size': 5}
    runner = build_runner(cfg)
    with pytest.raises(UserError, match='FeatureClipDataset: 4 samples give no batch; lower batch_size'):
        runner.train()


def test_a_training_runs_once_per_config_and_again_after_a_killed_save(tmp_path):
    splits = {'v0': 'train', 'v1': 'val', 'v2': 'test'}
    actions = [Action(video, video, 20, 40, 0, split) for video, split in splits.items()]
    corpus = make_corpus(tmp_path / 'c', dict.fromkeys(splits, (25.0, 60)), actions)
    seen = []

    def train(epochs):
        cfg = adapt_config(read_config('configs/detect/bigru_detector.py'), str(corpus.root))
        cfg.merge_from_dict({'log_level': 'ERROR', 'train_cfg.max_epochs': epochs})
        return train_once(cfg, tmp_path / f'work-{settings_digest(cfg)}', lambda *done: seen.append(done))

    checkpoint = train(2)
    assert checkpoint.is_file()
    assert seen[-1] == (len(seen), len(seen))
    seen.clear()
    assert train(2) == checkpoint
    assert seen == []
    # killed while it saved: last_checkpoint names a file that is not there, and the last one is damaged
    checkpoint.parent.with_suffix('.finished').unlink()
    (checkpoint.parent / 'last_checkpoint').write_text(str(checkpoint.parent / 'epoch_1.pth'))
    last = checkpoint.parent / 'epoch_2.pth'
    content = last.read_bytes()
    last.write_bytes(content[:-1000])
    assert train(2) == checkpoint
    assert len(seen) > 0
    assert load_checkpoint_safely(str(last))['meta']['epoch'] == 2
    others = [train(1)]
    save_actions(corpus.actions_path, [replace(action, end_frame=50) for action in actions])
    others.append(train(2))
    assert len({path.parent for path in (checkpoint, *others)}) == 3
    assert checkpoint.is_file()


def test_the_best_epoch_of_a_resumed_training_is_that_of_its_checkpoint(trained_config, tmp_path):
    """A training is killed after it has saved the best checkpoint of epoch 1, before its record is written."""
    cfg = trained_config
    cfg.merge_from_dict({'default_hooks.checkpoint.interval': 1, 'train_cfg.val_interval': 1, 'train_cfg.val_begin': 1})
    cfg.default_hooks.checkpoint.rule = 'less'  # of a score that rises: the first epoch stays the best
    build_runner(cfg).train()
    (record,) = (tmp_path / 'w').glob('training.json')
    assert training_record(tmp_path / 'w')['best']['step'] == 1
    record.unlink()
    cfg.merge_from_dict({'train_cfg.max_epochs': 2, 'resume': True})
    build_runner(cfg).train()
    (saved,) = (tmp_path / 'w').glob('best_*.pth')
    assert saved.stem.endswith('_1')
    assert training_record(tmp_path / 'w')['best'] is None  # its numbers are not known
