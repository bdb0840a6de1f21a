"""Other systems: nothing of the project needs what only Linux, or only Unix, has."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from media import make_inputs

from vpd_mm.corpus import Corpus
from vpd_mm.structures import Action, save_actions, save_classes

ROOT = Path(__file__).resolve().parents[1]
MODULES = ['fcntl', 'termios', 'tty', 'pty', 'grp']
FUNCTIONS = ['sched_getaffinity', 'fork', 'forkpty', 'setsid', 'fchmod', 'pread', 'pwrite', 'nice']
FUNCTIONS += ['pidfd_open', 'killpg', 'mkfifo', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_CLOEXEC', 'O_DIRECTORY', 'O_SYNC']
SIGNALS = ['SIGKILL', 'SIGALRM', 'SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGCHLD', 'alarm', 'setitimer', 'pthread_kill']
#: Others of the kind, without which libraries do not run on Linux.
FURTHER = {'pwd', 'resource', 'select', 'os.getuid', 'os.geteuid', 'os.register_at_fork', 'os.statvfs', 'os.sysconf'}
FURTHER |= {'os.uname', 'os.wait3', 'os.wait4', 'os.waitstatus_to_exitcode'}
#: Where such a name is used, after a test that the system has it.
GUARDED = {
    ('vpd_mm/engine/locks.py', 'fcntl'),
    ('vpd_mm/engine/network_device.py', 'fcntl'),
    ('vpd_mm/files/writing.py', 'fcntl'),
    ('vpd_mm/corpus/shard.py', 'os.register_at_fork'),
    *(('vpd_mm/experiments/jobs.py', name) for name in ('select', 'os.pidfd_open', 'signal.SIGKILL', 'os.getuid')),
    ('vpd_mm/studio/training_worker.py', 'os.setsid'),
    *(('vpd_mm/studio/training.py', name) for name in ('os.killpg', 'signal.SIGKILL')),
    ('benchmarks/studio.py', '/proc/'),  # a benchmark of memory
    *(('benchmarks/scale.py', name) for name in ('/proc/', '/proc/self/status')),  # a benchmark of memory
    ('benchmarks/dtw.py', 'resource'),  # a benchmark of memory
    *(
        (f'benchmarks/{file}.py', f'os.{name}')  # a benchmark of memory
        for file in ('prepare', 'retrieval')
        for name in ('wait4', 'waitstatus_to_exitcode')
    ),
}


def unix_names(tree: ast.AST) -> set[str]:
    """Names in a module that not every system has."""
    names = {*MODULES, *FURTHER} | {f'os.{name}' for name in FUNCTIONS} | {f'signal.{name}' for name in SIGNALS}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & names
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} & names
        elif isinstance(node, ast.Attribute):
            found |= {ast.unparse(node)} & names
        elif isinstance(node, ast.Constant) and str(node.value).startswith(('/dev/', '/proc', '/tmp')):
            found.add(str(node.value))
    return found


def test_what_some_systems_lack_is_used_in_guarded_places():
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in ('vpd_mm', 'tools', 'benchmarks')
        for path in (ROOT / room).rglob('*.py')
        for name in unix_names(ast.parse(path.read_text(encoding='utf-8')))
    }
    assert found == GUARDED
    code = "import fcntl; from pwd import x; os.fork(); signal.SIGKILL; open('/dev/shm/x'); getattr(os, 'fork', 0)"
    assert unix_names(ast.parse(code)) == {'fcntl', 'pwd', 'os.fork', 'signal.SIGKILL', '/dev/shm/x'}


#: Removes the names from the standard library, whose own modules are imported before, and runs the tools.
SCRIPT = f"""
import asyncio, concurrent.futures.process, getpass, multiprocessing.popen_spawn_posix, multiprocessing.synchronize
import os, pkgutil, runpy, selectors, shutil, signal, subprocess, sys, tempfile
import importlib
shutil._use_fd_functions = False  # as where these names are missing
sys.modules |= dict.fromkeys({MODULES})
for module, names in ((os, {FUNCTIONS}), (signal, {SIGNALS})):
    for name in names:
        delattr(module, name)
import vpd_mm
for module in pkgutil.walk_packages(vpd_mm.__path__, 'vpd_mm.'):
    if not module.name.endswith('__main__'):
        importlib.import_module(module.name)
from vpd_mm.engine.locks import fcntl
assert fcntl is None
for line in open('commands.txt'):
    tool, *arguments = line.split()
    status = runpy.run_path(os.path.join({str(ROOT)!r}, 'tools', tool))['main'](arguments)
    assert not status, (line, status)
"""
CONFIG = f"""
_base_ = [
    '{ROOT}/configs/_base_/models/distill_resnet18-small.py',
    '{ROOT}/configs/_base_/schedules/distill_40e_small.py']
data = dict(corpus='c', holdout='frame')
epoch = dict(num_samples=4)
train_dataloader = dict(sampler=epoch, batch_size=4, num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=1)
"""
COMMANDS = """
prepare.py videos --boxes boxes --poses poses --out c
extract_features.py joints --corpus c
train.py c.py --work-dir w
extract_features.py c.py w/epoch_1.pth --corpus c --out vpd
fewshot.py {root}/configs/recognize/bigru.py --corpus c --features joints --k 1 --subsets 1 --executor debug \
--cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1 default_hooks.checkpoint.interval=1 {workers}
retrieve.py --corpus c --features joints --ks 1
infer.py videos/v0.mp4 --student c.py:w/epoch_1.pth --boxes boxes --out out
"""
WORKERS = ' '.join(
    f'{name}_dataloader.num_workers=0 {name}_dataloader.persistent_workers=False' for name in ('train', 'val', 'test')
)


@pytest.mark.full
def test_the_core_runs_without_what_only_unix_has(tmp_path):
    actions, splits = [], {'v0': 'train', 'v1': 'val', 'v2': 'test'}
    make_inputs(tmp_path, splits)
    for name, split in splits.items():
        actions += [Action(f'{name}_{label}', name, 4 * label, 4 * label + 8, label, split) for label in (0, 1)]
    corpus = Corpus.create(tmp_path / 'c')
    save_classes(corpus.classes_path, ['a', 'b'])
    save_actions(corpus.actions_path, actions)
    (tmp_path / 'c.py').write_text(CONFIG)
    (tmp_path / 'commands.txt').write_text(COMMANDS.strip().format(root=ROOT, workers=WORKERS))
    done = subprocess.run([sys.executable, '-c', SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stderr.count('this system has no locks; run one command at a time') == 1
    assert (tmp_path / 'out' / 'v0.json').is_file()
    assert (tmp_path / 'c' / 'features' / 'vpd' / 'v2.npz').is_file()
