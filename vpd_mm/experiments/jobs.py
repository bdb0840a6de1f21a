"""Execute runs through submitit: in local processes, as Slurm arrays, or in this process."""

import argparse
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import submitit
import torch
from rich.console import Console
from submitit.core.utils import DelayedSubmission, UncompletedJobError, environment_variables

from ..engine.cli import error_line, leave_processes
from ..engine.progress import OnProgress, no_progress, progress_bar
from ..errors import UserError
from .plan import Plan, Run
from .run import execute
from .store import RunStore

EXECUTORS = ('local', 'slurm', 'debug')
_POLL_SEC = 0.1
_QUEUE_SEC = 10.0


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the tools that execute runs."""
    parser.add_argument('--executor', choices=EXECUTORS, default='local', help='processes here, Slurm, or this process')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='at most N runs at the same time')
    parser.add_argument('--gpus', type=int, default=1, help='GPUs of each training, a process each; others use one')
    parser.add_argument('--partition', default='', help='Slurm partition')
    parser.add_argument('--hours', type=float, default=24.0, help='Slurm time limit of a run, which then resumes')
    parser.add_argument('--print-jobs', nargs='?', const='sbatch', help=argparse.SUPPRESS)


def run_with_progress(plan: Plan, store: RunStore, args: argparse.Namespace) -> dict[str, str]:
    """:func:`run_missing` with a progress bar and a line for each run; ``args`` are of :func:`add_job_arguments`.

    Raises:
        UserError: ``--print-jobs`` is given.
    """
    if args.print_jobs:
        raise UserError('--print-jobs: removed in 0.2; use --executor slurm, which submits the runs itself')
    if args.jobs == 0:
        warnings.warn('--jobs 0 is deprecated since 0.2, removed in 0.3; use --executor debug', DeprecationWarning)
        args.jobs, args.executor = 1, 'debug'
    console = Console(stderr=True)

    def on_end(run: Run, error: str) -> None:
        if error:
            console.print(f'[red]failed[/red] {run.name}: {error}', soft_wrap=True, highlight=False)
        else:
            result = store[run.key]
            number = f'AP@0.5 {result["AP@0.5"]:.1f}' if 'AP@0.5' in result else f'top-1 {result["top1"]:.1f}'
            console.print(f'{run.name}: {number} % ({result["seconds"]:.0f} s)', highlight=False)

    options = {name: getattr(args, name) for name in ('executor', 'jobs', 'gpus', 'partition', 'hours')}
    with progress_bar('runs', 'runs', console) as on_progress:
        return run_missing(plan.runs, store, **options, on_progress=on_progress, on_end=on_end)


class RunJob:
    """A run as submitit calls it.

    Args:
        run: What to do.
        root: Folder of the :class:`RunStore`.
        parent: Process whose end ends this job; 0 = none.
    """

    def __init__(self, run: Run, root: Path, parent: int = 0) -> None:
        self.run, self.root, self.parent = run, root, parent

    def __call__(self) -> str:
        """Do the run.

        Returns:
            The error line; '' where the run is finished.
        """
        if self.parent:
            end_with(self.parent)
        try:
            launcher, rank = 'none', 0
            environment = submitit.JobEnvironment() if self.parent or 'SLURM_JOB_ID' in os.environ else None
            if environment is not None and environment.num_tasks > 1:
                submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
                launcher, rank = 'pytorch', environment.global_rank
            execute(self.run, RunStore(self.root), launcher, rank)
            leave_processes()
        except Exception as e:  # any: the other runs continue, and the caller reports
            traceback.print_exc()
            return error_line(e)
        return ''

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit when Slurm stops the job: queue it again, to resume from its last checkpoint."""
        return DelayedSubmission(self)


def end_with(parent: int) -> None:
    """End this process as soon as the process ``parent`` ends, however it ends."""
    if not hasattr(os, 'pidfd_open'):
        return
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)

    def wait() -> None:
        select.select([descriptor], [], [])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def run_missing(
    runs: Sequence[Run],
    store: RunStore,
    executor: str = 'local',
    jobs: int = 1,
    gpus: int = 1,
    partition: str = '',
    hours: float = 24.0,
    on_progress: OnProgress = no_progress,
    on_end: Callable[[Run, str], None] = lambda run, error: None,
) -> dict[str, str]:
    """Execute the runs that are not finished; one that fails or dies does not stop the others.

    Jobs of this machine end with this process, however it ends.  Slurm jobs are cancelled where it is
    interrupted.  Ensembles are computed in this process when their members are finished.

    Args:
        runs: Of one plan.
        store: Where results are kept.
        executor: 'local': a process each; 'slurm': an array of jobs; 'debug': one after the other in this process.
        jobs: At most so many at the same time.
        gpus: GPUs, and processes, of each training.
        partition, hours: Of Slurm.
        on_progress: Called with the number of runs that have ended, and of all.
        on_end: Called with a run and its error line, '' where it is finished.

    Returns:
        Key to error line of the runs that failed.
    """
    if jobs < 1 or gpus < 0:
        raise UserError(f'--jobs must be 1 or more and --gpus 0 or more, found {jobs} and {gpus}')
    distinct = {run.key: run for run in runs if run.key not in store}
    todo = [run for run in distinct.values() if not run.members]
    failed: dict[str, str] = {}
    ended: list[Run] = []
    on_progress(0, len(distinct))

    def end(run: Run, error: str) -> None:
        ended.append(run)
        if error:
            failed[run.key] = error
        on_end(run, error)
        on_progress(len(ended), len(distinct))

    if todo:
        folder = _private_folder(store.root.parent / 'jobs')
        _Queue(folder, store.root, executor, jobs, gpus, partition, hours).work(todo, store, end)
        for path in folder.iterdir():
            if not failed or not path.name.endswith(('.out', '.err')):  # logs of failed runs stay
                path.unlink()
        if not failed:
            folder.rmdir()
    for run in distinct.values():
        if run.members and all(member.key in store for member in run.members):
            end(run, RunJob(run, store.root)())
    return failed


