"""Videos to a corpus: tracks, crops, flow, poses."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ..athlete import FlowEstimator, SquareCropper
from ..athlete.flow import METHODS
from ..corpus import Corpus, VideoInfo
from ..corpus.corpus import checked_name
from ..corpus.crop_writer import CropWriter
from ..corpus.shard import ENVIRONMENTS, unfinished_videos
from ..corpus.video_table import check_video_name
from ..engine.cli import launcher_rank
from ..errors import UserError
from .options import PrepareSettings
from .report import PrepareReport, ProgressDisplay, VideoReport, disk_bytes
from .sources import claim_sources
from .video_preparer import Job
from .workers import run_jobs

#: Endings that a folder is searched for.
VIDEO_ENDINGS = frozenset(
    ['.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.wmv', '.flv', '.ts', '.mts', '.m2ts', '.3gp']
)


def build_corpus(
    videos: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    boxes: str | None = None,
    poses: str = 'none',
    pose_name: str = '',
    masks: str = '',
    name: str | None = None,
    sport: str = '',
    size: int = 128,
    full_frame: bool = False,
    flow: str = 'dis',
    flow_checkpoint: str | None = None,
    subtract_median: bool = False,
    fps: float | None = None,
    workers: int = 1,
    device: str = 'auto',
    batch_size: int = 16,
    tracker: Mapping | None = None,
    console: Console | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> PrepareReport:
    """Prepare videos into a corpus; do what is missing and nothing else.

    Under a launcher (torchrun, srun, mpirun) every rank takes its share of the
    videos and writes its own shards.  A video that fails does not stop the
    others; the report lists it.

    Args:
        videos: Video files, or folders that are searched for them.
        out: Folder of the corpus, made when missing.
        boxes: ``full`` (whole frame), ``mmdet:<config>[:<checkpoint>]``, or a
            folder of box files (``importers.box_files``); None = the tracks
            that are there, ``full`` for videos without.
        poses: ``none`` (add them later with the same call), ``mediapipe``,
            ``mmpose:<alias or config>[:<checkpoint>]``, or a folder of pose
            files (``importers.pose_files``).
        pose_name: Name of the pose set; '' = ``files``, ``mediapipe`` or the
            stem of the mmpose config.
        masks: Folder of mask files (``importers.mask_files``); '' = where the
            boxes come from a folder, that one.
        name: Of the corpus; None = that of the folder.
        sport: Kept in corpus.json.
        size: Side of the crops, px.
        full_frame: Keep the whole frames too, shorter side at most
            320 px.
        flow: ``dis``, ``farneback``, ``raft`` or ``none``.
        flow_checkpoint: Weights of raft.
        subtract_median: Take the median flow (the camera) away.
        fps: None = frames as decoded; a number = resample to it.
        workers: Processes; one shard each.
        device: Of the models.
        batch_size: Frames a model sees at once.
        tracker: Rules of ``AthleteTracker``.
        console: Where progress goes; None = nowhere.
        on_video: Called with (videos done, videos in all) at the start and after every video.

    Returns:
        One report an athlete and video, in the order of the files.

    Raises:
        UserError: nothing can be done: an option is off, two videos share a
            name, the corpus is locked, a model cannot be had, or boxes, rules
            or poses are others than those that videos were prepared with.
    """
    start = time.monotonic()
    if workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers}')
    SquareCropper(size)
    FlowEstimator('none' if flow == 'raft' else flow)  # refuses an unknown method before anything is made
    settings = PrepareSettings(
        out=Path(out),
        boxes='full' if boxes is None else boxes,
        poses=poses,
        pose_name=pose_name,
        masks=masks,
        size=size,
        full_frame=full_frame,
        flow=flow,
        flow_checkpoint=flow_checkpoint,
        subtract_median=subtract_median,
        fps=fps,
        device=device,
        batch_size=batch_size,
        tracker=dict(tracker or {}),
    )
    if settings.pose_set is not None:
        checked_name('pose set', settings.pose_set)
    files = find_videos(videos)
    rank, world = launcher_rank()
    corpus = Corpus.create(out, name, sport, fps)
    with corpus.lock(rank, world):
        every = _jobs(files, corpus.videos())
        claim_sources(corpus, settings, every, boxes_asked=boxes is not None or bool(tracker))
        jobs = every[rank::world]
        _clean(corpus.crops_dir, rank, world)
        shards = [f'shard-{rank:03d}-{worker:02d}.lmdb' for worker in range(min(workers, max(len(jobs), 1)))]
        reports: dict[str, list[VideoReport]] = {}
        if on_video:
            on_video(0, len(jobs))
        with ProgressDisplay(console or Console(quiet=True), len(jobs)) as display:

            def finished(video: str, found: list[VideoReport]) -> None:
                reports[video] = found
                display.finished(video, found)
                if on_video:
                    on_video(len(reports), len(jobs))

            run_jobs(jobs, settings, shards, display.frames, finished)
        ordered = [report for job in jobs for report in reports.get(job.path.stem, [])]
        return PrepareReport(ordered, disk_bytes(corpus.crops_dir), time.monotonic() - start)


def find_videos(videos: Iterable[str | os.PathLike]) -> list[Path]:
    """Files as given, folders searched (with their subfolders) for video files; each once, sorted by name.

    A link keeps its own name and place: what it points at may be called anything.

    Raises:
        UserError: a folder holds no video, two files share a name, or a name
            cannot name a video.
    """
    found: dict[tuple[Path, str], Path] = {}
    for given in map(Path, videos):
        inside = [given]
        if given.is_dir():
            inside = videos_inside(given)
            if not inside:
                raise UserError(f'{given}: folder holds no video ({" ".join(sorted(VIDEO_ENDINGS))})')
        for path in inside:
            found.setdefault(_identity(path), path.absolute())
    if not found:
        raise UserError('no video given; pass files or folders')
    stems: dict[str, Path] = {}
    for path in sorted(found.values(), key=lambda p: p.stem):
        check_video_name(path.stem)
        if path.stem in stems:
            raise UserError(
                f'{stems[path.stem]} and {path} share the name {path.stem!r}; a corpus names videos by it, rename one'
            )
        stems[path.stem] = path
    return list(stems.values())


def videos_inside(folder: Path) -> list[Path]:
    """Video files of a folder and its subfolders, by path."""
    return [p for p in sorted(folder.rglob('*')) if p.suffix.lower() in VIDEO_ENDINGS and p.is_file()]


def _identity(path: Path) -> tuple[Path, str]:
    """What makes a file one video: two links of one name are one, of two names two."""
    return path.resolve(), path.stem


def _jobs(files: list[Path], known: dict[str, VideoInfo]) -> list[Job]:
    """Join files with what videos.csv knows of them.

    Raises:
        UserError: a file has the name of another file of this corpus.
    """
    rows: dict[tuple[Path, str], list[VideoInfo]] = defaultdict(list)
    for info in known.values():
        if info.path:
            rows[_identity(Path(info.path))].append(info)
    for path in files:
        row = known.get(path.stem)
        if row is not None and row.path and row not in rows[_identity(path)]:
            raise UserError(
                f'{path}: this corpus has a video {path.stem!r} already, from {row.path}; rename the file or pass '
                'another --out'
            )
    return [Job(path, tuple(rows[_identity(path)])) for path in files]


def _clean(crops_dir: Path, rank: int, world: int) -> None:
    """Remove what an interrupted run left in the shards, of other workers too."""
    for path in sorted(crops_dir.glob('shard-*.lmdb' if world == 1 else f'shard-{rank:03d}-*.lmdb')):
        unfinished = unfinished_videos(path)
        ENVIRONMENTS.close(path)
        if unfinished:
            CropWriter(path).close()


__all__ = ['METHODS', 'VIDEO_ENDINGS', 'build_corpus', 'find_videos']
