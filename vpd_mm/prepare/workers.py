"""Spread video files over processes; a dead process costs one video, not the run."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import cv2

from ..errors import UserError
from .options import PrepareSettings, SetupError
from .report import VideoReport
from .video_preparer import Job, VideoPreparer

OnFrames = Callable[[str, int, int], None]
OnFinished = Callable[[str, list[VideoReport]], None]


def run_jobs(
    jobs: Sequence[Job],
    settings: PrepareSettings,
    shards: Sequence[str],
    on_frames: OnFrames,
    on_finished: OnFinished,
) -> None:
    """Prepare every job; one process a shard, this one where there is one shard.

    Args:
        jobs: The video files.
        settings: What is asked for.
        shards: Names of the shard files to write.
        on_frames: Called with (video, frames done, frames in all).
        on_finished: Called with (video, reports).

    Raises:
        SetupError: no video can be done.
    """
    if len(shards) > 1:
        _Pool(jobs, settings, shards, on_frames, on_finished).run()
        return
    with VideoPreparer(settings, shards[0]) as preparer:
        for job in jobs:
            name = job.path.stem
            on_finished(name, preparer.prepare(job, lambda done, total, name=name: on_frames(name, done, total)))


class _Pool:
    """A pipe to every process: no shared queue whose lock a killed process could take along."""

    def __init__(self, jobs, settings, shards, on_frames: OnFrames, on_finished: OnFinished) -> None:
        self._waiting = deque(jobs)
        self._on_frames, self._on_finished = on_frames, on_finished
        context = multiprocessing.get_context('spawn')
        self._working: dict[Connection, Job] = {}
        self._processes: dict[Connection, multiprocessing.process.BaseProcess] = {}
        for shard in shards[: len(jobs)]:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(settings, shard, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes[ours] = process

    def run(self) -> None:
        try:
            for connection in list(self._processes):
                self._next(connection)
            while self._working:
                for ready in wait(list(self._working)):
                    assert isinstance(ready, Connection)
                    self._receive(ready)
            for job in self._waiting:
                self._fail(job, 'not started, every worker process had died; run again with fewer --workers')
        finally:
            for connection, process in self._processes.items():
                connection.close()
                process.join(timeout=5)
                if process.is_alive():
                    process.terminate()

    def _next(self, connection: Connection) -> None:
        self._working.pop(connection, None)
        if self._waiting:
            job = self._waiting.popleft()
            self._working[connection] = job
            try:
                connection.send(job)
            except OSError:  # it died meanwhile: the next receive says so
                return

    def _receive(self, connection: Connection) -> None:
        job = self._working[connection]
        try:
            kind, *content = connection.recv()
        except (EOFError, OSError):
            process = self._processes[connection]
            process.join(timeout=5)
            del self._working[connection]
            why = f'its worker process died (exit status {process.exitcode}; -9: killed, often for want of memory)'
            self._fail(job, f'{why}; run again with fewer --workers')
            return
        if kind == 'frames':
            self._on_frames(job.path.stem, *content)
        elif kind == 'setup':
            raise SetupError(content[0])
        else:
            self._on_finished(job.path.stem, content[0])
            self._next(connection)

    def _fail(self, job: Job, line: str) -> None:
        self._on_finished(job.path.stem, [VideoReport(job.path.stem, failures=[f'{job.path}: {line}'])])


def _serve(settings: PrepareSettings, shard: str, connection: Connection) -> None:
    """A worker process: jobs come, reports go; it ends when its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            with VideoPreparer(settings, shard) as preparer:
                while True:
                    job = connection.recv()
                    reports = preparer.prepare(job, lambda done, total: connection.send(('frames', done, total)))
                    connection.send(('finished', reports))
        except UserError as e:
            connection.send(('setup', str(e)))
