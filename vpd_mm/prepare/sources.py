"""Input of a prepare run: video files, and the origin of boxes and poses."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..athlete import VideoReader
from ..corpus import Corpus, CropWriter, VideoInfo
from ..corpus.provenance import file_digest, refresh_source
from ..corpus.shard import videos_of_shards
from ..errors import UserError
from ..files import check_video_name, input_name, list_folder
from ..importers.box_files import ATHLETE_SEPARATOR, find_athletes
from ..importers.pose_files import find_pose_files
from .options import PrepareSettings, split_model

#: Endings of the video files that a folder is searched for.
VIDEO_ENDINGS = frozenset(
    ['.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.wmv', '.flv', '.ts', '.mts', '.m2ts', '.3gp']
)

_KEEP_BOXES = 'omit --boxes and --track to keep them, pass only videos without tracks, or pass another --out'
_KEEP_POSES = 'pass another --pose-name, or only videos without poses'


@dataclass(frozen=True)
class Job:
    """One video file and its rows of videos.csv (none where the video is new).

    ``problem`` says why the file is refused; ``taken`` are the names of other videos that its athletes could get.
    ``keeps_poses`` is the pose set that it has, where it gets no other; '' where it gets that of the run.
    """

    path: Path
    rows: tuple[VideoInfo, ...] = ()
    problem: str = ''
    taken: frozenset[str] = frozenset()
    keeps_poses: str = ''

    @property
    def name(self) -> str:
        return input_name(self.path)

    def is_tracked(self, corpus: Corpus) -> bool:
        """Return True if all its athletes have tracks."""
        return bool(self.rows) and all(corpus.track_path(row.video).is_file() for row in self.rows)

    def pose_set(self, corpus: Corpus, first: str | None = None) -> str:
        """Return a pose set with poses of all its athletes, ``first`` if it is one; '' without any."""
        sets = [n for n in corpus.pose_names() if all(corpus.pose_path(n, row.video).is_file() for row in self.rows)]
        return '' if not (sets and self.rows) else first if first in sets else sets[0]


def find_videos(videos: Iterable[str | os.PathLike]) -> list[Path]:
    """List video files, each once, sorted by name; folders are searched with their subfolders.

    A symbolic link keeps its own name and folder; the name of its target does not matter.  Names are not checked.
    Raises UserError: a folder holds no video.
    """
    files: dict[tuple[Path, str], Path] = {}
    for given in map(Path, videos):
        paths = videos_inside(given) if given.is_dir() else [given]
        if not paths:
            raise UserError(f'{given}: folder holds no video ({" ".join(sorted(VIDEO_ENDINGS))})')
        for path in paths:
            files.setdefault(_identity(path), path.absolute())
    if not files:
        raise UserError('no video given; pass files or folders')
    return sorted(files.values(), key=lambda p: (p.stem, p))


def videos_inside(folder: Path) -> list[Path]:
    """List the video files of a folder and its subfolders, sorted by path; also those that cannot be opened."""
    return [p for p in list_folder(folder, '**/*') if p.suffix.lower() in VIDEO_ENDINGS and not p.is_dir()]


def _identity(path: Path) -> tuple[Path, str]:
    """Identify a video file: two links with one name are one video, with two names two videos."""
    return Path(os.path.realpath(path)), path.stem  # unlike resolve(), for links that lead in a circle too


def list_jobs(corpus: Corpus, files: Sequence[Path]) -> list[Job]:
    """Join video files with their rows of videos.csv, in which a file that was moved gets its new path.

    A file is refused (``Job.problem``) if its name is not valid, or also that of another file here or of the corpus.
    """
    rows: dict[tuple[Path, str], list[VideoInfo]] = defaultdict(list)
    named: dict[str, list[VideoInfo]] = defaultdict(list)
    for info in corpus.videos().values():
        if info.path:
            rows[_identity(Path(info.path))].append(info)
            for name in {info.video, input_name(Path(info.path))}:
                named[_key(corpus, name)].append(info)
    same_name: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        same_name[_key(corpus, input_name(path))].append(path)
    jobs = []
    for path in files:
        own, key = rows[_identity(path)], _key(corpus, input_name(path))
        try:
            check_video_name(input_name(path))
            if others := [row for row in named[key] if row not in own]:
                own = _moved(corpus, path, others)
            if not own and (twin := next((p for p in same_name[key] if p != path), None)) is not None:
                raise UserError(f'{path}: {twin} has the same name, which identifies a video; rename one of the two')
            jobs.append(Job(path, tuple(own)))
        except UserError as e:
            jobs.append(Job(path, problem=str(e)))
    return jobs


def _key(corpus: Corpus, name: str) -> str:
    """Equal for names that the file system of the corpus does not tell apart."""
    return name.casefold() if (corpus.root / 'CORPUS.JSON').exists() else name


def _moved(corpus: Corpus, path: Path, rows: Sequence[VideoInfo]) -> list[VideoInfo]:
    """Write the new path of a video file into its rows; UserError where they are of another video."""
    old = Path(rows[0].path)
    moved = not old.exists() and input_name(old) == input_name(path)
    hint = f'this corpus has a video {rows[0].video!r} already, from {old}'
    if not moved:
        raise UserError(f'{path}: {hint}; rename the file or pass another --out')
    reader, row = VideoReader(path, corpus.fps), rows[0]
    new, known = ((v.width, v.height, round(v.fps, 3)) for v in (reader, row))
    if new != known or row.num_frames not in (reader.num_frames, sum(1 for _ in reader)):
        raise UserError(f'{path}: {hint}, which is gone, and this is not that video; rename it or pass another --out')
    moved_rows = [replace(row, path=str(path)) for row in rows]
    corpus.add_videos(moved_rows)
    return moved_rows


def settle_sources(
    corpus: Corpus,
    settings: PrepareSettings,
    jobs: Sequence[Job],
    boxes_given: bool,
    world: int = 1,
    poses_given: bool = True,
) -> list[Job]:
    """Record the origin of this run's boxes and poses, and remove what was made from files that have changed.

    Args:
        corpus, settings, jobs: The corpus to write, the options and all videos of the run.
        boxes_given: The user named boxes or rules; otherwise existing tracks are kept whatever they come from.
        world: Number of processes that prepare this corpus together.
        poses_given: The user named poses; otherwise a video that has poses, of whatever set, keeps these alone.

    Returns:
        The jobs, with refused files last; a stale video is new again.

    Raises UserError: tracks or poses of these videos were made from another source, or, with several processes, from
    files that have changed.
    """
    refused = [job for job in jobs if job.problem]
    jobs = [job for job in jobs if not job.problem]
    folder = Path(settings.boxes)
    box_files = {job.name: find_athletes(folder, job.name, 'boxes.json') if folder.is_dir() else {} for job in jobs}
    tracked = {job.name: job for job in jobs if job.is_tracked(corpus)}
    if boxes_given or len(tracked) < len(jobs):
        source: dict = {'boxes': _describe(settings.boxes)}
        if settings.boxes.startswith('mmdet:'):
            source['track'] = dict(settings.tracker)
        stale: list[str] = []

        def remove(videos: Sequence[str]) -> None:
            if world > 1:
                problem = f'boxes of {videos[0]} have changed; prepare it once in a single process'
                raise UserError(f'{settings.boxes}: {problem}')
            stale.extend(videos)
            for name in videos:
                _remove(corpus, tracked[name].rows, settings.pose_set)

        digests = _digests({name: files.values() for name, files in box_files.items()})
        refresh_source(corpus.tracks_dir, source, tracked if boxes_given else [], _KEEP_BOXES, digests, remove)
        jobs = [replace(job, rows=()) if job.name in stale else job for job in jobs]
    if not poses_given:
        jobs = [replace(job, keeps_poses=job.pose_set(corpus, settings.pose_set)) for job in jobs]
    if (pose_set := settings.pose_set) is not None and not all(job.keeps_poses for job in jobs):
        files_of = {row.video: job.name for job in jobs for row in job.rows}
        posed = [video for video in files_of if poses_given and corpus.pose_path(pose_set, video).is_file()]
        for job in jobs:
            if not job.rows:
                files_of |= {video_name(athlete, job.name): job.name for athlete in box_files[job.name] or ['']}
        given = {} if settings.poses_by_model else files_of
        files = {video: find_pose_files(settings.poses, video, file) for video, file in given.items()}
        digests = _digests(files)
        source = {'poses': _describe(settings.poses)}
        refresh_source(corpus.poses_dir(pose_set), source, posed, _KEEP_POSES, digests)
    return [*_with_taken(corpus, jobs, box_files), *refused]


def _with_taken(corpus: Corpus, jobs: Sequence[Job], athletes: Mapping[str, Iterable[str]]) -> list[Job]:
    """Give each job the names of other videos, of this run and of the corpus, that its athletes could get."""
    owners: dict[str, set[tuple[Path, str]]] = defaultdict(set)
    for row in corpus.videos().values():
        if row.path:
            owners[row.video].add(_identity(Path(row.path)))
    for job in jobs:
        for athlete in ['', *athletes[job.name]]:
            owners[video_name(athlete, job.name)].add(_identity(job.path))
    taken: dict[str, set[str]] = defaultdict(set)
    for name in owners:
        for match in re.finditer(f'(?={ATHLETE_SEPARATOR})', name):
            taken[name[match.start() + len(ATHLETE_SEPARATOR) :]].add(name)
    return [
        replace(job, taken=frozenset(name for name in taken[job.name] if owners[name] - {_identity(job.path)}))
        for job in jobs
    ]


def missing_sources(corpus: Corpus, settings: PrepareSettings, jobs: Sequence[Job]) -> list[str]:
    """List the boxes and the poses of the settings, each where a video of the run needs it."""
    jobs, wanted = [job for job in jobs if not job.problem], settings.pose_set
    needs_tracks = any(not job.is_tracked(corpus) for job in jobs)
    needs_poses = any(not job.keeps_poses and job.pose_set(corpus, wanted) != wanted for job in jobs)
    return [source for source, needed in ((settings.boxes, needs_tracks), (settings.poses, needs_poses)) if needed]


def _digests(files: Mapping[str, Collection[Path]]) -> dict[str, str]:
    """Digest of the files of each video; a video with none, or with one that cannot be read, is left out."""
    digests = {}
    for video, paths in files.items():
        with suppress(UserError, OSError):  # reading it later costs this video alone
            if paths:
                digests[video] = file_digest(paths)
    return digests


def _describe(spec: str) -> str:
    """Name a source: a folder by its path, a model by the name of its config and the content of its checkpoint."""
    if spec in ('full', 'mediapipe'):
        return spec
    if not spec.startswith(('mmdet:', 'mmpose:')):
        return str(Path(spec).resolve())
    config, checkpoint = split_model(spec)
    if checkpoint and Path(checkpoint).is_file():
        checkpoint = file_digest(checkpoint)[:16]
    return ':'.join(filter(None, [spec.partition(':')[0], Path(config).name, checkpoint]))


def video_name(athlete: str, stem: str) -> str:
    """Name of the video of one athlete of a file; ``athlete`` is '' where the file shows only one."""
    return f'{athlete}{ATHLETE_SEPARATOR}{stem}' if athlete else stem


def _remove(corpus: Corpus, rows: Sequence[VideoInfo], pose_set: str | None) -> None:
    """Remove tracks, crops and the poses of ``pose_set`` of videos; the track, which marks them as done, goes last."""
    shards = videos_of_shards(corpus.crops_dir)
    for row in rows:
        if row.video in shards:
            with CropWriter(shards[row.video]) as writer:
                writer.remove(row.video)
        if pose_set is not None:
            corpus.pose_path(pose_set, row.video).unlink(missing_ok=True)
    corpus.remove_videos(row.video for row in rows)
    for row in rows:
        corpus.track_path(row.video).unlink(missing_ok=True)
