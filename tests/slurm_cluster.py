"""A real Slurm on this machine alone: one node of two cores with two devices that stand for GPUs (root)."""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONF = """
ClusterName=local
SlurmctldHost=localhost
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
KillWait=5
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort=17002
SlurmUser=root
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=4000 Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
AS_MUNGE = ('runuser', '-u', 'munge', '--', 'munged')
NULL_DEVICE = os.makedev(1, 3)


def why_not() -> str:
    """The reason why no Slurm can be started here, '' where it can."""
    if os.geteuid() != 0:
        return 'needs root'
    missing = [name for name in ('slurmctld', 'slurmd', 'munged') if shutil.which(name) is None]
    return f'needs {missing[0]} (make test-cluster installs it)' if missing else ''


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[None]:
    """Start Slurm with its files in ``folder``; its commands, also of child processes, use it until the end."""
    for name in ('spool', 'state'):
        (folder / name).mkdir()
    (folder / 'slurm.conf').write_text(CONF.format(folder=folder))
    (folder / 'gres.conf').write_text(f'NodeName=n1 Name=gpu File={folder}/gpu[0-1]\n')
    for i in range(2):
        os.mknod(folder / f'gpu{i}', stat.S_IFCHR | 0o666, NULL_DEVICE)
    started_munge = _start_munge()
    before = os.environ.get('SLURM_CONF')
    os.environ['SLURM_CONF'] = str(folder / 'slurm.conf')
    try:
        subprocess.run(['slurmctld', '-c'], check=True)
        subprocess.run(['slurmd', '-N', 'n1'], check=True)
        wait_for(lambda: state_of_node() == 'idle', 30)
        yield
    finally:
        subprocess.run(['scancel', '--me'], capture_output=True)
        with suppress(AssertionError):  # the error of the test says more
            wait_for(lambda: not jobs(), 30)
        for name in ('slurmd', 'slurmctld'):
            with suppress(OSError, ValueError):
                os.kill(int((folder / f'{name}.pid').read_text()), 15)
                wait_for(lambda n=name: not (folder / f'{n}.pid').exists(), 30)
        if started_munge:
            subprocess.run([*AS_MUNGE, '--stop'], capture_output=True)
        os.environ.pop('SLURM_CONF')
        if before is not None:
            os.environ['SLURM_CONF'] = before


def _start_munge() -> bool:
    """Start the daemon that authenticates the commands of Slurm; False where it runs."""
    if subprocess.run(['munge', '-n'], capture_output=True).returncode == 0:
        return False
    Path('/run/munge').mkdir(exist_ok=True)
    shutil.chown('/run/munge', 'munge')
    if not Path('/etc/munge/munge.key').exists():
        subprocess.run(['create-munge-key', '-f'], check=True, capture_output=True)
    subprocess.run([*AS_MUNGE, '--force'], check=True)
    return True


def output(*command: object) -> str:
    """Standard output of a command that succeeds."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()


def state_of_node() -> str:
    return subprocess.run(['sinfo', '-h', '-o', '%T'], capture_output=True, text=True).stdout.strip()


def jobs() -> dict[str, str]:
    """Jobs of the queue, array tasks one by one: id to state."""
    return dict(line.split() for line in output('squeue', '-h', '-r', '-o', '%i %T').splitlines())


def submit(script: str, folder: Path, *options: str) -> str:
    """Submit a batch script that runs in ``folder``, with its output in ``<job>.out``; returns the job."""
    (folder / 'job.sh').write_text(f'#!/bin/bash\n{script}\n')
    return output('sbatch', '--parsable', '-o', folder / '%j.out', '-D', folder, *options, folder / 'job.sh')


def finish(job: str, folder: Path, timeout: float = 240) -> str:
    """Wait for the end of a job; returns its output."""
    wait_for(lambda: job not in jobs(), timeout)
    return (folder / f'{job}.out').read_text()


def wait_for(condition, timeout: float) -> None:
    """Wait until ``condition()`` is true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f'not within {timeout} s'
        time.sleep(0.1)
