"""Configs that leave fields to a corpus: the training's own config describes its checkpoints."""

import shutil
from pathlib import Path

import pytest
from baseline_corpus import make_baseline_corpus
from mmengine.config import Config

from vpd_mm.detect.search import train_fold
from vpd_mm.engine.model_files import read_trained_config
from vpd_mm.engine.run import build_runner
from vpd_mm.errors import UserError
from vpd_mm.export.onnx_export import export_model
from vpd_mm.features.corpus_config import adapt_config
from vpd_mm.infer.segments import Recognizer, Scorer
from vpd_mm.structures import FeatureSequence

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BIGRU, DETECTOR = CONFIGS / 'recognize/bigru.py', CONFIGS / 'detect/bigru_detector.py'


@pytest.fixture(scope='module')
def corpus(tmp_path_factory) -> str:
    corpus = make_baseline_corpus(tmp_path_factory.mktemp('corpus'))
    for path in corpus.root.glob('*/*/*.npz'):
        if path.parts[-3] in ('teacher', 'features'):
            FeatureSequence.load(path).save(path, {'checkpoint': 'a.pth', 'inputs': {'model': 'a'}})
    return str(corpus.root)


@pytest.fixture(scope='module')
def recognizer(corpus, tmp_path_factory) -> Path:
    """Checkpoint of a recogniser of two classes, trained for one epoch by configs/recognize/bigru.py."""
    cfg = adapt_config(Config.fromfile(BIGRU), corpus)
    cfg.work_dir = str(tmp_path_factory.mktemp('bigru'))
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None})
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    build_runner(cfg).train()
    return Path(cfg.work_dir) / 'epoch_1.pth'


def test_a_recognizer_is_read_with_the_config_of_its_training(recognizer, corpus, monkeypatch):
    lines = []
    monkeypatch.setattr('vpd_mm.engine.model_files.print_log', lambda text, _: lines.append(text))
    assert Recognizer(f'{BIGRU}:{recognizer}', 26).classes == ['jump', 'spin']
    assert f'its config is read from {recognizer.with_name("bigru.py")}' in lines[0]
    named = read_trained_config(recognizer.with_name('bigru.py'), recognizer)
    assert named.test_dataloader.dataset.corpus == corpus


def test_features_of_another_student_are_logged(recognizer, monkeypatch):
    lines = []
    monkeypatch.setattr('vpd_mm.infer.segments.print_log', lambda text, *_: lines.append(text))
    Recognizer(f'{BIGRU}:{recognizer}', 26, student={'inputs': {'model': 'a'}})
    assert lines == []
    Recognizer(f'{BIGRU}:{recognizer}', 26, student={'inputs': {'model': 'b'}})
    assert "was trained on features of another student, {'checkpoint': 'a.pth'}, as it was then" in lines[0]


def test_it_is_exported_with_the_config_of_its_training(recognizer):
    pytest.importorskip('onnxruntime')
    [exported] = export_model(BIGRU, recognizer, recognizer.with_suffix('.onnx'))
    assert Recognizer(f'{BIGRU}:{exported.path}', 26).classes == ['jump', 'spin']


def test_a_checkpoint_without_the_config_of_its_training_is_reported(recognizer, tmp_path):
    alone = shutil.copy(recognizer, tmp_path / 'best.pth')
    message = rf'bigru\.py: leaves corpus, num_classes, window to a corpus, and {tmp_path} has no complete config'
    with pytest.raises(UserError, match=message):
        Recognizer(f'{BIGRU}:{alone}', 26)
    with pytest.raises(UserError, match=r'checkpoint .*none\.pth: no such file'):
        read_trained_config(BIGRU, tmp_path / 'none.pth')


def test_a_config_that_came_with_a_checkpoint_is_not_run(recognizer, tmp_path):
    copied, mark = Path(shutil.copytree(recognizer.parent, tmp_path / 'copied')), tmp_path / 'was_run'
    for path in copied.rglob('*.py'):
        path.write_text(f'{path.read_text()}\nopen({str(mark)!r}, "w").close()\n')
    message = r'copied/bigru\.py is a program and was not written here by a training of yours: pass it in place of'
    with pytest.raises(UserError, match=message):
        read_trained_config(BIGRU, copied / 'epoch_1.pth')
    assert not mark.exists()
    ours = recognizer.with_name('bigru.py')
    content = ours.read_text()
    ours.write_text(f'{content}# changed\n')
    read_trained_config(BIGRU, recognizer)  # the config in the log folder is unchanged
    for path in recognizer.parent.rglob('vis_data/config.py'):
        path.unlink()
    with pytest.raises(UserError, match='was not written here'):
        read_trained_config(BIGRU, recognizer)
    ours.write_text(content)
    read_trained_config(BIGRU, recognizer)


def test_a_scorer_of_a_fold_is_read_with_the_config_of_its_training(corpus, tmp_path):
    cfg = adapt_config(Config.fromfile(DETECTOR), corpus)
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'default_hooks.checkpoint.interval': 1})
    checkpoints = [train_fold(cfg, fold, 2, tmp_path) for fold in (0, 1)]
    assert Scorer(f'{DETECTOR}:{",".join(map(str, checkpoints))}', 26).classes == ['action']
    assert read_trained_config(DETECTOR, checkpoints[0]).test_dataloader.dataset.corpus == corpus
