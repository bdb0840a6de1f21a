"""Do the runs that are missing: in processes of their own, in this one, or as command lines for a cluster."""

import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from ..engine.cli import error_line
from ..engine.paths import resource_dir
from .comparison import Comparison
from .comparison_plan import Run
from .comparison_run import execute
from .run_store import RunStore


@dataclass(frozen=True)
class Command:
    """How this comparison was called: what a process for one of its runs must be told.

    Args:
        config: Path of the comparison.
        work_dir: Its folder.
        options: KEY=VALUE of ``--cfg-options``.
    """

    config: str
    work_dir: str
    options: tuple[str, ...] = ()

    def for_run(self, key: str) -> list[str]:
        """Arguments of tools/compare.py that do one run."""
        arguments = [self.config, '--work-dir', self.work_dir, '--run', key]
        return arguments + (['--cfg-options', *self.options] if self.options else [])


def job_lines(
    runs: Sequence[Run], command: Command, launcher: str, gpus: int = 1, partition: str = ''
) -> Iterator[str]:
    """A shell line for each run: ``torchrun`` here, or ``sbatch`` for Slurm.

    Only trainings use more than one GPU.
    """
    tool = str(resource_dir() / 'tools' / 'compare.py')
    for run in runs:
        count = gpus if run.method.kind == 'train' else 1
        arguments = [tool, *command.for_run(run.key)]
        if launcher == 'sbatch':
            if count > 1:
                arguments += ['--launcher', 'slurm']
            inner = shlex.join(['srun', 'python', *arguments])
            where = [f'--partition={partition}'] if partition else []
            sizes = [f'--ntasks={count}', f'--gpus={count}', f'--job-name=compare-{run.key}']
            yield shlex.join(['sbatch', *where, *sizes, f'--wrap={inner}'])
        elif count > 1:
            yield shlex.join(['torchrun', f'--nproc-per-node={count}', *arguments, '--launcher', 'pytorch'])
        else:
            yield shlex.join(['python', *arguments])


def run_missing(
    runs: Sequence[Run],
    comparison: Comparison,
    store: RunStore,
    command: Command,
    jobs: int = 1,
    started: Callable[[Run], None] = lambda run: None,
    ended: Callable[[Run, str], None] = lambda run, error: None,
) -> dict[str, str]:
    """Do runs, each in a process of its own, ``jobs`` at a time; 0: one after the other in this process.

    A run that fails does not stop the others.  Processes end with this one,
    however it ends.

    Args:
        started: Called with a run.
        ended: Called with a run and its error line; '' where it is finished.

    Returns:
        Key to error line of the runs that failed.
    """
    failed: dict[str, str] = {}
    todo = list(runs)
    if jobs == 0:
        for run in todo:
            started(run)
            error = ''
            try:
                execute(run, comparison, store)
            except Exception as e:  # any: the other runs go on, and the caller reports
                error = failed[run.key] = error_line(e)
            ended(run, error)
        return failed
    open_: dict[str, tuple[Run, subprocess.Popen]] = {}
    try:
        while todo or open_:
            while todo and len(open_) < jobs:
                run = todo.pop(0)
                started(run)
                open_[run.key] = run, _start(run, store, command)
            time.sleep(0.05)
            for key, (run, process) in list(open_.items()):
                if process.poll() is not None:
                    del open_[key]
                    error = '' if key in store else _last_error(store.log_path(key), process.returncode)
                    if error:
                        failed[key] = error
                    ended(run, error)
    finally:
        for _, process in open_.values():
            process.kill()
            process.wait()
    return failed


def _start(run: Run, store: RunStore, command: Command) -> subprocess.Popen:
    store.root.mkdir(parents=True, exist_ok=True)
    tool = resource_dir() / 'tools' / 'compare.py'
    with store.log_path(run.key).open('ab') as log:
        # the pipe's other end closes when this process ends, which ends the child (--child)
        return subprocess.Popen(
            [sys.executable, str(tool), *command.for_run(run.key), '--child'],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _last_error(log: Path, status: int | None) -> str:
    lines = []
    with suppress(OSError):
        lines = [line for line in log.read_text(encoding='utf-8', errors='replace').splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith('error: ')]
    text = errors[-1] if errors else f'error: the process ended with status {status}'
    return f'{text} (log: {log})'


def seconds_left(todo: Sequence[Run], seconds: Mapping[str, float], runs: Sequence[Run], jobs: int = 1) -> float | None:
    """How long the rest will take, from finished runs of the same method and k, else of the method, else of any.

    Args:
        todo: The rest.
        seconds: Key to duration of finished runs.
        runs: All runs.
        jobs: Runs side by side.

    Returns:
        Seconds; None before any run is finished.
    """
    if not seconds:
        return None
    known: dict[tuple, list[float]] = defaultdict(list)
    for run in {run.key: run for run in runs if run.key in seconds}.values():
        for group in ((run.method.name, run.k), (run.method.name,), ()):
            known[group].append(seconds[run.key])
    total = 0.0
    for run in todo:
        groups = (run.method.name, run.k), (run.method.name,), ()
        total += mean(next(known[group] for group in groups if group in known))
    return total / max(1, jobs)
