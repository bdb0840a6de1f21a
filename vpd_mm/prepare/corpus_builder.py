"""Build a corpus from videos."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..athlete import VideoReader
from ..athlete.track_rules import build_tracker
from ..corpus import Corpus, CropWriter
from ..corpus.consistency import changed_inputs, orphans
from ..corpus.shard import ENVIRONMENTS, unfinished_videos
from ..engine.cli import launcher_ranks
from ..engine.console import PlainConsole
from ..engine.progress import OnProgress, ProgressBars, no_progress
from ..errors import UserError, counted, one_line
from ..files import list_folder
from .models import fetch_models
from .options import DEFAULT_BOXES, DEFAULT_POSES, PrepareSettings
from .recipe import recipe_of, record_recipe
from .report import PrepareReport, VideoReport, disk_bytes
from .sources import Job, find_videos, jobs_named, list_jobs, missing_sources, settle_sources
from .workers import run_jobs


def build_corpus(
    videos: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    name: str | None = None,
    sport: str = '',
    boxes: str | None = None,
    poses: str | None = None,
    tracker: Mapping | None = None,
    workers: int = 1,
    overwrite: bool = False,
    redo: Sequence[str] = (),
    console: PlainConsole | None = None,
    on_progress: OnProgress = no_progress,
    **options: Any,
) -> PrepareReport:
    """Add videos to a corpus; existing results are kept, missing and stale ones are made.

    Under a launcher (torchrun, srun, mpirun) every rank prepares its share of the videos and writes its own shards.
    A video that fails does not stop the others; the report lists it.

    Args:
        videos, out: Video files, or folders that are searched for them; folder of the corpus, created when missing.
        name, sport: Of the corpus; None = name of the folder.
        boxes, poses: As of :class:`PrepareSettings`; None = keep the tracks, and the poses of any set, of each video;
            a video without them gets those of ``DEFAULT_BOXES`` and ``DEFAULT_POSES``.
        tracker: Rules of the tracker.
        workers: Number of processes; each writes one shard.
        overwrite: Make tracks, crops and poses again that were made of other boxes, rules, poses or options.
        redo: Names of videos or files whose tracks, crops and poses are made again, also where they were left out.
        console: Shows progress and one line per video; None = nothing is shown.
        on_progress: Called with (videos done, number of videos) at the start and after every video.
        options: The other arguments of :class:`PrepareSettings`.

    Returns:
        One report per athlete and video, in the order of the files.

    Raises UserError where the run cannot start: an option is not valid, the corpus is locked, weights cannot be
    downloaded, a model cannot be built, or videos were prepared with other boxes, rules or poses, without
    ``overwrite``.
    """
    start = time.monotonic()
    if workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers}')
    boxes_given, poses_given = boxes is not None or bool(tracker), poses is not None
    boxes, poses = DEFAULT_BOXES if boxes is None else boxes, DEFAULT_POSES if poses is None else poses
    settings = PrepareSettings(Path(out), boxes, poses, tracker=dict(tracker or {}), **options)
    if tracker and not settings.boxes_by_model:
        raise UserError(f'--track: rules choose among detections, and boxes {boxes} have none; omit --track')
    files, recipe = find_videos(videos), recipe_of(settings)
    if not any(map(os.path.lexists, files)):
        raise UserError(f'{files[0]}: no such file or folder')
    if 'every' in settings.tracker:
        _check_interval(settings, files)
    rank, world, _ = launcher_ranks()
    if is_new := not (Path(out) / 'corpus.json').exists():
        fetch_models(boxes, poses)
    corpus = Corpus.create(out, name, sport, settings.fps)
    with corpus.lock(rank, world):
        _remove_unfinished(corpus.crops_dir, rank, world)
        all_jobs = list_jobs(corpus, files, settings.boxes)
        again = jobs_named(all_jobs, redo)
        jobs = _without_left_out(corpus, all_jobs, again)[rank::world]
        jobs = settle_sources(corpus, settings, jobs, boxes_given, world, poses_given, overwrite, again)
        if not is_new:
            fetch_models(*missing_sources(corpus, settings, jobs))
        untracked = [job.path for job in jobs if not job.is_tracked(corpus)]
        num_shards = min(workers, max(len(jobs), 1))
        shards = [corpus.crops_dir / f'shard-{rank:03d}-{worker:02d}.lmdb' for worker in range(num_shards)]
        reports: dict[Path, list[VideoReport]] = {}
        with ProgressBars(console or PlainConsole(quiet=True)) as bars:
            on_video = bars.add('videos', 'videos')
            on_video(0, len(jobs))
            on_progress(0, len(jobs))
            for job, results in run_jobs(jobs, settings, shards, bars):
                reports[job.path] = results
                for report in results:
                    style = 'red' if report.failures else None
                    bars.console.print(report.line(), style=style, soft_wrap=True)
                on_video(len(reports), len(jobs))
                on_progress(len(reports), len(jobs))
            made_tracks = any(r.tracked for path in untracked for r in reports[path])
            all_reports = [r for results in reports.values() for r in results]
            for note in record_recipe(corpus, settings, recipe, all_reports, made_tracks):
                bars.console.print(f'note: {note}', soft_wrap=True)
            stale = changed_inputs(corpus, [r.video for r in all_reports])
            lost = orphans(corpus)
            if stale:
                bars.console.print(f'note: {counted(len(stale), "stale file")}, first {stale[0]}', soft_wrap=True)
            if lost:
                count = counted(len(lost), 'file')
                text = f'{count} of videos that videos.csv does not list (first {lost[0]}); delete them'
                bars.console.print(f'note: {text}', soft_wrap=True)
        failed = {r.video: (path, r) for path, results in reports.items() for r in results if r.failures}
        failures = {video: '; '.join(r.failures) for video, (path, r) in failed.items() if os.path.lexists(path)}
        finished = [one_line(job.name) for job in jobs] + [r.video for r in all_reports]
        corpus.record_failures(finished, failures, {video: path for video, (path, _) in failed.items()})
        ordered = [report for job in jobs for report in reports[job.path]]
        return PrepareReport(ordered, disk_bytes(corpus.crops_dir), time.monotonic() - start)


def _check_interval(settings: PrepareSettings, files: Sequence[Path]) -> None:
    """Raise UserError where the interval of the detector does not fit the frame rate of the first video that opens."""
    for path in files:
        with suppress(UserError):
            reader = VideoReader(path, settings.fps)
            break
    else:
        return
    build_tracker(settings.tracker, reader.fps, (reader.width, reader.height))


def _without_left_out(corpus: Corpus, jobs: Sequence[Job], again: Collection[Path]) -> list[Job]:
    """Return the jobs without those whose videos are all left out; the videos of ``again`` no longer are."""
    left_out = corpus.left_out()
    if taken_back := left_out & {name for job in jobs if job.path in again for name in (job.name, *job.videos)}:
        left_out = corpus.leave_out(taken_back, undo=True)
    return [job for job in jobs if not left_out.issuperset(job.videos or [job.name])]


def _remove_unfinished(crops_dir: Path, rank: int, world: int) -> None:
    """Remove what an interrupted run left in the shards, including those of other workers."""
    for path in list_folder(crops_dir, 'shard-*.lmdb' if world == 1 else f'shard-{rank:03d}-*.lmdb'):
        if unfinished_videos(path):
            CropWriter(path).close()
        ENVIRONMENTS.close(path)
