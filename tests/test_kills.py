"""Every long command is killed at random moments and resumed: nothing is lost, done twice, half written or locked."""

import os
import random
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from comparison_corpus import easy_corpus, write_comparison
from inference_files import STUDENT, save_model
from kills import HEADER, Step, check_end, content, kill_and_resume, run, unfinished
from learning_corpus import make_learning_corpus
from media import make_inputs
from release_files import write_crops, write_features, write_pose
from repair_corpus import make_repairable, save_student
from tiny_corpus import make_tiny

from vpd_mm.corpus import Corpus
from vpd_mm.structures import Action, save_actions

ROOT = Path(__file__).resolve().parents[1]
SMALL = ['model.hidden_dims=16', 'model.backbone.hidden_dims=8', 'train_cfg.val_interval=1']
#: Saves after every epoch, keeps one checkpoint, and draws the same random numbers after a resume.
TRAINING = """
_base_ = ['{root}/configs/detect/bigru_detector.py']
custom_hooks = [dict(type='vpd_mm.ExactResumeHook')]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
train_cfg = dict(max_epochs=4)
train_dataloader = dict(num_workers=0, persistent_workers=False)
model = dict(backbone=dict(hidden_dims=8))
"""


def make_videos(folder: Path) -> None:
    videos = folder.parent / 'inputs'
    if not videos.exists():
        make_inputs(videos, ['a', 'b', 'c'], videos='')


def make_release(folder: Path) -> None:
    release = folder.parent / 'release'
    for name in ('a', 'b', 'c') if not release.exists() else ():
        write_pose(release, name)
        write_crops(release / 'crops' / name, range(3))
        write_features(release / 'features' / f'{name}.emb.pkl')


def make_student(folder: Path) -> None:
    make_tiny(folder / 'corpus', dict.fromkeys('abcd', 20))
    if not (folder.parent / 'student.py').exists():  # the features record its path
        save_model(folder.parent, 'student', STUDENT.format(dims=26))


def make_repair(folder: Path) -> None:
    corpus = make_repairable(folder / 'corpus', dict.fromkeys('abc', 20))
    if not (folder.parent / 'student.py').exists():  # the poses record its content
        save_student(folder.parent, corpus)


def make_training(folder: Path) -> None:
    make_labelled(folder)
    (folder / 'c.py').write_text(TRAINING.format(root=ROOT))


def make_labelled(folder: Path) -> None:
    corpus: Corpus = make_learning_corpus(folder / 'corpus', num_videos=6)
    splits = dict(zip(('v0', 'v1', 'v2', 'v3', 'v4', 'v5'), ('train', 'train', 'train', 'val', 'test', 'test')))
    save_actions(corpus.actions_path, [Action(f'{v}:0', v, 20, 40, 0, split) for v, split in splits.items()])


def make_comparison(folder: Path) -> None:
    easy_corpus(folder / 'corpus')
    write_comparison(folder / 'c.py', Corpus(Path('corpus'), 'corpus'), ks=[2])


SHORT = ('--cfg-options', 'train_cfg.max_epochs=2', *SMALL, 'default_hooks.checkpoint.interval=1')
DETECTOR = ('train_cfg.max_epochs=1', 'model.backbone.hidden_dims=4', 'default_hooks.checkpoint.interval=1')
BIGRU = ('configs/recognize/bigru.py', '--corpus', 'corpus', '--features', 'joints', '--k', '2', '--subsets', '2')
MADE = ('--corpus', 'corpus', '--poses', 'made')
PREPARED = ('../inputs', '--boxes', '../inputs/boxes', '--poses', '../inputs/poses', '--out', 'c')
STEPS = {
    step.name: step
    for step in (
        Step('prepare', make_videos, 'prepare.py', PREPARED),
        Step('import', make_release, 'import_dataset.py', ('vpd-release', '../release', '--out', 'c')),
        Step(
            'extract',
            make_student,
            'extract_features.py',
            ('../student.py', '../student.pth', '--corpus', 'corpus', '--out', 'vpd', '--device', 'cpu'),
        ),
        Step(
            'train',
            make_training,
            'train.py',
            ('c.py', '--corpus', 'corpus', '--features', 'vpd', '--work-dir', 'w', '--resume'),
        ),
        Step(
            'fewshot',
            make_comparison,
            'fewshot.py',
            (*BIGRU, '--work-dir', 'w', '--executor', 'debug', *SHORT),
        ),
        Step('compare', make_comparison, 'compare.py', ('c.py', '--work-dir', 'w', '--executor', 'debug')),
        Step(
            'detect',
            make_labelled,
            'detect.py',
            (
                'configs/detect/bigru_detector.py',
                '--corpus',
                'corpus',
                '--features',
                'vpd',
                '--work-dir',
                'w',
                '--folds',
                '2',
                '--cfg-options',
                *DETECTOR,
            ),
        ),
        Step(
            'repair',
            make_repair,
            'repair_poses.py',
            ('--student', '../student.py:../student.pth', '--device', 'cpu', '--preview', 'a', *MADE),
        ),
        Step('poses', make_repair, 'export_poses.py', (*MADE, '--format', 'openpose', '--out', 'poses')),
        Step('labels', make_labelled, 'convert_labels.py', ('corpus', '--to', 'sportscode', '--out', 'labels')),
        Step('pack', make_student, 'pack_checkpoint.py', ('../student.pth', 'packed.pth')),
        Step(
            'retrieve',
            make_labelled,
            'retrieve.py',
            ('--corpus', 'corpus', '--features', 'vpd', '--ks', '1', '--out', 'nearest.csv'),
        ),
    )
}
if find_spec('onnx') and find_spec('onnxruntime'):
    STEPS['onnx'] = Step(
        'onnx', make_student, 'export.py', ('../student.py', '../student.pth', '--out', 'student.onnx')
    )
