"""Input of a prepare run: video files, and the origin of boxes and poses."""

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..athlete import VideoReader
from ..athlete.flow import flow_settings
from ..corpus import Corpus, CropHeader, CropStore, CropWriter, VideoInfo
from ..corpus.shard import videos_of_shards
from ..corpus.stale_files import (
    CorpusInputs,
    FileDigests,
    Source,
    digest,
    files_digest,
    stale_videos,
)
from ..errors import UserError, counted
from ..files import check_video_name, composed, file_digest, file_state, input_name, list_folder
from ..importers.box_files import ATHLETE_SEPARATOR, find_athletes
from ..importers.mask_files import find_masks
from ..importers.pose_files import find_pose_files
from ..structures.npz_io import read_source
from .options import MEDIAPIPE_POSES, PrepareSettings, split_model

#: Endings of the video files that a folder is searched for.
VIDEO_ENDINGS = frozenset(
    ['.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.wmv', '.flv', '.ts', '.mts', '.m2ts', '.3gp']
)

_KEEP_BOXES = 'omit --boxes and --track to keep them, pass another --out, or --overwrite to prepare them again'
_SAME_BOXES = 'pass their --boxes and --track to prepare them again, or --overwrite to use the requested ones'
_SAME_POSES = 'pass their --poses to make them again, or --overwrite to use the requested ones'
_KEEP_POSES = 'pass another --pose-name, or --overwrite to make them again'
#: An input that differs from what any file was made of.
_MADE_AGAIN = {'inputs': {'track': 'new'}}


