"""Prepare videos in several processes; a process that dies costs one video, not the run."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2

from ..corpus import CropWriter
from ..engine.progress import OnProgress, ProgressBars
from ..errors import one_line
from .options import PrepareSettings
from .report import VideoReport
from .sources import Job
from .video_preparer import VideoPreparer

_POLL_SEC = 0.25


def run_jobs(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars
) -> Iterator[tuple[Job, list[VideoReport]]]:
    """Prepare every job, in this process with one shard, else in one process per shard; ``bars`` show the progress.

    Yields each job and its reports, as soon as it is finished.  Raises SetupError where no video can be prepared.
    """
    if len(shards) > 1:
        yield from _run_in_processes(jobs, settings, shards, bars)
        return
    with CropWriter(shards[0]) as writer:
        preparer = VideoPreparer(settings, writer)
        for job in jobs:
            on_progress = bars.add(one_line(job.name), 'frames')
            reports = preparer.prepare(job, on_progress)
            on_progress(1, 1)
            yield job, reports


def _run_in_processes(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars
) -> Iterator[tuple[Job, list[VideoReport]]]:
    workers = [_Worker(settings, shard) for shard in shards]
    waiting, idle = deque(jobs), deque(workers)
    running: dict[Future, tuple[_Worker, Job, OnProgress]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, job = idle.popleft(), waiting.popleft()
                running[worker.submit(job)] = worker, job, bars.add(one_line(job.name), 'frames')
            finished, _ = wait(running, _POLL_SEC, FIRST_COMPLETED)
            for worker, _, on_progress in running.values():
                on_progress(*worker.progress)
            for future in finished:
                worker, job, on_progress = running.pop(future)
                on_progress(1, 1)
                reports = worker.result(future, job)
                idle.append(worker)
                yield job, reports
    finally:
        for worker in workers:
            worker.kill()


class _Worker:
    """An executor of one process, which writes one shard; it is started again after the process died.

    The process ends when the other end of its pipe is closed: by :meth:`kill`, or because the parent ended.  Progress
    (frames done, number of frames) lies in shared memory without a lock.
    """

    def __init__(self, settings: PrepareSettings, shard: Path) -> None:
        self._settings, self._shard = settings, shard
        self._context = multiprocessing.get_context('spawn')
        self.progress = self._context.RawArray('q', 2)
        self._executor: ProcessPoolExecutor | None = None

    def submit(self, job: Job) -> Future:
        if self._executor is None:
            theirs, self._pipe = self._context.Pipe(duplex=False)
            arguments = self._settings, self._shard, theirs, self.progress
            self._executor = ProcessPoolExecutor(1, self._context, _start_process, arguments)
        self.progress[:] = 0, 0
        return self._executor.submit(_prepare, job)

    def result(self, future: Future, job: Job) -> list[VideoReport]:
        """Return the reports of a finished job; a process that died gives one with that error."""
        try:
            return future.result()
        except BrokenProcessPool:
            self.kill()
            error = 'its worker process died, often because memory ran out; run again with fewer --workers'
            return [VideoReport(job.name, failures=[f'{job.path}: {error}'])]

    def kill(self) -> None:
        if self._executor is not None:
            self._pipe.close()
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


#: Arguments of :func:`_start_process`, in a worker process.
_settings: PrepareSettings
_shard: Path
_progress: Any


def _start_process(settings: PrepareSettings, shard: Path, pipe: Connection, progress: Any) -> None:
    global _settings, _shard, _progress

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            pipe.recv()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _settings, _shard, _progress = settings, shard, progress


@cache
def _open_preparer() -> VideoPreparer:
    """Open the shard with the first video: an error then reaches the parent."""
    return VideoPreparer(_settings, CropWriter(_shard))


def _prepare(job: Job) -> list[VideoReport]:
    def on_progress(done: float, total: int) -> None:
        _progress[:] = int(done), total

    return _open_preparer().prepare(job, on_progress)