#: Kills of each step in make test-kill; the studio has its own in test_studio/test_label_processes.py.
KILLS = dict(prepare=16, extract=14, train=16, fewshot=12, compare=10, detect=12) | {'import': 20}
KILLS |= dict(repair=10, poses=10, labels=6, pack=6, retrieve=8) | ({'onnx': 4} if 'onnx' in STEPS else {})


@pytest.mark.parametrize('name', ['prepare', 'import', 'extract', 'train'])
def test_two_kills(name, tmp_path):
    assert kill_and_resume(STEPS[name], tmp_path, 2).kills == 2


@pytest.mark.kill
def test_a_hundred_kills(tmp_path):
    print(f'\n{HEADER}')
    for name, kills in KILLS.items():
        row = kill_and_resume(STEPS[name], tmp_path / name, kills, seed=1)
        print(row, flush=True)
        assert row.kills == kills


@pytest.mark.full
@pytest.mark.parametrize('name', STEPS)
def test_a_full_disk_is_an_error_that_names_it_and_the_rest_is_made_later(name, tmp_path):
    step, rng = STEPS[name], random.Random(name)  # noqa: S311
    code, errors, num_operations = run(step, tmp_path / 'whole')
    assert code == 0, errors
    whole = content(tmp_path / 'whole')
    for i in range(4):
        folder, at = tmp_path / f'full{i}', rng.randrange(1, num_operations + 1)
        end_on_full_disk(step, folder, whole, f'operation {at}', at=at, full=True)
        code, errors, _ = run(step, folder)
        assert code == 0, (at, errors)
        check_end(step, folder, whole)


def end_on_full_disk(step: Step, folder: Path, whole: dict, where: str, **moment) -> None:
    """The step ends, with an error that names the full disk unless all was written; no file is half written."""
    code, errors, _ = run(step, folder, **moment)
    text = errors + folder.with_name(f'{folder.name}.out').read_text()
    assert code in (0, 1), (where, text)
    # LMDB calls a write of less than all bytes an input/output error
    assert code == 0 or 'No space left on device' in text or 'free some space' in text, (where, text)
    assert not unfinished(folder, whole), where


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which('mount') is None, reason='needs root, which mounts small disks')
@pytest.mark.parametrize('name', STEPS)
def test_a_disk_of_a_few_bytes_is_an_error_that_names_it_and_the_rest_is_made_later(name, tmp_path):
    step, rng = STEPS[name], random.Random(name)  # noqa: S311
    code, errors, _ = run(step, tmp_path / 'whole')
    assert code == 0, errors
    whole, needed = content(tmp_path / 'whole'), disk_use(tmp_path / 'whole')
    for i in range(3):
        folder = tmp_path / f'disk{i}'
        folder.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', folder], check=True)
        try:
            step.make(folder)
            size = rng.randrange(disk_use(folder) + 4096, needed)
            subprocess.run(['mount', '-o', f'remount,size={size}', folder], check=True)
            end_on_full_disk(step, folder, whole, f'{size} of {needed} bytes')
            subprocess.run(['mount', '-o', 'remount,size=1g', folder], check=True)
            code, errors, _ = run(step, folder)
            assert code == 0, (size, errors)
            check_end(step, folder, whole)
        finally:
            subprocess.run(['umount', '--lazy', folder], check=True)  # its shards are mapped here


def disk_use(folder: Path) -> int:
    """Bytes that the files of a folder take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob('*'))
