"""Configs that leave fields to a corpus: the training's own config describes its checkpoints."""

import shutil
import time
from pathlib import Path

import pytest
from baseline_corpus import make_baseline_corpus
from mmengine.config import Config

from vpd_mm.detect.search import train_fold
from vpd_mm.engine.config import read_config
from vpd_mm.engine.model_files import find_one_trained, find_trained, read_trained_config, record_trained
from vpd_mm.engine.run import build_runner
from vpd_mm.engine.written_configs import is_recorded
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
    assert f'its config is read from {recognizer.with_name("config.py")}' in lines[0]
    named = read_trained_config(recognizer.with_name('config.py'), recognizer)
    assert named.test_dataloader.dataset.corpus == corpus


def test_a_run_folder_stands_for_its_best_checkpoint_and_its_config(recognizer, tmp_path, monkeypatch):
    folder = recognizer.parent
    expected = [str(folder / 'config.py'), [str(recognizer)], {}]
    for spec in (folder, recognizer):
        assert list(find_trained(spec)) == expected
    assert list(find_trained(BIGRU, checkpoint=folder)) == list(find_trained(f'{BIGRU}:{folder}'))
    best = shutil.copy(recognizer, folder / 'best_nll_epoch_1.pth')
    assert find_trained(folder).checkpoints == [str(best)]
    assert find_trained(f'{folder}/best').checkpoints == [str(best)]
    assert list(find_trained(BIGRU, checkpoint=f'{folder}/latest').checkpoints) == [str(recognizer)]
    lines = []
    monkeypatch.setattr('vpd_mm.engine.model_files.print_log', lambda text, _: lines.append(text))
    second = shutil.copy(recognizer, folder / 'best_nll_epoch_2.pth')
    assert find_trained(folder).checkpoints == [str(second)]
    assert lines == [f'{folder}: has 2 best checkpoints; this one is used: best_nll_epoch_2.pth']
    (folder / 'trained.json').write_text('{}')
    with pytest.raises(UserError, match=r'holds a training and trained\.json of another command; pass .*epoch_2\.pth'):
        find_trained(folder)
    (folder / 'trained.json').unlink()
    best.unlink()
    second.unlink()
    (tmp_path / 'grid').symlink_to(folder)
    record_trained(tmp_path, [tmp_path / 'grid/epoch_1.pth'] * 2, threshold=0.3)
    config, checkpoints, settings = find_trained(tmp_path)
    assert checkpoints == [f'{tmp_path}/grid/epoch_1.pth'] * 2
    assert Path(config).samefile(folder / 'config.py')
    assert settings['threshold'] == 0.3
    with pytest.raises(UserError, match=r'found 2; pass one, such as .*/grid/epoch_1\.pth; tools/detect\.py CONFIG'):
        find_one_trained(tmp_path)
    shutil.copy(tmp_path / 'trained.json', (copy := tmp_path / 'elsewhere/copy').mkdir(parents=True) or copy)
    assert find_trained(copy) == find_trained(tmp_path)
    (tmp_path / 'grid').unlink()
    with pytest.raises(UserError, match=r'copy/trained\.json: its checkpoint .*/grid/epoch_1\.pth is not there: '):
        find_trained(copy)
    assert Recognizer(str(folder), 26).classes == ['jump', 'spin']


def test_a_config_of_other_classes_is_refused_and_that_of_the_run_is_named(recognizer, tmp_path):
    other, own = tmp_path / 'mine.py', recognizer.with_name('config.py')
    other.write_text(own.read_text().replace('num_classes=2', 'num_classes=18'))
    hint = f'; or the config of its training, {own}$'
    with pytest.raises(UserError, match=rf'mine\.py: .*head\.6.* \(2, 256\), in the model \(18, 256\).*{hint}'):
        Recognizer(f'{other}:{recognizer}', 26)
    cfg = read_config(own)
    cfg.work_dir, cfg.load_from, cfg.model.hidden_dims = str(tmp_path / 'w'), str(recognizer), 64
    with pytest.raises(UserError, match=rf'does not fit bigru: .*head\.2.*{hint}'):
        build_runner(cfg).test()


