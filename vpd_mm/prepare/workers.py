"""Prepare videos in several processes; a process that dies costs one video, not the run."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import cv2

from ..engine.progress import OnProgress, ProgressBars
from .options import PrepareSettings
from .report import VideoReport
from .sources import Job
from .video_preparer import VideoPreparer

OnResult = Callable[[Job, list[VideoReport]], None]

_POLL_SEC = 0.25


def run_jobs(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[str], bars: ProgressBars, on_result: OnResult
) -> None:
    """Prepare every job: in this process with one shard, else in one process per shard.

    Args:
        jobs: The video files.
        settings: Options of the run.
        shards: Names of the shard files to write.
        bars: Show the progress of each video.
        on_result: Called with every finished job and its reports.

    Raises:
        SetupError: no video can be prepared.
    """
    if len(shards) > 1:
        _run_in_processes(jobs, settings, shards, bars, on_result)
        return
    with VideoPreparer(settings, shards[0]) as preparer:
        for job in jobs:
            on_progress = bars.add(job.name, 'frames')
            on_result(job, preparer.prepare(job, on_progress))
            on_progress(1, 1)


def _run_in_processes(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[str], bars: ProgressBars, on_result: OnResult
) -> None:
    waiting = deque(jobs)
    workers = [_Worker(settings, shard) for shard in shards]
    idle = deque(workers)
    running: dict[Future, tuple[_Worker, Job, OnProgress]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                worker, job = idle.popleft(), waiting.popleft()
                running[worker.submit(job)] = worker, job, bars.add(job.name, 'frames')
            finished, _ = wait(running, _POLL_SEC, FIRST_COMPLETED)
            for worker, _, on_progress in running.values():
                on_progress(*worker.progress)
            for future in finished:
                worker, job, on_progress = running.pop(future)
                on_progress(1, 1)
                on_result(job, worker.result(future, job))
                idle.append(worker)
    finally:
        for worker in workers:
            worker.kill()


class _Worker:
    """One process that writes one shard; it is started again after it died.

    The process ends when the other end of its pipe is closed: by :meth:`kill`, or because the parent ended.

    Attributes:
        progress: Frames done and number of frames of the current video, in shared memory without a lock.
    """

    def __init__(self, settings: PrepareSettings, shard: str) -> None:
        self._settings, self._shard = settings, shard
        self._context = multiprocessing.get_context('spawn')
        self.progress = self._context.RawArray('q', 2)
        self._executor: ProcessPoolExecutor | None = None
        self._pipe: Connection | None = None

    def submit(self, job: Job) -> 'Future[list[VideoReport]]':
        """Start to prepare ``job``."""
        if self._executor is None:
            theirs, self._pipe = self._context.Pipe(duplex=False)
            self._executor = ProcessPoolExecutor(
                1, self._context, _start_process, (self._settings, self._shard, theirs, self.progress)
            )
        self.progress[:] = (0, 0)
        return self._executor.submit(_prepare, job)

    def result(self, future: 'Future[list[VideoReport]]', job: Job) -> list[VideoReport]:
        """Return the reports of a finished job; if the process died, one with that error.

        Raises:
            SetupError: no video can be prepared.
        """
        try:
            return future.result()
        except BrokenProcessPool:
            self.kill()
            error = 'its worker process died, often because memory ran out; run again with fewer --workers'
            return [VideoReport(job.name, failures=[f'{job.path}: {error}'])]

    def kill(self) -> None:
        """End the process, where it runs."""
        if self._executor is not None and self._pipe is not None:
            self._pipe.close()
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


#: Set in a worker process: what prepares its videos, and the shared progress.
_preparer: VideoPreparer
_progress: Any


def _start_process(settings: PrepareSettings, shard: str, pipe: Connection, progress: Any) -> None:
    """Initialize a worker process."""
    global _preparer, _progress

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            pipe.recv()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _preparer, _progress = VideoPreparer(settings, shard), progress


def _prepare(job: Job) -> list[VideoReport]:
    """Prepare a video in a worker process."""

    def on_progress(done: int, total: int) -> None:
        _progress[:] = done, total

    return _preparer.prepare(job, on_progress)
