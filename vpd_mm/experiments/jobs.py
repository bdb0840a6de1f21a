"""Execute runs through submitit: in local processes, as Slurm arrays, or in this process."""

import argparse
import itertools
import os
import subprocess
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import submitit
import torch
from submitit.core.utils import UncompletedJobError, environment_variables
from submitit.helpers import Checkpointable

from ..corpus import Corpus
from ..engine.cli import error_line, keep_freed_memory, leave_processes
from ..engine.console import PlainConsole
from ..engine.progress import OnProgress, no_progress, progress_bar
from ..errors import UserError, counted
from ..features.clip_summary import describe_splits
from ..files import atomic_write, check_no_link, read_text
from .plan import Plan, Run
from .run import execute
from .store import RunStore

EXECUTORS = ('local', 'slurm', 'debug')
_POLL_SEC = 0.1
_SQUEUE_SEC = 10.0

OnEnd = Callable[[Run, str], None]


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the tools that execute runs."""
    parser.add_argument('--executor', choices=EXECUTORS, default='local', help='processes here, Slurm, or this process')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='at most N jobs at the same time')
    parser.add_argument('--gpus', type=int, default=1, help='GPUs, and processes, of each training; others use one')
    parser.add_argument('--partition', default='', help='Slurm partition')
    parser.add_argument('--hours', type=float, default=24.0, help='Slurm time limit of a job, which then resumes')
    parser.add_argument('--print-jobs', nargs='?', const='sbatch', help=argparse.SUPPRESS)


def run_with_progress(plan: Plan, store: RunStore, args: argparse.Namespace) -> dict[str, str]:
    """:func:`run_missing` with a progress bar and a line for each run; ``args`` are of :func:`add_job_arguments`."""
    if args.print_jobs:
        raise UserError('--print-jobs: removed in 0.2; use --executor slurm, which submits the runs itself')
    console = PlainConsole(stderr=True)

    def on_end(run: Run, error: str) -> None:
        if error:
            console.print(f'failed {run.name}: {error}', style='red', soft_wrap=True)
        else:
            result = store[run.key]
            names = {'top1': 'top-1', 'AP@0.5': 'AP@0.5', 'P@1': 'P@1'}
            number = next(f'{title} {result[name]:.1f}' for name, title in names.items() if name in result)
            console.print(f'{run.name}: {number} % ({result["seconds"]:.0f} s)')

    options = {name: getattr(args, name) for name in ('executor', 'jobs', 'gpus', 'partition', 'hours')}
    keys = {run.key for run in plan.runs}
    left = sum(key not in store for key in keys)
    console.print(f'{left} of {counted(len(keys), "run")} to do; finished ones are kept in {store.root}')
    warnings = _describe(plan, console)
    with progress_bar('done', 'runs', console) as on_progress:
        failed = run_missing(plan.runs, store, **options, on_progress=on_progress, on_end=on_end)
    for line in warnings:  # after the runs, where the table follows
        console.print(f'warning: {line}', style='yellow', soft_wrap=True)
    return failed


def _describe(plan: Plan, console: PlainConsole) -> list[str]:
    """Print what is tested, and return the warnings about it."""
    features: dict[str, set[str]] = {}
    for run in plan.runs:
        if run.method.kind in ('train', 'nearest', 'retrieve'):
            features.setdefault(run.corpus, set()).update({run.features} - {''})
    warnings = []
    for root, names in features.items():
        lines, doubts = describe_splits(Corpus.open(root), sorted(names))
        for line in lines:
            console.print(f'{root}: {line}')
        warnings += [f'{root}: {line}' for line in doubts]
    return warnings


def run_missing(
    runs: Sequence[Run],
    store: RunStore,
    executor: str = 'local',
    jobs: int = 1,
    gpus: int = 1,
    partition: str = '',
    hours: float = 24.0,
    on_progress: OnProgress = no_progress,
    on_end: OnEnd = lambda run, error: None,
) -> dict[str, str]:
    """Execute the runs that are not finished; one that fails or whose process dies does not stop the others.

    Jobs on this machine end with this process, however it ends; Slurm jobs are cancelled where it is interrupted.
    Ensembles are computed in this process when their members are finished.

    Args:
        runs, store: Runs of a plan, and where their results are kept.
        executor: 'local': processes, each for run after run; 'slurm': an array of jobs; 'debug': this process.
        jobs: At most so many at the same time.
        gpus: GPUs, and processes, of each training.
        partition, hours: Of Slurm.
        on_progress: Called when a run ends, and about once a second with the parts of the current trainings.
        on_end: Called with a run and its error line, '' where it is finished.

    Returns:
        Key to error line of the runs that failed.
    """
    if jobs < 1 or gpus < 0:
        raise UserError(f'--jobs must be 1 or more and --gpus 0 or more, found {jobs} and {gpus}')
    missing = {run.key: run for run in runs if run.key not in store}
    failed: dict[str, str] = {}
    ended: set[str] = set()

    def end(run: Run, error: str) -> None:
        ended.add(run.key)
        if error:
            failed[run.key] = error
        on_end(run, error)
        on_progress(len(ended), len(missing))

    on_progress(0, len(missing))
    singles = [run for run in missing.values() if not run.members]
    if singles:
        folder = _private_folder(store.root.parent / 'jobs')
        queue = _Queue(folder, store, executor, jobs, gpus, partition, hours)
        queue.work(singles, end, lambda part: on_progress(len(ended) + part, len(missing)))
        for path in folder.iterdir():
            if path.suffix not in ('.out', '.err') or not failed:  # logs stay where a run failed
                path.unlink()
        if not failed:
            folder.rmdir()
    for run in missing.values():
        if run.members and all(member.key in store for member in run.members):
            end(run, _try(run, store))
    return failed


@dataclass
class RunJob(Checkpointable):
    """Runs, one after the other, that no other job has taken; Slurm queues a stopped job again, and trainings resume.

    ``root`` is the folder of the :class:`RunStore`, ``folder`` that of the marks of :func:`_take` and of
    ``<key>.error``, the error line of a run that failed; the end of the process ``parent`` ends this one (0 = none).
    """

    runs: Sequence[Run]
    root: Path
    folder: Path
    parent: int = 0

    def __call__(self) -> None:
        if self.parent:
            end_with(self.parent)
        keep_freed_memory()
        launcher, rank = 'none', 0
        environment = submitit.JobEnvironment()
        if environment.num_tasks > 1:
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
            launcher, rank = 'pytorch', environment.global_rank
        for run in self.runs:
            if not _take(self.folder, run, environment.job_id):
                continue
            on_progress = _progress_file(self.folder / f'{run.key}.progress') if rank == 0 else no_progress
            if error := _try(run, RunStore(self.root), launcher, rank, on_progress):
                with atomic_write(self.folder / f'{run.key}.error', 'w') as f:
                    f.write(error)


def _take(folder: Path, run: Run, job_id: str) -> bool:
    """Take a run for a job: rename its mark ``<key>.waiting``, which only one job can, to ``<key>.<job id>``.

    True in all processes of that job, also where Slurm starts them again.
    """
    taken = folder / f'{run.key}.{job_id}'
    with suppress(FileNotFoundError):
        (folder / f'{run.key}.waiting').rename(taken)
    return taken.is_file()


def _progress_file(path: Path) -> OnProgress:
    """Write the share that is done to a file, at most once a second."""
    written = 0.0

    def on_progress(done: float, total: int) -> None:
        nonlocal written
        if time.monotonic() - written >= 1:
            written = time.monotonic()
            with atomic_write(path, 'w') as f:
                f.write(str(done / total))

    return on_progress


def _try(
    run: Run, store: RunStore, launcher: str = 'none', rank: int = 0, on_progress: OnProgress = no_progress
) -> str:
    """Do a run; returns its error line, '' where it is finished."""
    try:
        execute(run, store, launcher, rank, on_progress)
        leave_processes()
    except Exception as e:  # any: the other runs continue
        traceback.print_exc()
        return error_line(e)
    return ''


def end_with(parent: int) -> None:
    """End this process as soon as the process ``parent`` ends, however it ends (Linux)."""
    if hasattr(os, 'pidfd_open'):
        import select
        import signal

        try:
            descriptor = os.pidfd_open(parent)
        except ProcessLookupError:
            os._exit(1)

        def wait() -> None:
            select.select([descriptor], [], [])
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=wait, daemon=True).start()


class _Queue:
    """Jobs of submitit, at most so many at the same time."""

    def __init__(
        self, folder: Path, store: RunStore, executor: str, jobs: int, gpus: int, partition: str, hours: float
    ) -> None:
        self.folder, self.store, self.kind, self.gpus = folder, store, executor, gpus
        self.jobs = 1 if executor == 'debug' else jobs
        try:
            self.executor = submitit.AutoExecutor(folder, cluster=executor)
        except RuntimeError as e:  # no srun
            raise UserError(f'--executor {executor}: {e}') from e
        minutes = max(1, round(60 * hours)) if executor == 'slurm' else 60 * 24 * 365
        self.executor.update_parameters(name='vpd_mm', timeout_min=minutes, stderr_to_stdout=True)
        if executor == 'slurm':
            self.executor.update_parameters(slurm_array_parallelism=jobs, slurm_partition=partition or None)
        visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(map(str, range(torch.cuda.device_count())))
        self.devices = [name for name in visible.split(',') if name]
        self.active: dict[int, tuple[list[Run], submitit.Job]] = {}
        self.asked, self.absent, self.gone = time.monotonic(), set[str](), set[str]()

    def work(self, runs: Sequence[Run], on_end: OnEnd, on_part: Callable[[float], None]) -> None:
        """Execute runs until all have ended; ``on_part`` gets the sum of the shares that are done of active ones."""
        waiting, left = list(runs), {run.key: run for run in runs}
        for run in runs:
            (self.folder / f'{run.key}.waiting').touch()
        asked = time.monotonic()
        try:
            while waiting or self.active:
                if waiting and (len(self.active) < self.jobs or self.kind == 'slurm'):
                    self._submit(waiting)
                time.sleep(0 if self.kind == 'debug' else _POLL_SEC)
                self._ask_slurm()
                over = {slot for slot, (_, job) in self.active.items() if self._is_over(job)}
                names, part = {path.name for path in self.folder.iterdir()}, 0.0  # read after the end of those jobs
                again: dict[str, Run] = {}
                for slot, (batch, job) in list(self.active.items()):
                    batch[:] = [run for run in batch if run.key in left]
                    taken = [run for run in batch if f'{run.key}.{job.job_id}' in names]
                    untaken = [run for run in batch if f'{run.key}.waiting' in names] if slot in over else []
                    if untaken and not taken and _take(self.folder, untaken[0], job.job_id):
                        taken = [untaken.pop(0)]  # the process died before it took one
                    for run in taken:
                        error = read_text(self.folder / f'{run.key}.error') if f'{run.key}.error' in names else ''
                        if not error and slot in over and run.key not in self.store:
                            error = _last_words(job)
                        if error or run.key in self.store:
                            del left[run.key]
                            on_end(run, f'{error} (log: {job.task(0).paths.stdout})' if error else '')
                        else:
                            part += self._part(run)
                    if slot in over:
                        del self.active[slot]
                        again |= {run.key: run for run in untaken}  # each once: jobs that end together share them
                waiting[:0] = [run for key, run in again.items() if key in left]
                if time.monotonic() - asked >= 1:
                    asked = time.monotonic()
                    on_part(part)
        finally:
            for _, job in self.active.values():
                with suppress(OSError, subprocess.CalledProcessError):
                    job.cancel(check=False)

    def _submit(self, waiting: list[Run]) -> None:
        """Submit jobs for the next runs of the same number of processes; those of one process share their runs."""

        def num_processes(run: Run) -> int:
            return max(1, self.gpus) if run.method.kind == 'train' else 1

        processes = num_processes(waiting[0])
        batches = [[run] for run in waiting if num_processes(run) == processes]
        if self.kind == 'local' and processes == 1:
            shared = [run for [run] in batches]
            batches = [list(shared) for _ in shared[: self.jobs - len(self.active)]]
        elif self.kind != 'slurm':
            del batches[1:]
        parent, threads = 0, {}
        if self.kind != 'debug':
            self.executor.update_parameters(tasks_per_node=processes, gpus_per_node=min(self.gpus, processes))
        if self.kind == 'local':
            parent, threads = os.getpid(), {'OMP_NUM_THREADS': 1}
        root, free = self.store.root.resolve(), (slot for slot in itertools.count() if slot not in self.active)
        for group in [batches] if self.kind == 'slurm' else [[batch] for batch in batches]:
            slots = list(itertools.islice(free, len(group)))
            if self.kind == 'local':
                first = slots[0] * processes
                count = min(self.gpus, processes) if self.devices else 0
                devices = [self.devices[(first + i) % len(self.devices)] for i in range(count)]
                self.executor.parameters.update(visible_gpus=devices, gpus_per_node=count)
            with environment_variables(**threads):
                jobs = self.executor.submit_array([RunJob(batch, root, self.folder, parent) for batch in group])
            self.active |= dict(zip(slots, zip(group, jobs, strict=True), strict=True))
        submitted = {run.key for batch in batches for run in batch}
        waiting[:] = [run for run in waiting if run.key not in submitted]

    def _part(self, run: Run) -> float:
        path = self.folder / f'{run.key}.progress'
        return float(read_text(path)) if path.is_file() else 0.0

    def _is_over(self, job: submitit.Job) -> bool:
        if self.kind != 'slurm':
            return job.done()
        tasks = [job.task(i) for i in range(job.num_tasks)]
        return all(task.paths.result_pickle.exists() for task in tasks) or job.job_id in self.gone

    def _ask_slurm(self) -> None:
        """Note, now and then, which jobs left the queue; squeue knows it on clusters without accounting, too."""
        if self.kind == 'slurm' and time.monotonic() - self.asked > _SQUEUE_SEC:
            self.asked = time.monotonic()
            command = ['squeue', '--me', '-h', '-r', '-o', '%i']  # looked up as submitit does with its commands
            done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  constant words
            if done.returncode == 0:
                absent = {job.job_id for _, job in self.active.values()} - set(done.stdout.split())
                # absent twice: the results of a job may appear late on a network file system
                self.gone, self.absent = absent & self.absent, absent


def _last_words(job: submitit.Job) -> str:
    """The error line of a job that did not finish its runs."""
    if job.task(0).paths.result_pickle.exists():
        try:
            job.task(0).result()
        except UncompletedJobError as e:
            lines = [line for line in str(e).splitlines() if 'Error' in line]
            return f'error: {lines[-1] if lines else e}'
    return 'error: its process ended without a result: it was killed, or memory ran out'


def _private_folder(parent: Path) -> Path:
    """A new folder that no other user can read or write: the job files of submitit are pickles."""
    check_no_link(parent)
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, 'getuid') and parent.stat().st_uid != os.getuid():
        raise UserError(f'{parent}: belongs to another user; pass another --work-dir')
    parent.chmod(0o700)
    return Path(tempfile.mkdtemp(dir=parent)).resolve()
