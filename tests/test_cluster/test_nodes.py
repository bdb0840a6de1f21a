"""tools/dist_train.sh on two machines: network namespaces, each with an address and a loopback device of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import curve_of

ROOT = Path(__file__).resolve().parents[2]
NODES = ('vpd-node0', 'vpd-node1')
HAS_NAMESPACES = os.geteuid() == 0 and shutil.which('ip') is not None
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not HAS_NAMESPACES, reason='needs root and ip (iproute2)')]


def ip(*words: str) -> None:
    subprocess.run(['ip', *words], check=True)


@pytest.fixture
def nodes():
    """Two network namespaces with a cable: 10.99.0.1 and 10.99.0.2; the name of each leads to its loopback device."""
    try:
        for name in NODES:
            ip('netns', 'add', name)
        ends = [word for name in NODES for word in ('name', f'{name}-eth', 'netns', name, 'peer')][:-1]
        ip('link', 'add', *ends[:4], 'type', 'veth', 'peer', *ends[5:])
        for i, name in enumerate(NODES):
            ip('-n', name, 'address', 'add', f'10.99.0.{i + 1}/24', 'dev', f'{name}-eth')
            for device in ('lo', f'{name}-eth'):
                ip('-n', name, 'link', 'set', device, 'up')
        yield NODES
    finally:
        for name in NODES:
            subprocess.run(['ip', 'netns', 'del', name], capture_output=True)


def test_two_machines_have_the_loss_curve_of_one_process(nodes, tmp_path, run_python):
    config = 'configs/baselines/stgcn-gn_joint_8e_generated.py'
    options = ['train_dataloader.dataset.num_clips=32', 'val_dataloader.dataset.num_clips=16']
    options += ['default_hooks.logger.interval=1', 'train_cfg.max_epochs=2']
    done = run_python(ROOT / 'tools/train.py', config, '--work-dir', 'one', '--cfg-options', *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    environment = {**os.environ, 'PATH': path, 'PYTHONPATH': str(ROOT), 'NNODES': '2', 'MASTER_ADDR': '10.99.0.1'}
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), config, '1', '--work-dir', 'two', '--cfg-options']
    command += [*options, 'train_dataloader.batch_size=8']
    machines = [
        subprocess.Popen(
            ['ip', 'netns', 'exec', name, *command],
            cwd=tmp_path,
            env={**environment, 'NODE_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, name in enumerate(nodes)
    ]
    try:
        outputs = [machine.communicate(timeout=150)[0] for machine in machines]
    finally:
        for machine in machines:
            machine.terminate()  # torchrun, which ends its processes
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    one, two = curve_of(tmp_path / 'one'), curve_of(tmp_path / 'two')
    assert one.keys() == two.keys() == set(range(1, 5))
    for step, loss in one.items():
        assert two[step] == pytest.approx(loss, abs=1e-4), step