@dataclass(frozen=True)
class Job:
    """One video file, its rows of videos.csv (none where the video is new), and the digest of its content.

    ``state`` is that of the file before its content was read for the digest.
    ``problem`` says why the file is refused; ``taken`` are the names of other videos that its athletes could get.
    ``keeps_poses`` is the pose set that it has, where it gets no other; '' where it gets that of the run.
    """

    path: Path
    rows: tuple[VideoInfo, ...] = ()
    digest: str = ''
    state: tuple[int, ...] = ()
    problem: str = ''
    taken: frozenset[str] = frozenset()
    keeps_poses: str = ''

    @property
    def name(self) -> str:
        return input_name(self.path)

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of its athletes, as in videos.csv."""
        return tuple(row.video for row in self.rows)

    def is_tracked(self, corpus: Corpus) -> bool:
        """Return True if all its athletes have tracks."""
        return bool(self.rows) and all(corpus.track_path(row.video).is_file() for row in self.rows)

    def pose_set(self, corpus: Corpus, first: str | None = None) -> str:
        """Return a pose set with poses of all its athletes, ``first`` if it is one; '' without any."""
        sets = [
            n
            for n in corpus.pose_names(repaired=False)
            if all(corpus.pose_path(n, row.video).is_file() for row in self.rows)
        ]
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
    """List the video files of a folder and its subfolders, sorted by path; also those that cannot be opened.

    Videos that ``inspect`` drew into a corpus are left out.
    """
    paths = [p for p in list_folder(folder, '**/*') if p.suffix.lower() in VIDEO_ENDINGS and not p.is_dir()]
    return [p for p in paths if p.parent.name != 'inspect' or not (p.parents[1] / 'corpus.json').is_file()]


def _identity(path: Path) -> tuple[Path, str]:
    """Identify a video file: two links with one name are one video, with two names two videos."""
    return Path(os.path.realpath(path)), path.stem  # unlike resolve(), for links that lead in a circle too


def jobs_named(jobs: Iterable[Job], names: Iterable[str]) -> set[Path]:
    """Return the paths of the jobs of these videos, file names or paths; UserError where a name is none of them."""
    names = list(names)
    paths = {
        composed(name): job.path
        for job in jobs
        for name in (job.name, job.path.name, os.path.abspath(job.path), *job.videos)  # without '..'
    }
    keys = {name: next(filter(paths.__contains__, map(composed, (name, os.path.abspath(name)))), '') for name in names}
    for name, key in keys.items():
        if not key:
            near = difflib.get_close_matches(name, paths, n=1)
            known = f'{near[0]}?' if near else f'they hold {", ".join(list(paths)[:1])} ...'
            raise UserError(f'--redo {name}: no such video among the files of this command; {known}')
    return {paths[key] for key in keys.values()}


def list_jobs(corpus: Corpus, files: Sequence[Path], boxes: str) -> list[Job]:
    """Join video files with their rows of videos.csv, in which a file that was moved gets its new path.

    A file is refused (``Job.problem``) if its name is not valid, or also that of another file here or of the corpus.
    ``boxes`` are those of the run.
    """
    identify = cache(_identity)
    rows: dict[tuple[Path, str], list[VideoInfo]] = defaultdict(list)
    named: dict[str, list[VideoInfo]] = defaultdict(list)
    for info in corpus.videos().values():
        if info.path:
            rows[identify(Path(info.path))].append(info)
            for name in {info.video, input_name(Path(info.path))}:
                named[_key(corpus, name)].append(info)
    same_name: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        same_name[_key(corpus, input_name(path))].append(path)
    jobs = []
    for path in files:
        own, key = rows[identify(path)], _key(corpus, input_name(path))
        try:
            check_video_name(input_name(path))
            if others := [row for row in named[key] if row not in own]:
                own = _moved(corpus, path, others)
            if not own and (twin := next((p for p in same_name[key] if p != path), None)) is not None:
                raise UserError(f'{path}: {twin} has the same name, which identifies a video; rename one of the two')
            jobs.append(Job(path, tuple(own)))
        except UserError as e:
            jobs.append(Job(path, problem=str(e)))
    return _with_taken(corpus, jobs, boxes, identify)


def _with_taken(
    corpus: Corpus, jobs: Sequence[Job], boxes: str, identify: Callable[[Path], tuple[Path, str]]
) -> list[Job]:
    """Give each job the names of other videos, of this run and of the corpus, that its athletes could get."""
    owners: dict[str, set[tuple[Path, str]]] = defaultdict(set)
    for row in corpus.videos().values():
        if row.path:
            owners[row.video].add(identify(Path(row.path)))
    folder = Path(boxes)
    for job in jobs:
        for athlete in ['', *(find_athletes(folder, job.name, 'boxes.json') if folder.is_dir() else ())]:
            owners[video_name(athlete, job.name)].add(identify(job.path))
    taken: dict[str, set[str]] = defaultdict(set)
    for name in owners:
        for match in re.finditer(f'(?={ATHLETE_SEPARATOR})', name):
            taken[name[match.start() + len(ATHLETE_SEPARATOR) :]].add(name)
    return [
        replace(job, taken=frozenset(name for name in taken[job.name] if owners[name] - {identify(job.path)}))
        for job in jobs
    ]


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
    source = _known(read_source, corpus.track_path(rows[0].video)) or {}
    if recorded := source.get('inputs', {}).get('video'):
        same = recorded == digest([files_digest([path]), corpus.fps])
    else:  # of a former version
        new, row = VideoReader(path, corpus.fps), rows[0]
        sizes = [(video.width, video.height, round(video.fps, 3)) for video in (new, row)]
        same = sizes[0] == sizes[1] and row.num_frames in (new.num_frames, sum(1 for _ in new))
    if not same:
        raise UserError(f'{path}: {hint}, which is gone, and this is not that video; rename it or pass another --out')
    moved_rows = [replace(row, path=str(path)) for row in rows]
    corpus.add_videos(moved_rows)
    return moved_rows


class Sources:
    """Sources of the tracks, crops and poses of a run.

    Args:
        corpus, settings: The corpus, and the options of the run.
        of_file: Digest of a file.
    """

    def __init__(
        self, corpus: Corpus, settings: PrepareSettings, of_file: Callable[[str | os.PathLike], str] = file_digest
    ) -> None:
        self.corpus, self.settings, self._of_file = corpus, settings, of_file
        self.inputs = CorpusInputs(corpus)
        self._boxes, self.poses_name = boxes_source(settings), _describe(settings.poses)

    def video(self, job: Job) -> dict[str, str]:
        return {'video': digest([job.digest, self.corpus.fps]) if job.digest else ''}

    def track(self, job: Job) -> Source:
        """Source of the tracks of a video file."""
        folder = Path(self.settings.boxes)
        files = find_athletes(folder, job.name, 'boxes.json') if folder.is_dir() else {}
        boxes = files_digest(files.values(), self._of_file) if folder.is_dir() else digest(self._boxes)
        return {**self._boxes, 'inputs': {**self.video(job), 'boxes': boxes}}

    def masks(self, video: str) -> str:
        """Digest of the masks of one athlete; '' where there are none."""
        folder = self.settings.mask_dir
        return '' if folder is None else files_digest(find_masks(folder, video), self._of_file)

    def crops(self, job: Job, video: str, masks: str | None = None) -> Source:
        """Source of the crops of one athlete, whose track is stored; ``masks``: their digest, None: as they are now."""
        masks = self.masks(video) if masks is None else masks
        return {'inputs': {**self.video(job), **self._track(video), 'masks': masks}}

    def poses(self, job: Job, video: str) -> Source:
        """Source of the poses of one athlete, whose track is stored."""
        if job.keeps_poses:
            inputs = {}
        elif self.settings.poses_by_model:
            inputs = {**self.video(job), 'poses': self.poses_name}
        else:
            files = find_pose_files(self.settings.poses, video, job.name)
            inputs = {'poses': files_digest(files, self._of_file)}
        return {'poses': self.poses_name, 'inputs': {**inputs, **self._track(video)}}

    def _track(self, video: str) -> dict[str, str]:
        return self.inputs.of(f'athlete/tracks/{video}.npz')


def settle_sources(
    corpus: Corpus,
    settings: PrepareSettings,
    jobs: Sequence[Job],
    boxes_given: bool,
    world: int = 1,
    poses_given: bool = True,
    overwrite: bool = False,
    redo: Collection[Path] = (),
) -> list[Job]:
    """Remove the tracks, crops and poses whose video, boxes, masks, track or pose files have changed.

    Args:
        corpus, settings, jobs: The corpus to write, the options and all videos of the run.
        boxes_given: The user named boxes or rules; otherwise existing tracks are kept whatever they come from.
        world: Number of processes that prepare this corpus together.
        poses_given: The user named poses; otherwise a video that has poses, of whatever set, keeps these alone.
        overwrite: Also remove the tracks, crops and poses that were made from another source.
        redo: Video files whose tracks, crops and poses are removed in any case.

    Returns:
        The jobs, with refused files last; a stale video, or one that lost a track, is new again.

    Raises UserError: tracks, crops or poses of these videos were made from another source, without ``overwrite``, or,
    with several processes, something has changed.
    """
    refused = [job for job in jobs if job.problem]
    digests = FileDigests(corpus.root / '.digests.json')
    jobs = [replace(job, state=file_state(job.path)) for job in jobs if not job.problem]
    jobs = [replace(job, digest=files_digest([job.path], digests)) for job in jobs]
    shards: dict[str, Path] = _known(videos_of_shards, corpus.crops_dir) or {}
    store, sources = CropStore(corpus.crops_dir, shards), Sources(corpus, settings, digests)
    known = {video: _known(store.settings, video) for job in jobs for video in job.videos if video in store}
    headers = {video: header for video, header in known.items() if header is not None}

    again = [job for job in jobs if job.rows and not job.is_tracked(corpus)]
    tracked = [job for job in jobs if job.is_tracked(corpus)]
    again += _stale_tracks(sources, tracked, headers, boxes_given, overwrite, redo)
    kept = {video: job for job in jobs if job not in again for video in job.videos}
    lost = _stale_crops(sources, kept, headers, overwrite)
    lost |= {video for job in again for video in job.videos} | _unlisted(corpus, shards, jobs)
    if world > 1 and (first := next((video for video in shards if video in lost), None)):
        problem = f'the video, boxes, masks or track of {first} have changed; prepare it once in a single process'
        raise UserError(f'{corpus.root}: {problem}')
    if not poses_given:
        kept = {v: replace(job, keeps_poses=job.pose_set(corpus, settings.pose_set)) for v, job in kept.items()}
    stale_poses = _stale_poses(sources, kept, again, poses_given, overwrite)

    digests.save()
    for path in stale_poses.values():
        path.unlink()
    _remove_crops(shards, lost)
    _remove(corpus, [row for job in again for row in job.rows], settings.pose_set)
    remade = {kept[video].path for video in stale_poses if video in kept}
    keeping = {job.path: job for job in kept.values() if job.path not in remade}
    jobs = [replace(job, rows=()) if job in again else keeping.get(job.path, job) for job in jobs]
    return [*jobs, *refused]


def _stale_tracks(
    sources: Sources,
    jobs: Sequence[Job],
    headers: Mapping[str, CropHeader],
    given: bool,
    overwrite: bool,
    redo: Collection[Path],
) -> list[Job]:
    """Find the jobs whose tracks are to be made again; all have tracks."""
    corpus, hint = sources.corpus, _KEEP_BOXES if given else _SAME_BOXES
    tracked = {video: job for job in jobs for video in job.videos}
    stored = {video: _known(read_source, corpus.track_path(video)) for video in tracked}
    wanted = {video: sources.track(job) for video, job in tracked.items()}
    named = {video: source for video, source in stored.items() if tracked[video].path in redo}
    new = {video: {**wanted[video], **_MADE_AGAIN} for video in named}
    stale = stale_videos(corpus.tracks_dir, named, new, hint, unknown=False, overwrite=overwrite or given)
    for video, job in tracked.items() if not given else ():
        wanted[video] = {**wanted[video], 'inputs': sources.video(job)}
    others = {video: source for video, source in stored.items() if video not in named}
    stale |= stale_videos(
        corpus.tracks_dir, others, wanted, hint, unknown=not (overwrite and given), overwrite=overwrite
    )
    for video in [video for video, source in others.items() if source is None and video in headers]:
        made_of = ((headers[video].source or {}).get('inputs') or {}).get('video')
        now = sources.video(tracked[video])
        if made_of and now['video'] not in ('', made_of):
            stale.add(video)
            if not overwrite:
                path, file = corpus.track_path(video), tracked[video].path
                raise UserError(f'{path}: was edited for a former {file}; delete it, or pass --overwrite')
    return [job for job in jobs if stale.intersection(job.videos)]


def _stale_crops(
    sources: Sources, kept: Mapping[str, Job], headers: Mapping[str, CropHeader], overwrite: bool
) -> set[str]:
    """Find the videos whose crops are to be made again, among those that keep their track; UserError: other options."""
    corpus, settings = sources.corpus, sources.settings
    wanted = settings.size, flow_settings(settings.flow, settings.subtract_median), settings.full_frame
    made = {v: (h.size, h.flow, h.frame_shape is not None) for v, h in headers.items()}
    others = [video for video, options in made.items() if options != wanted]
    if others and not overwrite:
        size, flow, full = made[others[0]]
        raise UserError(
            f'{corpus.crops_dir}: crops of {counted(len(others), "video")} (first {others[0]}) exist with size {size}, '
            f'flow {flow}, full frames {full}; pass the same options, another --out, or --overwrite to make them again'
        )
    stored = {video: header.source for video, header in headers.items() if video in kept}
    return stale_videos(corpus.crops_dir, stored, {v: sources.crops(kept[v], v) for v in stored}, '') | {*others}


def _stale_poses(
    sources: Sources, kept: Mapping[str, Job], again: Sequence[Job], given: bool, overwrite: bool
) -> dict[str, Path]:
    """Find the pose files that are to be made again, by video; those of a new track are removed with the former one."""
    corpus, first = sources.corpus, sources.settings.pose_set
    sets = {video: job.keeps_poses or first for video, job in kept.items()}
    if not given:
        sets |= {video: job.pose_set(corpus, first) for job in again for video in job.videos}
    paths = {v: path for v, name in sets.items() if name and (path := corpus.pose_path(name, v)).is_file()}
    stored = {video: _known(read_source, path) for video, path in paths.items()}
    new = {'poses': sources.poses_name, **_MADE_AGAIN}
    wanted = {video: sources.poses(kept[video], video) if video in kept else new for video in paths}
    folder, hint = corpus.root / 'athlete' / 'poses', _KEEP_POSES if given else _SAME_POSES
    return {video: paths[video] for video in stale_videos(folder, stored, wanted, hint, overwrite=overwrite)}


def _unlisted(corpus: Corpus, shards: Iterable[str], jobs: Sequence[Job]) -> set[str]:
    """Videos with crops but without a row in videos.csv that new jobs may make."""
    new, listed = {job.name for job in jobs if not job.rows}, corpus.videos()
    ends = tuple(f'{ATHLETE_SEPARATOR}{name}' for name in new)
    return {video for video in shards if video not in listed and (video in new or video.endswith(ends))}


def _known(read: Callable, *args: object) -> Any:
    """Return what ``read`` returns; None where the file is damaged, which costs this video alone when it is read."""
    with suppress(UserError):
        return read(*args)
    return None


def missing_sources(corpus: Corpus, settings: PrepareSettings, jobs: Sequence[Job]) -> list[str]:
    """List the boxes and the poses of the settings, each where a video of the run needs it."""
    jobs, wanted = [job for job in jobs if not job.problem], settings.pose_set
    needs_tracks = any(not job.is_tracked(corpus) for job in jobs)
    needs_poses = any(not job.keeps_poses and job.pose_set(corpus, wanted) != wanted for job in jobs)
    return [source for source, needed in ((settings.boxes, needs_tracks), (settings.poses, needs_poses)) if needed]


def boxes_source(settings: PrepareSettings) -> dict[str, Any]:
    """Source of the tracks of a run, without the inputs of a video."""
    tracker = {'track': dict(settings.tracker)} if settings.boxes_by_model else {}
    return {'boxes': _describe(settings.boxes), **tracker}


def _describe(spec: str) -> str:
    """Name a source: a folder by its path, a model by the name of its config and the content of its checkpoint."""
    if spec in ('full', *MEDIAPIPE_POSES):
        return spec
    if not spec.startswith(('mmdet:', 'mmpose:')):
        return str(Path(spec).resolve())
    config, checkpoint = split_model(spec)
    known = [file_digest(path)[:16] if path and Path(path).is_file() else '' for path in (config, checkpoint)]
    return ':'.join(filter(None, [spec.partition(':')[0], Path(config).name, known[0], known[1] or checkpoint]))


def video_name(athlete: str, stem: str) -> str:
    """Name of the video of one athlete of a file; ``athlete`` is '' where the file shows only one."""
    return f'{athlete}{ATHLETE_SEPARATOR}{stem}' if athlete else stem


def _remove_crops(shards: Mapping[str, Path], videos: Iterable[str]) -> None:
    """Remove the crops of some videos from the shards, video to shard."""
    by_shard = defaultdict(list)
    for video in videos:
        if video in shards:
            by_shard[shards[video]].append(video)
    for shard, names in by_shard.items():
        with CropWriter(shard) as writer:
            for name in names:
                writer.remove(name)


def _remove(corpus: Corpus, rows: Sequence[VideoInfo], pose_set: str | None) -> None:
    """Remove tracks and the poses of ``pose_set`` of videos; the track, which marks them as done, goes last."""
    if pose_set is not None:
        for path in [corpus.pose_path(pose_set, row.video) for row in rows]:
            if path.is_file() and _known(read_source, path) is not None:  # others are the user's
                path.unlink()
    corpus.remove_videos(row.video for row in rows)
    for row in rows:
        corpus.times_path(row.video).unlink(missing_ok=True)
        corpus.track_path(row.video).unlink(missing_ok=True)
