"""tools/train.py and tools/test.py as a user types them, on mmaction2's models."""

import runpy
from pathlib import Path

import pytest
from forked import curve_of, run_ranks

from vpd_mm.engine.training_console import training_record
from vpd_mm.errors import UserError

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
STGCN = 'configs/baselines/stgcn_joint_8e_generated.py'
PLAIN = 'configs/baselines/stgcn-gn_joint_8e_generated.py'
SHORT = [
    'train_dataloader.dataset.num_clips=32',
    'val_dataloader.dataset.num_clips=16',
    'default_hooks.logger.interval=1',
]


@pytest.fixture(scope='module')
def tool(run_python):
    """Run a tool that succeeds; returns its output."""

    def run(name, *arguments, cwd):
        done = run_python(TOOLS / name, *arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope='module')
def trained(tmp_path_factory, tool):
    """A training of four epochs, and one that resumed from the checkpoint of the second."""
    folder = tmp_path_factory.mktemp('train')
    options = ['--cfg-options', *SHORT, 'train_cfg.max_epochs=4', 'default_hooks.checkpoint.max_keep_ckpts=-1']
    (folder / 'shown.txt').write_text(tool('train.py', STGCN, '--work-dir', 'whole', *options, cwd=folder))
    tool('train.py', STGCN, '--resume', 'whole/epoch_2.pth', '--work-dir', 'resumed', *options, cwd=folder)
    return folder


def error_line(done) -> str:
    """The only error line of a tool that failed."""
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    return error


def test_trains_with_progress_and_keeps_checkpoints(trained):
    log = next((trained / 'whole').glob('*/*.log')).read_text()
    assert 'eta:' in log
    assert 'acc/top1' in log
    assert (trained / 'whole' / 'epoch_4.pth').is_file()
    curve = curve_of(trained / 'whole')
    assert curve[max(curve)] < curve[1]


def test_the_console_has_a_summary_a_line_per_epoch_and_the_best(trained):
    shown, work_dir = (trained / 'shown.txt').read_text().splitlines(), trained / 'whole'
    first = [line for line in shown if line.startswith('epoch ')]
    assert [line.split()[1] for line in first] == ['1/4', '2/4', '3/4', '4/4']
    assert all(' eta 0:' in line and ' loss ' in line for line in first)
    assert shown[shown.index(first[0]) - 4].startswith('training: 32 samples of GeneratedActionDataset; 4 epochs of 2')
    best = training_record(work_dir)['best']
    assert (work_dir / best['checkpoint']).is_file()
    assert any(line.startswith(f'best: epoch {best["step"]} of 4: ') for line in shown)
    assert f'next: python {TOOLS}/test.py whole' in shown
    assert len(shown) < 16
    log = next(work_dir.glob('*/*.log')).read_text()
    assert 'System environment' in log
    assert 'Hooks will be executed' in log


def test_interrupted_and_resumed_equals_uninterrupted(trained):
    whole, resumed = curve_of(trained / 'whole'), curve_of(trained / 'resumed')
    assert set(whole) == set(range(1, 9))
    assert set(resumed) == set(range(5, 9))
    for step, loss in resumed.items():
        assert loss == pytest.approx(whole[step], abs=1e-6), step


def test_evaluates_a_checkpoint(trained, tool):
    assert 'acc/mean1' in tool('test.py', STGCN, 'whole/epoch_4.pth', '--work-dir', 'tested', cwd=trained)


@pytest.mark.parametrize(
    'option', ['train_cfg.max_epochs', 'val_evaluator.x', 'train_dataloader.dataset.subset', 'load_from', 'launcher']
)
def test_an_option_of_the_training_is_refused(option):
    with pytest.raises(UserError, match=rf'{option}: changes nothing: tools/test\.py does not read it'):
        runpy.run_path(str(TOOLS / 'test.py'))['main']([STGCN, 'x.pth', '--cfg-options', f'{option}=3'])


def test_two_processes_have_the_loss_curve_of_one(tool, tmp_path):
    options = [*SHORT, 'train_cfg.max_epochs=2']
    tool('train.py', PLAIN, '--work-dir', 'one', '--cfg-options', *options, cwd=tmp_path)
    # tools/dist_train.sh itself is a command of the README
    halves = ['--work-dir', 'two', '--cfg-options', *options, 'train_dataloader.batch_size=8']
    run_ranks(TOOLS / 'train.py', PLAIN, '--launcher', 'pytorch', *halves, cwd=tmp_path, port=29571)
    a, b = curve_of(tmp_path / 'one'), curve_of(tmp_path / 'two')
    assert a.keys() == b.keys() == set(range(1, 5))
    for step, loss in a.items():
        assert b[step] == pytest.approx(loss, abs=1e-4), step


def test_tsn_trains_and_is_evaluated(tool, tmp_path):
    tiny = ['train_dataloader.dataset.num_clips=4', 'val_dataloader.dataset.num_clips=4', 'train_cfg.max_epochs=1']
    small = [
        '--cfg-options',
        'model.backbone.depth=18',
        'model.cls_head.in_channels=512',
    ]  # the depth of the config takes a minute
    config, options = 'configs/baselines/tsn_r50_rgb_2e_generated.py', [*small, *tiny]
    tool('train.py', config, '--work-dir', 'tsn', *options, cwd=tmp_path)
    options = [*small, 'test_dataloader.dataset.num_clips=4']
    assert 'acc/top1' in tool('test.py', config, 'tsn/epoch_1.pth', '--work-dir', 'tsn', *options, cwd=tmp_path)


def test_a_malicious_checkpoint_is_refused_and_nothing_runs(run_python, tmp_path):
    code = (
        'import torch, sys\n'
        'class Bomb:\n'
        '    def __reduce__(self):\n'
        '        return (open, ("ran", "w"))\n'
        'torch.save({"state_dict": {}, "meta": Bomb()}, "bomb.pth")\n'
    )
    (tmp_path / 'bomb.py').write_text(code)
    assert run_python(tmp_path / 'bomb.py', cwd=tmp_path).returncode == 0
    for tool, arguments in (('test.py', ['bomb.pth']), ('train.py', ['--resume', 'bomb.pth'])):
        done = run_python(TOOLS / tool, STGCN, *arguments, '--work-dir', 'w', cwd=tmp_path)
        assert 'bomb.pth was refused and nothing in it was run' in error_line(done)
    assert not (tmp_path / 'ran').exists()
