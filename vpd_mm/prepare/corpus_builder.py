"""Build a corpus from videos, in one or several processes."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console

from ..corpus import Corpus, CropWriter
from ..corpus.shard import ENVIRONMENTS, unfinished_videos
from ..engine.cli import launcher_rank
from ..engine.progress import OnProgress, ProgressBars, no_progress
from ..errors import UserError
from .options import PrepareSettings
from .report import PrepareReport, VideoReport, disk_bytes
from .sources import Job, find_videos, list_jobs, settle_sources
from .video_preparer import VideoPreparer


def build_corpus(
    videos: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    name: str | None = None,
    sport: str = '',
    boxes: str | None = None,
    tracker: Mapping | None = None,
    workers: int = 1,
    console: Console | None = None,
    on_progress: OnProgress = no_progress,
    **options: Any,
) -> PrepareReport:
    """Add videos to a corpus; existing results are kept, missing and stale ones are made.

    Under a launcher (torchrun, srun, mpirun) every rank prepares its share of the videos and writes its own shards.
    A video that fails does not stop the others; the report lists it.

    Args:
        videos: Video files, or folders that are searched for them.
        out: Folder of the corpus, created when missing.
        name: Name of the corpus; None = name of the folder.
        sport: Stored in corpus.json.
        boxes: As of :class:`PrepareSettings`; None = keep existing tracks, ``full`` for videos without.
        tracker: Rules of the tracker.
        workers: Number of processes; each writes one shard.
        console: Shows progress and one line per video; None = nothing is shown.
        on_progress: Called with (videos done, number of videos) at the start and after every video.
        options: The other arguments of :class:`PrepareSettings`.

    Returns:
        One report per athlete and video, in the order of the files.

    Raises:
        UserError: the run cannot start: an option is not valid, two videos share a name, the corpus is locked, a
            model cannot be built, or videos were prepared with other boxes, rules or poses.
    """
    start = time.monotonic()
    if workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers}')
    settings = PrepareSettings(Path(out), 'full' if boxes is None else boxes, tracker=dict(tracker or {}), **options)
    files = find_videos(videos)
    rank, world = launcher_rank()
    corpus = Corpus.create(out, name, sport, settings.fps)
    with corpus.lock(rank, world):
        _remove_unfinished(corpus.crops_dir, rank, world)
        jobs = list_jobs(files, corpus.videos())
        jobs = settle_sources(corpus, settings, jobs, boxes_given=boxes is not None or bool(tracker), world=world)
        jobs = jobs[rank::world]
        num_shards = min(workers, max(len(jobs), 1))
        shards = [corpus.crops_dir / f'shard-{rank:03d}-{worker:02d}.lmdb' for worker in range(num_shards)]
        reports: dict[str, list[VideoReport]] = {}
        with ProgressBars(console or Console(quiet=True)) as bars:
            on_video = bars.add('videos', 'videos')
            on_video(0, len(jobs))
            on_progress(0, len(jobs))
            for job, results in run_jobs(jobs, settings, shards, bars):
                reports[job.name] = results
                for report in results:
                    style = 'red' if report.failures else None
                    bars.console.print(report.line(), style=style, markup=False, highlight=False, soft_wrap=True)
                on_video(len(reports), len(jobs))
                on_progress(len(reports), len(jobs))
        ordered = [report for job in jobs for report in reports[job.name]]
        return PrepareReport(ordered, disk_bytes(corpus.crops_dir), time.monotonic() - start)


def _remove_unfinished(crops_dir: Path, rank: int, world: int) -> None:
    """Remove what an interrupted run left in the shards, including those of other workers."""
    for path in sorted(crops_dir.glob('shard-*.lmdb' if world == 1 else f'shard-{rank:03d}-*.lmdb')):
        if unfinished_videos(path):
            CropWriter(path).close()
        ENVIRONMENTS.close(path)


def run_jobs(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars
) -> Iterator[tuple[Job, list[VideoReport]]]:
    """Prepare every job: in this process with one shard, else in one process per shard.

    Args:
        jobs: The video files.
        settings: Options of the run.
        shards: The shard files to write.
        bars: Show the progress of each video.

    Yields:
        Each job and its reports, as soon as it is finished.

    Raises:
        SetupError: no video can be prepared.
    """
    if len(shards) > 1:
        yield from _run_in_processes(jobs, settings, shards, bars)
        return
    with CropWriter(shards[0]) as writer:
        preparer = VideoPreparer(settings, writer)
        for job in jobs:
            on_progress = bars.add(job.name, 'frames')
            reports = preparer.prepare(job, on_progress)
            on_progress(1, 1)
            yield job, reports


def _run_in_processes(
    jobs: Sequence[Job], settings: PrepareSettings, shards: Sequence[Path], bars: ProgressBars
) -> Iterator[tuple[Job, list[VideoReport]]]:
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
                idle.append(shard)
                yield job, message
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
