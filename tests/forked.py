"""Tools in processes of their own, forked from one that has imported the libraries: an import takes seconds."""

import gc
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

#: Imported once, before the forks.  ``vpd_mm``, with the bridges, comes first.
LIBRARIES = (
    'vpd_mm',
    'vpd_mm.engine.run',
    'vpd_mm.features.corpus_config',
    'vpd_mm.experiments',
    'vpd_mm.infer',
    'vpd_mm.prepare',
    'vpd_mm.baselines',
    'vpd_mm.studio.training_worker',
    'uvicorn',
    'mmaction.models',
    'mmaction.datasets',
    'mmaction.evaluation',
    'mmpose.apis',
    'matplotlib.backends.backend_agg',
    'matplotlib.figure',
)
_CONTEXT = multiprocessing.get_context('forkserver')
_ADDRESS = 'VPD_MM_TESTS_FORK_SERVER'

# No test waits for the disk: what a process has written survives its end.
os.fsync = lambda handle: None


def start_server() -> None:
    """Start the process that is forked, for all processes of pytest-xdist that this one starts."""
    _CONTEXT.set_forkserver_preload(list(LIBRARIES))
    forkserver.ensure_running()
    os.environ[_ADDRESS] = forkserver._forkserver._forkserver_address


def use_server() -> None:
    """Fork from the process that the parent has started, in place of one of its own."""
    server = forkserver._forkserver
    server._forkserver_address = os.environ[_ADDRESS]
    server._forkserver_alive_fd = os.open(os.devnull, os.O_RDONLY)  # the parent keeps it alive
    server.ensure_running = forkserver.ensure_running = resource_tracker.ensure_running


def start_tool(
    path: Path, *args: object, cwd: Path, env: dict | None = None, out: Path, err: Path, operations: Any = None
):
    """Start ``python PATH ARGS`` in a folder; stdout and stderr go into files; ``operations``: of ``kills.py``."""
    _CONTEXT.set_forkserver_preload(list(LIBRARIES))
    arguments = [str(path), *map(str, args)]
    process = _CONTEXT.Process(
        target=_run, args=(arguments, cwd, {**os.environ, **(env or {})}, (out, err), operations)
    )
    process.start()
    return process


def finish_tool(process: ForkServerProcess, out: Path, err: Path, timeout: float) -> subprocess.CompletedProcess:
    """Wait for the end of a tool."""
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
    texts = [path.read_text(encoding='utf-8') for path in (out, err)]
    assert process.exitcode is not None, f'not done after {timeout} s: {texts}'
    return subprocess.CompletedProcess((), process.exitcode, *texts)


def run_ranks(path: Path, *args: object, cwd: Path, port: int) -> None:
    """Run a tool as the two processes of a launcher on the CPUs; both must succeed."""
    address = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    files = [{'out': cwd / f'{rank}.out', 'err': cwd / f'{rank}.err'} for rank in range(2)]
    ranks = [{'RANK': str(rank), 'LOCAL_RANK': str(rank), **address} for rank in range(2)]
    processes = [start_tool(path, *args, cwd=cwd, env=env, **to) for env, to in zip(ranks, files)]
    for process, to in zip(processes, files):
        done = finish_tool(process, **to, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]


def curve_of(work_dir: Path) -> dict[int, float]:
    """Step to loss of all runs in a work dir, later runs last."""
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return {row['step']: row['loss'] for row in rows if 'loss' in row}


def _run(arguments: list[str], cwd: Path, env: dict[str, str], outputs: tuple[Path, Path], operations: Any) -> None:
    gc.freeze()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.argv[:] = arguments
    sys.path.insert(0, str(Path(arguments[0]).parent))
    if operations is None:
        runpy.run_path(arguments[0], run_name='__main__')
        return
    operations.start()
    try:
        runpy.run_path(arguments[0], run_name='__main__')
    finally:
        operations.save()