class _Queue:
    """Jobs of submitit, at most so many at the same time."""

    def __init__(
        self, folder: Path, root: Path, executor: str, jobs: int, gpus: int, partition: str, hours: float
    ) -> None:
        self.folder, self.root, self.kind, self.jobs, self.gpus = folder, root, executor, jobs, gpus
        try:
            self.executor = submitit.AutoExecutor(folder, cluster=executor)
        except RuntimeError as e:
            raise UserError(f'--executor {executor}: {e}') from e
        minutes = max(1, round(60 * hours)) if executor == 'slurm' else 60 * 24 * 365
        self.executor.update_parameters(name='vpd_mm', timeout_min=minutes, stderr_to_stdout=True)
        if executor == 'slurm':
            self.executor.update_parameters(slurm_array_parallelism=jobs, slurm_partition=partition or None)
        visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(torch.cuda.device_count())))
        self.devices = [name for name in visible.split(',') if name]
        self.active: dict[int, tuple[Run, submitit.Job]] = {}
        self.queried = time.monotonic()

    def work(self, todo: Sequence[Run], store: RunStore, on_end: Callable[[Run, str], None]) -> None:
        """Execute runs until all have ended."""
        waiting = list(todo)
        try:
            while waiting or self.active:
                for batch in self._batches(waiting):
                    for run in batch:
                        waiting.remove(run)
                    self._submit(batch)
                time.sleep(0 if self.kind == 'debug' else _POLL_SEC)
                queued = self._queued()
                for slot, (run, job) in list(self.active.items()):
                    if job.done() or (queued is not None and job.job_id not in queued):
                        del self.active[slot]
                        on_end(run, '' if run.key in store else self._error(job))
        finally:
            for _, job in self.active.values():
                with suppress(OSError, subprocess.CalledProcessError):
                    job.cancel(check=False)

    def _batches(self, waiting: Sequence[Run]) -> list[list[Run]]:
        """Runs to submit now: to Slurm all, an array for each number of processes; else as many as fit."""
        if self.kind == 'slurm':
            several = [run for run in waiting if self._processes(run) > 1]
            return [batch for batch in (several, [run for run in waiting if run not in several]) if batch]
        limit = self.jobs if self.kind == 'local' else 1
        return [[run] for run in waiting[: max(0, limit - len(self.active))]]

    def _processes(self, run: Run) -> int:
        return max(1, self.gpus) if run.method.kind == 'train' else 1

    def _submit(self, batch: Sequence[Run]) -> None:
        processes = self._processes(batch[0])
        slots = [slot for slot in range(len(self.active) + len(batch)) if slot not in self.active][: len(batch)]
        if self.kind != 'debug':
            self.executor.update_parameters(tasks_per_node=processes, gpus_per_node=min(self.gpus, processes))
        if self.kind == 'local':
            first = slots[0] * processes
            devices = [self.devices[(first + i) % len(self.devices)] for i in range(processes) if self.devices]
            self.executor.parameters.update(visible_gpus=devices, gpus_per_node=len(devices))
        parent = os.getpid() if self.kind == 'local' else 0
        threads = {'OMP_NUM_THREADS': 1} if self.kind == 'local' else {}
        with environment_variables(**threads):
            jobs = self.executor.submit_array([RunJob(run, self.root.resolve(), parent) for run in batch])
        self.active |= dict(zip(slots, zip(batch, jobs, strict=True), strict=True))

    def _queued(self) -> set[str] | None:
        """Ids of this user's Slurm jobs, asked for now and then; None where they are not known.

        Without accounting (sacct), this is the only way to notice a job that was killed.
        """
        if self.kind != 'slurm' or time.monotonic() - self.queried < _QUEUE_SEC:
            return None
        self.queried = time.monotonic()
        done = subprocess.run(['squeue', '--me', '-h', '-r', '-o', '%i'], capture_output=True, text=True)
        return set(done.stdout.split()) if done.returncode == 0 else None

    def _error(self, job: submitit.Job) -> str:
        first = job.task(0)
        text = 'error: its process ended without a result: it was killed, or ran out of memory'
        if self.kind == 'debug' or first.paths.result_pickle.exists():
            try:
                text = first.result() or text
            except UncompletedJobError as e:
                text = f'error: {str(e).strip().splitlines()[-1]}'
        return text if self.kind == 'debug' else f'{text} (log: {first.paths.stdout})'


def _private_folder(parent: Path) -> Path:
    """A new folder that no other user can read or write: submitit's job files are pickles.

    Raises:
        UserError: ``parent`` belongs to another user.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise UserError(f'{parent}: belongs to another user; pass another --work-dir')
    parent.chmod(0o700)
    return Path(tempfile.mkdtemp(dir=parent)).resolve()