@pytest.mark.parametrize(
    ('files', 'spec', 'message'),
    [
        ((), 'w', 'w: has no checkpoint; pass a run folder'),
        ((), 'gone', "'gone': no such file or folder"),
        ((), 'c.py', "'c.py': must be a run folder, a checkpoint in one, or CONFIG:CHECKPOINT"),
        ((), 'c.py:', 'must be a run folder'),
        (('a.pth',), 'w/a.pth', r'w/a\.pth: no config\.py beside it; pass CONFIG:w/a\.pth'),
        (('a.pth', 'config.py'), 'w', r'w/config\.py: is a program .*; pass w/config\.py:w/a\.pth if you trust it'),
        (('a.pth', 'b.pth'), 'w', r'w: has 2 files \*\.pth, none of them named'),
        (('a/a.pth', 'b/b.pth'), 'w', 'w: holds several trainings; pass one of them: w/a, w/b'),
        (('trained.json',), 'w', r'w/trained\.json'),
    ],
)
def test_what_is_no_run_folder_is_reported(tmp_path, monkeypatch, files, spec, message):
    monkeypatch.chdir(tmp_path)
    for name in ('w/x', *(f'w/{file}' for file in files)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{}')
    with pytest.raises(UserError, match=message):
        find_trained(spec)


def test_features_of_another_student_are_logged(recognizer, monkeypatch):
    lines = []
    monkeypatch.setattr('vpd_mm.infer.segments.print_log', lambda text, *_: lines.append(text))
    Recognizer(f'{BIGRU}:{recognizer}', 26, student={'inputs': {'model': 'a'}})
    assert lines == []
    Recognizer(f'{BIGRU}:{recognizer}', 26, student={'inputs': {'model': 'b'}})
    assert "was trained on features of another student, {'checkpoint': 'a.pth'}, as it was then" in lines[0]


def test_it_is_exported_with_the_config_of_its_training(recognizer, tmp_path):
    pytest.importorskip('onnxruntime')
    [exported] = export_model(BIGRU, recognizer, recognizer.with_suffix('.onnx'))
    assert Recognizer(f'{BIGRU}:{exported.path}', 26).classes == ['jump', 'spin']
    alone = shutil.move(exported.path, tmp_path / 'r.onnx')
    assert Recognizer(alone, 26).classes == ['jump', 'spin']


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
    message = r'copied/config\.py is a program and was not written here by a training of yours: pass it in place of'
    with pytest.raises(UserError, match=message):
        read_trained_config(BIGRU, copied / 'epoch_1.pth')
    assert not mark.exists()
    ours = recognizer.with_name('config.py')
    content = ours.read_text()
    ours.write_text(f'{content}# changed\n')
    in_logs = list(recognizer.parent.rglob('vis_data/config.py'))
    assert all(map(is_recorded, in_logs))
    read_trained_config(BIGRU, recognizer)  # the config in the log folder is unchanged
    for path in in_logs:
        path.unlink()
    with pytest.raises(UserError, match='was not written here'):
        read_trained_config(BIGRU, recognizer)
    ours.write_text(content)
    read_trained_config(BIGRU, recognizer)


def test_trainings_that_start_in_one_second_have_logs_of_their_own(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(time, 'time', lambda: 1e9)
    for name in ('a', 'b'):
        cfg = adapt_config(Config.fromfile(BIGRU), corpus)
        cfg.work_dir = str(tmp_path / name)
        cfg.merge_from_dict({'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None})
        build_runner(cfg)
    for name in ('a', 'b'):
        [path] = (tmp_path / name).rglob('vis_data/config.py')
        assert Config.fromfile(path).work_dir == str(tmp_path / name)


def test_a_scorer_of_a_fold_is_read_with_the_config_of_its_training(corpus, tmp_path):
    cfg = adapt_config(Config.fromfile(DETECTOR), corpus)
    cfg.merge_from_dict({'train_cfg.max_epochs': 1, 'default_hooks.checkpoint.interval': 1})
    checkpoints = [train_fold(cfg, fold, 2, tmp_path) for fold in (0, 1)]
    assert Scorer(f'{DETECTOR}:{",".join(map(str, checkpoints))}', 26).classes == ['action']
    assert read_trained_config(DETECTOR, checkpoints[0]).test_dataloader.dataset.corpus == corpus
