"""Prepare videos in several processes; a process that dies costs one video, not the run."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2

from ..corpus import CropWriter
from ..engine.progress import OnProgress, ProgressBars
from .options import PrepareSettings
from .report import VideoReport
from .sources import Job
from .video_preparer import VideoPreparer

OnResult = Callable[[Job, list[VideoReport]], None]


def run_jobs(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars, on_result: OnResult
) -> None:
    """Prepare every job: in this process with one shard, else in one process per shard.

    Args:
        jobs: The video files.
        settings: Options of the run.
        shards: The shard files to write.
        bars: Show the progress of each video.
        on_result: Called with every finished job and its reports.

    Raises:
        SetupError: no video can be prepared.
    """
    if len(shards) > 1:
        _run_in_processes(jobs, settings, shards, bars, on_result)
        return
    with CropWriter(shards[0]) as writer:
        preparer = VideoPreparer(settings, writer)
        for job in jobs:
            on_progress = bars.add(job.name, 'frames')
            on_result(job, preparer.prepare(job, on_progress))
            on_progress(1, 1)


def _run_in_processes(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars, on_result: OnResult
) -> None:
    waiting, idle = deque(jobs), deque(shards)
    context = multiprocessing.get_context('spawn')
    processes: dict[Path, tuple[BaseProcess, Connection]] = {}
    running: dict[Connection, tuple[Path, Job, OnProgress]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                shard, job = idle.popleft(), waiting.popleft()
                if shard not in processes:
                    pipe, theirs = context.Pipe()
                    process: BaseProcess = context.Process(target=_work, args=(settings, shard, theirs), daemon=True)
                    process.start()
                    theirs.close()
                    processes[shard] = process, pipe
                pipe = processes[shard][1]
                pipe.send(job)
                running[pipe] = shard, job, bars.add(job.name, 'frames')
            wait(list(running))
            for pipe in [pipe for pipe in running if pipe.poll()]:
                shard, job, on_progress = running[pipe]
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    processes.pop(shard)[0].join()
                    error = 'its worker process died, often because memory ran out; run again with fewer --workers'
                    message = [VideoReport(job.name, failures=[f'{job.path}: {error}'])]
                if isinstance(message, Exception):
                    raise message
                if isinstance(message, tuple):
                    on_progress(*message)
                    continue
                del running[pipe]
                on_progress(1, 1)
                on_result(job, message)
                idle.append(shard)
    finally:
        for process, _ in processes.values():
            process.terminate()
        for process, _ in processes.values():
            process.join()


def _work(settings: PrepareSettings, shard: Path, pipe: Connection) -> None:
    """Prepare the jobs that come through ``pipe``; send (frames done, number of frames), then reports or an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        with CropWriter(shard) as writer:
            preparer = VideoPreparer(settings, writer)
            while True:
                pipe.send(preparer.prepare(pipe.recv(), lambda done, total: pipe.send((done, total))))
    except Exception as e:
        with suppress(OSError):
            pipe.send(e)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
