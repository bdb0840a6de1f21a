"""Trainings that are skipped when finished and resumed when stopped."""

from dataclasses import replace

from sequence_corpus import make_corpus

from vpd_mm.compat.checkpoint import load_checkpoint_safely
from vpd_mm.engine.config import read_config
from vpd_mm.engine.run import train_once
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.features.corpus_content import settings_digest
from vpd_mm.structures import Action, save_actions


def test_a_training_runs_once_per_config_and_again_after_a_killed_save(tmp_path):
    splits = {'v0': 'train', 'v1': 'val', 'v2': 'test'}
    actions = [Action(video, video, 20, 40, 0, split) for video, split in splits.items()]
    corpus = make_corpus(tmp_path / 'c', dict.fromkeys(splits, (25.0, 60)), actions)
    seen = []

    def train(epochs):
        cfg = adapt_config(read_config('configs/detect/bigru_detector.py'), str(corpus.root))
        cfg.merge_from_dict({'log_level': 'ERROR', 'train_cfg.max_epochs': epochs, 'param_scheduler.T_max': epochs})
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
