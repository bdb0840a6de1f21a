"""Training of folds: finished folds are skipped, folds of other settings or labels kept apart."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mmengine.config import Config
from sequence_corpus import make_corpus

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.detect.proposals import ProposalRule
from vpd_mm.detect.search import record_rule, search_corpus, train_fold, use_recorded_rule
from vpd_mm.engine.model_files import find_trained
from vpd_mm.engine.resume import sole_training
from vpd_mm.engine.run import test as run_test
from vpd_mm.errors import UserError
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.structures import Action, load_actions, save_actions, save_classes

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


def labelled_corpus(root, splits, frames=60):
    """A corpus of a video of 60 frames per split, with an action of either class."""
    actions = [
        Action(f'x{i}_{label}', f'v{i}', start, start + 10, label, split)
        for i, split in enumerate(splits)
        for label, start in enumerate((10, 35))
    ]
    return make_corpus(root, {f'v{i}': (25.0, frames) for i in range(len(splits))}, actions)


def small_config(corpus, config=CONFIG):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'model.backbone.hidden_dims': 4})
    cfg.visualizer = dict(type='Visualizer')
    return adapt_config(cfg, str(corpus.root))


@pytest.mark.parametrize(
    ('splits', 'num_folds', 'folds', 'videos', 'source'),
    [
        (('train', 'val', 'train', 'test'), None, 3, 3, 'folds'),  # of 5 in the config
        (('train', 'train', 'train', 'test'), 2, 2, 3, 'folds'),
        (('train', 'train', 'test'), 1, 1, 2, 'default'),
        (('train', 'val', 'train', 'test'), 1, 1, 2, 'val'),
        (('train', 'test'), None, 1, 1, 'default'),
    ],
)
def test_folds_follow_the_data(tmp_path, monkeypatch, splits, num_folds, folds, videos, source):
    lines = []
    monkeypatch.setattr('vpd_mm.detect.search.print_log', lambda text, *_: lines.append(text))
    cfg = small_config(labelled_corpus(tmp_path / 'c', splits))
    result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=num_folds)
    assert (result['trained_on']['folds'], result['trained_on']['videos']) == (folds, videos)
    assert result['trained_on']['intervals'] == 2 * videos
    assert result['threshold_from'] == source
    assert any(line.startswith(f'folds: {folds} instead of 5') for line in lines) == (num_folds is None)
    assert len(list(tmp_path.glob('w/*/fold*/done.txt'))) == folds
    if source == 'default':
        assert 'threshold 0.5 is not chosen: no video with an action was left out of the training' in result['notes']
    assert any('2 classes (class0, class1) are detected as one' in note for note in result['notes'])


def test_folds_that_do_not_fit_are_refused(tmp_path):
    cfg = small_config(labelled_corpus(tmp_path / 'c', ('train', 'train', 'test')))
    message = '--folds must be 1 to 2, the number of training videos, found'
    for num_folds in (0, -1, 3):
        with pytest.raises(UserError, match=f'{message} {num_folds}'):
            search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=num_folds)
    cfg.protocol = 'paper'
    with pytest.raises(UserError, match='it needs 2 training videos and 2 folds'):
        search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', num_folds=1)


def test_classes_are_kept(tmp_path):
    corpus = labelled_corpus(tmp_path / 'c', ('train', 'test'))
    cfg = small_config(corpus, CONFIG.with_name('bigru_detector_classes.py'))
    result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', threshold=0.0)
    assert {name: row['intervals'] for name, row in result['classes'].items()} == {'class0': 1, 'class1': 1}
    assert not any('detected as one' in note for note in result['notes'])
    intervals = json.loads((tmp_path / 'out/v1.json').read_text())['intervals']
    assert sorted(row['label'] for row in intervals) == ['class0', 'class1']


def test_a_fold_is_tested_by_the_rule_that_it_records(tmp_path):
    corpus = labelled_corpus(tmp_path / 'c', ('train', 'test'))
    first = [action for action in load_actions(corpus.actions_path) if action.label == 0]
    save_actions(corpus.actions_path, [replace(action, start_frame=25, end_frame=35) for action in first])
    cfg = small_config(corpus)
    result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'out', threshold=0.0)
    _, [checkpoint], _ = find_trained(tmp_path / 'w')
    use_recorded_rule(cfg, checkpoint)
    metrics = run_test(cfg, Path(checkpoint))
    assert metrics['detect/mAP'] == pytest.approx(result['mAP'], abs=1e-4)
    assert metrics['detect/AP@0.5'] == 1  # with the length of the training actions; else 0


def test_a_threshold_that_is_not_chosen_replaces_none_that_is_recorded(tmp_path):
    cfg = small_config(labelled_corpus(tmp_path / 'c', ('train', 'train', 'test')))

    def run(threshold=None):
        result = search_corpus(cfg, tmp_path / 'w', 'test', tmp_path / 'o', threshold=threshold, num_folds=2)
        checkpoints = find_trained(tmp_path / 'w').checkpoints
        recorded = [load_checkpoint_safely(path)['meta']['dataset_meta'] for path in checkpoints]
        return result['threshold'], [meta['proposals']['threshold'] for meta in recorded], checkpoints

    for invalid in (1.5, float('nan')):
        with pytest.raises(UserError, match=f'threshold must be 0 to 1, found {invalid}'):
            run(invalid)
    assert not (tmp_path / 'w').exists()
    assert run(0.9)[:2] == (0.9, [0.9, 0.9])  # where there is none
    chosen, recorded, _ = run()
    assert (recorded, chosen != 0.9) == ([chosen, chosen], True)
    *seen, checkpoints = run(0.9)
    assert seen == [0.9, [chosen, chosen]]
    record_rule(Path(checkpoints[0]), ProposalRule(1.5))
    assert run(0.8)[:2] == (0.8, [0.8, chosen])
    record_rule(Path(checkpoints[0]), ProposalRule(1.5))
    assert run()[1] == [chosen, chosen]


def test_the_only_class_keeps_its_name(tmp_path):
    corpus = labelled_corpus(tmp_path / 'c', ('train', 'test'))
    save_classes(corpus.classes_path, ['vault'])
    save_actions(corpus.actions_path, [replace(a, label=0) for a in load_actions(corpus.actions_path)])
    result = search_corpus(small_config(corpus), tmp_path / 'w', 'test', tmp_path / 'out', threshold=0.0)
    assert not any('detected as one' in note for note in result['notes'])
    [row] = json.loads((tmp_path / 'out/v1.json').read_text())['intervals']
    assert row['label'] == 'vault'


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
