"""Every command of the README runs, in its order, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from media import FRAMES, make_video, write_boxes, write_poses

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / 'shared'
#: Run by CI itself.
ELSEWHERE = ('make ', 'pip ', 'python -m vpd_mm check_env')
#: What makes a long training short: the command's own epochs, with few draws each; twelve frames are held out singly.
SHORTER = {
    'resnet18_2d-vpd_40e_real.py': [
        '--cfg-options',
        'train_dataloader.sampler.num_samples=8',
        'train_dataloader.dataset.holdout=frame',
        'val_dataloader.dataset.holdout=frame',
    ],
    'stgcn_joint_8e_generated.py': ['--cfg-options', 'train_dataloader.dataset.num_clips=16'],
    'stgcn-gn_joint_8e_generated.py': ['--cfg-options', 'train_cfg.max_epochs=1'],
    'fewshot.py': [
        '--cfg-options',
        'train_cfg.max_iters=10',
        'train_cfg.val_interval=10',
        'default_hooks.checkpoint.interval=10',
    ],
}


def commands() -> list[str]:
    blocks = re.findall(r'```bash\n(.*?)```', (ROOT / 'README.md').read_text(encoding='utf-8'), re.DOTALL)
    lines = [line.split('  #')[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(ELSEWHERE)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A user's folder: tools/ as in the checkout, two videos with boxes and poses."""
    folder = tmp_path_factory.mktemp('user')
    if (SHARED / 'penn_action').is_dir():
        (folder / 'Penn_Action').symlink_to(SHARED / 'penn_action')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    for name in ('jump', 'run'):
        make_video(folder / 'my_videos' / f'{name}.mp4')
        write_boxes(folder / 'my_boxes', name, range(FRAMES))
        write_poses(folder / 'my_poses', name, range(FRAMES))
    return folder


def test_there_are_commands():
    assert len(commands()) >= 10


@pytest.mark.parametrize('command', commands(), ids=lambda c: ' '.join(c.split()[:3]))
def test_command_runs(command, folder, run_python):
    if ('Penn_Action' in command or 'data/penn' in command) and not (folder / 'Penn_Action').exists():
        pytest.skip('needs Penn Action')
    program, tool, *arguments = shlex.split(command)
    if tool in ('tools/train.py', 'tools/dist_train.sh', 'tools/fewshot.py'):
        arguments += [word for name, extra in SHORTER.items() if name in command for word in extra]
    if program == 'python' and tool.endswith('.py'):
        done = run_python(folder / tool, *arguments, cwd=folder)
    else:
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        environment = {**os.environ, 'PATH': path, 'PORT': '29583'}
        words = [program, tool, *arguments]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f'{done.stdout[-1000:]}\n{done.stderr[-2000:]}'
