"""A checkpoint whose texts of a config are programs, through every tool that loads or resumes one: none is run."""

import shutil
from pathlib import Path

import pytest
import torch
from comparison_corpus import easy_corpus, write_comparison
from inference_files import STUDENT, save_model
from media import make_video
from mmengine.config import Config
from sequence_corpus import make_corpus
from tiny_corpus import VIDEOS, make_tiny

from vpd_mm.compat import find_latest_checkpoint
from vpd_mm.compat.checkpoint_loading import allow_runner_types
from vpd_mm.structures import Action

ROOT = Path(__file__).resolve().parents[2]
DETECTOR, BIGRU = 'configs/detect/bigru_detector.py', 'configs/recognize/bigru.py'
EPOCHS = ['--cfg-options', 'default_hooks.checkpoint.interval=1', 'train_cfg.val_interval=1']


@pytest.fixture(scope='module')
def ran(tmp_path_factory) -> Path:
    """File that the programs would write."""
    return tmp_path_factory.mktemp('canary') / 'ran'


@pytest.fixture(scope='module')
def corrupt(ran):
    """Put the program into a checkpoint, in all places where mmengine looks for a config."""
    program = f'open({str(ran)!r}, "w").close()\ngpu_ids = [0]\n'
    Config.fromstring(program, file_format='.py')
    assert ran.is_file()  # so does mmengine
    ran.unlink()

    allow_runner_types()

    def put(source: Path, target: Path) -> Path:
        content = torch.load(source, weights_only=True)
        hub = content.setdefault('message_hub', {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}})
        content['meta'] |= {'config': program, 'cfg': program}
        hub['runtime_info']['cfg'] = program
        torch.save(content, target)
        return target

    return put


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    splits = {'v0': 'train', 'v1': 'train', 'v2': 'val', 'v3': 'test'}
    actions = [Action(video, video, 20, 40, 0, split) for video, split in splits.items()]
    return make_corpus(tmp_path_factory.mktemp('data') / 'c', dict.fromkeys(splits, (25.0, 60)), actions).root


@pytest.fixture(scope='module')
def tool(run_python, ran):
    def run(name, *arguments, cwd=ROOT):
        done = run_python(ROOT / 'tools' / name, *arguments, cwd=cwd)
        assert not ran.exists()
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope='module')
def detector(tmp_path_factory, tool, corpus, corrupt):
    """Work dir of a detector with the evil checkpoint in place of its own."""
    work = tmp_path_factory.mktemp('detector') / 'trained'
    tool('train.py', DETECTOR, '--corpus', corpus, '--work-dir', work, *EPOCHS, 'train_cfg.max_epochs=1')
    corrupt(work / 'epoch_1.pth', work / 'epoch_1.pth')
    return work


@pytest.mark.parametrize('named', [True, False])
def test_train_resumes(detector, tool, corpus, tmp_path, named):
    work = Path(shutil.copytree(detector, tmp_path / 'copied'))
    resume = ['--resume', work / 'epoch_1.pth'] if named else ['--resume']
    options = [DETECTOR, '--corpus', corpus, '--work-dir', work, *resume, *EPOCHS, 'train_cfg.max_epochs=2']
    assert 'resumed: epoch 1 is done' in tool('train.py', *options)


def test_test_detect_and_pack_load(detector, tool, corpus, tmp_path):
    evil = detector / 'epoch_1.pth'
    tool('test.py', DETECTOR, evil, '--corpus', corpus, '--work-dir', tmp_path / 't')
    options = ['--corpus', corpus, '--work-dir', tmp_path / 'd', '--checkpoints', evil, '--threshold', '0.5']
    assert 'mAP' in tool('detect.py', DETECTOR, *options)
    tool('pack_checkpoint.py', evil, tmp_path / 'packed.pth')
    packed = torch.load(tmp_path / 'packed.pth', weights_only=True)
    assert set(packed['meta']) == {'epoch', 'iter', 'mmengine_version', 'comment'}


def test_export_loads(detector, tool, tmp_path):
    pytest.importorskip('onnxruntime')
    evil = detector / 'epoch_1.pth'
    tool('export.py', DETECTOR, evil, '--out', tmp_path / 'scorer.onnx')


def test_detect_resumes_a_fold(tool, corpus, corrupt, tmp_path):
    options = [DETECTOR, '--corpus', corpus, '--work-dir', tmp_path / 'd', '--folds', '2', *EPOCHS]
    tool('detect.py', *options, 'train_cfg.max_epochs=2')
    for done in (tmp_path / 'd').rglob('done.txt'):
        last = Path(find_latest_checkpoint(done.parent))
        corrupt(last, last)
        done.unlink()
    assert 'resumed: epoch 2 is done' in tool('detect.py', *options, 'train_cfg.max_epochs=2')


@pytest.mark.parametrize('name', ['fewshot.py', pytest.param('compare.py', marks=pytest.mark.full)])
def test_runs_are_resumed(tool, corrupt, tmp_path, name):
    corpus = easy_corpus(tmp_path / 'easy')
    work = tmp_path / 'w'
    if name == 'compare.py':
        options = {'train_cfg.max_epochs': 2, 'default_hooks.checkpoint.interval': 1, 'train_cfg.val_interval': 1}
        methods = [dict(name='BiGRU', config=BIGRU, options=options)]
        config = write_comparison(tmp_path / 'c.py', corpus, ks=['all'], methods=methods)
        arguments = [config, '--work-dir', work]
    else:
        arguments = [BIGRU, '--corpus', corpus.root, '--k', 'all', '--all-seeds', '1', '--work-dir', work]
        arguments += ['--features', 'joints', *EPOCHS, 'train_cfg.max_epochs=2']
    arguments[1:1] = ['--executor', 'debug']
    tool(name, *arguments)
    [result] = (work / 'runs').glob('*.json')
    [best] = (work / 'runs').rglob('best_*.pth')
    result.unlink()
    [config] = best.parent.glob('*.py')
    tool('train.py', config, '--work-dir', tmp_path / 'stopped', '--cfg-options', 'train_cfg.max_epochs=1')
    corrupt(tmp_path / 'stopped' / 'epoch_1.pth', best.with_name('epoch_1.pth'))

    def resumed() -> int:
        return sum(log.read_text().count('resumed epoch: ') for log in best.parent.rglob('*.log'))

    assert resumed() == 0
    tool(name, *arguments)
    assert resumed() == 1


def test_infer_and_extract_features_load(tool, corrupt, tmp_path):
    tiny = make_tiny(tmp_path / 'tiny', VIDEOS).root
    save_model(tmp_path, 'student', STUDENT.format(dims=26))
    evil = corrupt(tmp_path / 'student.pth', tmp_path / 'evil.pth')
    make_video(tmp_path / 'run.mp4')
    tool('infer.py', 'run.mp4', '--student', f'student.py:{evil}', '--boxes', 'full', '--out', 'out', cwd=tmp_path)
    tool('extract_features.py', 'student.py', evil, '--corpus', tiny, '--out', 'evil', cwd=tmp_path)
