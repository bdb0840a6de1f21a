"""A video becomes a corpus, a student is trained on it and describes every frame: the commands of the README."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from forked import curve_of, run_ranks
from media import FRAMES, make_inputs

from vpd_mm.corpus import Corpus, FeatureStore
from vpd_mm.synthetic.checkpoints import packed_source

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
CONFIG = """
_base_ = [
    '{root}/configs/_base_/models/distill_resnet18-small.py',
    '{root}/configs/_base_/schedules/distill_40e_small.py']
data = dict(corpus='data/two', holdout='frame')
epoch = dict(num_samples=64)
train_dataloader = dict(sampler=epoch, batch_size=16, num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=3)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1), logger=dict(interval=1))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory, run_python):
    """A folder in which the README's commands have run."""
    folder = tmp_path_factory.mktemp('videos')
    make_inputs(folder, ['one', 'two'])
    (folder / 'c.py').write_text(CONFIG.format(root=TOOLS.parent))
    commands = [
        ['prepare.py', 'videos', '--boxes', 'boxes', '--poses', 'poses', '--out', 'data/two'],
        ['extract_features.py', 'joints', '--corpus', 'data/two'],
        ['train.py', 'c.py'],
        ['train.py', 'c.py', '--resume', 'work_dirs/c/epoch_1.pth', '--work-dir', 'resumed'],
        ['extract_features.py', 'c.py', 'work_dirs/c/epoch_3.pth', '--corpus', 'data/two', '--out', 'vpd', '--preview'],
        ['extract_features.py', '--concat', 'vpd+joints', '--corpus', 'data/two', '--out', 'both'],
    ]
    for command in commands:
        done = run_python(TOOLS / command[0], *command[1:], cwd=folder)
        assert done.returncode == 0, f'{command}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}'
    return folder


def test_every_frame_has_features_of_both_views(folder):
    corpus = Corpus.open(folder / 'data/two')
    student = FeatureStore(corpus.features_dir('vpd'))
    assert student.videos() == ['one', 'two']
    assert student['one'].feats.shape == (FRAMES, 2, 26)
    assert np.abs(student['one'].feats).max() > 0
    assert FeatureStore(corpus.features_dir('both')).dims == 52
    assert (corpus.features_dir('vpd') / 'preview' / 'one.png').is_file()


def test_training_lowers_the_loss_and_resuming_repeats_it(folder):
    whole, resumed = curve_of(folder / 'work_dirs/c'), curve_of(folder / 'resumed')
    assert set(whole) == set(range(1, 13))
    assert np.mean([whole[i] for i in (10, 11, 12)]) < np.mean([whole[i] for i in (1, 2, 3)])
    assert set(resumed) == set(range(5, 13))
    for step, loss in resumed.items():
        assert loss == pytest.approx(whole[step], rel=1e-4), step


@pytest.mark.full  # test_train_and_test.py compares the curves of a smaller model
def test_two_processes_have_the_losses_of_one(folder, run_python):
    # Batch normalisation sees each process's part of a batch; group normalisation sees single samples.
    norm = [f'model.student.backbone.norm_cfg.{option}' for option in ('type=GN', 'num_groups=8')]
    options = ['optim_wrapper.type=OptimWrapper', 'train_cfg.max_epochs=1', *norm]
    command = [TOOLS / 'train.py', 'c.py', '--work-dir', 'one', '--cfg-options', *options]
    done = run_python(*command, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    halves = ['--work-dir', 'two', '--cfg-options', *options, 'train_dataloader.batch_size=8']
    run_ranks(TOOLS / 'train.py', 'c.py', '--launcher', 'pytorch', *halves, cwd=folder, port=29573)
    one, two = curve_of(folder / 'one'), curve_of(folder / 'two')
    assert set(one) == set(two) == set(range(1, 5))
    for step, loss in one.items():
        assert two[step] == pytest.approx(loss, rel=1e-3), step


def test_another_checkpoint_needs_another_out(folder, run_python):
    arguments = ['c.py', 'work_dirs/c/epoch_2.pth', '--corpus', 'data/two', '--out', 'vpd']
    done = run_python(TOOLS / 'extract_features.py', *arguments, cwd=folder)
    assert done.returncode == 1
    assert 'pass another --out' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.full
def test_six_lines_on_real_videos_repeat_no_option(shared, tmp_path, run_python):
    """The six lines of the documentation on two parkour videos, with the real detector and a short training."""
    page = (TOOLS.parent / 'docs' / 'your_own_videos.md').read_text()
    [script] = [block for block in re.findall(r'```sh\n(.*?)```', page, re.DOTALL) if 'yolox_nano' in block]
    (tmp_path / 'my_videos').mkdir()
    for name, video in (('run', 'kv01_PKLP'), ('vault', 'kv01_PKFC')):
        (tmp_path / 'my_videos' / f'{name}.mp4').symlink_to(shared / 'parkour' / 'videos' / f'{video}.mp4')
    (tmp_path / 'yolox_nano_coco.pth').symlink_to(shared / 'weights' / 'yolox_nano_coco.pth')
    # The packed pose model, of the synthetic sport, is not confident on real videos.
    options = 'train_cfg.max_epochs=1 train_dataloader.sampler.num_samples=8 train_dataloader.batch_size=4 '
    options += 'train_dataloader.num_workers=0 train_dataloader.persistent_workers=False '
    options += 'train_dataloader.dataset.min_score=0 val_dataloader.dataset.min_score=0'
    if importlib.util.find_spec('mediapipe') is None:
        script = script.replace('mediapipe', packed_source('teacher'))
    script = script.replace('40e_real.py\n', f'40e_real.py --cfg-options {options}\n').replace('epoch_40', 'epoch_1')
    outputs = []
    for line in script.splitlines():
        _, tool, *arguments = shlex.split(line)
        done = run_python(TOOLS.parent / tool, *arguments, cwd=tmp_path)
        assert done.returncode == 0, f'{line}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}'
        outputs.append(done.stdout + done.stderr)
    assert re.search(r'tracked: 100\.0% \(57 of 57 frames; at least 50%\)', outputs[1])
    assert outputs[1].splitlines()[-1].startswith(('ready to train', 'first: '))
    assert 'warning' not in outputs[4]
    weights = (shared / 'weights' / 'yolox_nano_coco.pth').resolve()
    boxes = f'boxes mmdet:yolox_nano_8xb8-300e_coco:{weights}'
    assert f"{boxes}: as in the student's corpus" in outputs[5]
    assert 'run: 23 frames, athlete in 23 (100%), D = 26, offline' in outputs[5]
    student = FeatureStore(Corpus.open(tmp_path / 'data' / 'real').features_dir('vpd'))['run'].feats
    inferred = FeatureStore(tmp_path / 'runs' / 'infer' / 'features')['run'].feats
    assert np.array_equal(student, inferred), 'inference makes the features of the corpus'
