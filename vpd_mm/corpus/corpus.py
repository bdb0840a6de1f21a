"""A corpus: the folder on disk that every step reads and writes."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from ..engine.locks import file_lock
from ..errors import UserError
from ..files import (
    check_file,
    check_no_links,
    check_video_name,
    checked_name,
    composed,
    input_name,
    list_folder,
    npz_path,
    read_json,
    write_json,
    write_lines,
)
from ..structures import MAX_FRAMES, AthleteTrack, FrameTimes, PoseSequence, left_out_videos
from ..structures.npz_io import read_source
from ..structures.table_io import change_table, read_table
from .sports import Sport, Window, find_sport

#: Version of the layout on disk; other versions are refused.
LAYOUT_VERSION = 1

#: Folders and shards, outer ones first, through which a link would let a step write outside of the corpus.
_LEVELS = (
    *('*', 'athlete/*', 'athlete/poses/*', 'athlete/crops/*', 'teacher/*', 'features/*', 'annotations/*'),
    'studio/*',
    'ground_truth/*',  # of the synthetic sport and of Parkour; no training reads it
)

#: Largest frame rate of a video.
MAX_FPS = 10_000

#: Longest side of a video, px.
MAX_SIDE = 100_000


@dataclass(frozen=True)
class VideoInfo:
    """One athlete of one video file: a row of videos.csv.

    Args:
        video: Unique name: the stem of the file; where a file shows several athletes, ``<athlete>__<stem>``.
        path: The video file; several rows may share one.  Empty where an importer had no file.
        fps: Frames per second (the mean, where the rate varies).
        num_frames: Frames of the video.
        width: Pixels, after rotation by the file's metadata.
        height: As width.

    Raises:
        UserError: a value is not valid.
    """

    video: str
    path: str
    fps: float
    num_frames: int
    width: int
    height: int

    def __post_init__(self) -> None:
        object.__setattr__(self, 'video', check_video_name(self.video))
        if not 0 < self.fps <= MAX_FPS:
            raise UserError(f'video {self.video}: fps must be above 0, at most {MAX_FPS}, found {self.fps}')
        for field, most in (('num_frames', MAX_FRAMES), ('width', MAX_SIDE), ('height', MAX_SIDE)):
            if not 1 <= getattr(self, field) <= most:
                raise UserError(f'video {self.video}: {field} must be 1 to {most}, found {getattr(self, field)}')
        try:
            self.path.encode()
        except UnicodeEncodeError as e:
            raise UserError(f'video {self.video}: path {self.path!r} is not in UTF-8; rename the folder') from e

    @property
    def file(self) -> str:
        """Path of the video file, which its athletes share; without a path, its name."""
        return self.path or self.file_name

    def existing_path(self) -> Path:
        """Path of the video file; UserError where it is missing."""
        return check_file(
            self.path, missing='if it was moved, run tools/prepare.py with its new path and the same --out'
        )

    @property
    def file_name(self) -> str:
        """Name of the video file; without a path, the name without the player of the public tennis data."""
        return input_name(Path(self.path)) if self.path else re.sub('^(front|back)__', '', self.video)


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk (layout: ``docs/corpus_format.md``); see :meth:`create` and :meth:`open`.

    Args:
        root: The folder.
        name: Name of the corpus.
        sport: Free text; '' where unknown.
        fps: None = frames are numbered as in the video files; a number = every video was resampled to this rate.
        window: Window around actions, where it is not that of the data set.
        dataset: Name of the public data set that an importer wrote; it decides windows, rate and splits.
    """

    root: Path
    name: str
    sport: str = ''
    fps: float | None = None
    window: Window | None = None
    dataset: str = ''

    @classmethod
    def create(
        cls,
        root: str | os.PathLike,
        name: str | None = None,
        sport: str = '',
        fps: float | None = None,
        dataset: str = '',
    ) -> 'Corpus':
        """Make the folder, or open it where it is a corpus; ``dataset`` is added to a corpus that names none.

        Raises:
            UserError: the folder holds other files, or a corpus with another ``fps`` or ``dataset``.
        """
        root = Path(root)
        path = root / 'corpus.json'
        if root.exists() and not root.is_dir():
            raise UserError(f'{root}: is a file; a corpus is a folder, pass another --out')
        # corpus.json is tested last: another rank may write it during the test of the folder
        if list_folder(root) and not path.exists():
            raise UserError(f'{root}: not empty and no corpus (it has no corpus.json); pass another --out')
        if path.exists():
            corpus = cls.open(root)
            if corpus.fps != fps:
                raise UserError(
                    f'{path}: fps is {corpus.fps} (null = as decoded), requested: {fps}; pass the same or another --out'
                )
            if dataset in ('', corpus.dataset):
                return corpus
            if corpus.dataset:
                raise UserError(f'{path}: dataset is {corpus.dataset!r}, importing {dataset!r}; pass another --out')
            fields = read_json(path, 'restore it')
        else:
            fields = {'layout_version': LAYOUT_VERSION, 'name': name or root.resolve().name, 'sport': sport, 'fps': fps}
        write_json(path, fields | ({'dataset': dataset} if dataset else {}), indent=2)
        return cls.open(root)

    @classmethod
    def open(cls, root: str | os.PathLike) -> 'Corpus':
        """Open an existing corpus.

        Raises:
            UserError: the folder is no corpus, corpus.json is damaged, its layout is unknown, or a file or folder of
                it is a link.
        """
        path = Path(root) / 'corpus.json'
        if not path.exists():
            raise UserError(f'{path}: no such file; {root} is no corpus (tools/prepare.py makes one)')
        check_no_links(root, *_LEVELS)
        fields = read_json(path, 'restore it or prepare into another folder')
        version = fields.get('layout_version') if isinstance(fields, dict) else None
        if version != LAYOUT_VERSION:
            raise UserError(
                f'{path}: layout_version is {version!r}, this vpd_mm knows {LAYOUT_VERSION}; upgrade vpd_mm or '
                'prepare again'
            )
        name, sport, dataset = (fields.get(key, '') for key in ('name', 'sport', 'dataset'))
        fps = fields.get('fps')
        if not all(isinstance(text, str) for text in (name, sport, dataset)):
            raise UserError(f'{path}: name, sport and dataset must be text, found {name!r}, {sport!r}, {dataset!r}')
        if fps is not None and not (isinstance(fps, int | float) and 0 < fps <= MAX_FPS):
            raise UserError(f'{path}: fps must be null or above 0, found {fps!r}')
        try:
            window = _read_window(fields['window']) if fields.get('window') else None
        except (AttributeError, TypeError, ValueError) as e:
            raise UserError(
                f'{path}: window must be an object with before_sec and after_sec (seconds), and around, '
                f'found {fields["window"]!r}'
            ) from e
        return cls(Path(root), name, sport, fps, window, dataset)

    def settings(self, protocol: str = 'default') -> Sport:
        """Settings that the data set decides: windows, rate and splits."""
        return find_sport(self.dataset, self.window).under(protocol)

    def failures(self) -> dict[str, str]:
        """Read the videos that prepare could not finish, with the reason; not those whose file is gone."""
        failures = self._failures()
        return {v: f['reason'] for v, f in failures.items() if not f['file'] or os.path.lexists(_decoded(f['file']))}

    def _failures(self) -> dict[str, dict[str, str]]:
        """Read ``file`` and ``reason`` of each failure; former versions recorded the reason alone."""
        path = self.root / 'athlete' / 'failures.json'
        hint = 'delete it; a new prepare writes it'
        failures = read_json(path, hint) if path.exists() else {}
        names = ('file', 'reason')
        if isinstance(failures, dict):
            rows = {video: {'file': '', 'reason': f} if isinstance(f, str) else f for video, f in failures.items()}
            if all(isinstance(f, dict) and all(type(f.get(k)) is str for k in names) for f in rows.values()):
                return rows
        raise UserError(f'{path}: must map videos to file and reason; {hint}')

    def record_failures(
        self, videos: Iterable[str], failures: Mapping[str, str], files: Mapping[str, Path] | None = None
    ) -> None:
        """Record which of the videos of a run could not be finished, and their files; others are no longer listed."""
        path = self.root / 'athlete' / 'failures.json'
        with file_lock(self.root / '.videos.lock', wait_sec=60, busy=f'{path}: locked for a minute'):
            old, done = self._failures(), set(videos)
            new = {video: failure for video, failure in old.items() if video not in done}
            for video, reason in failures.items():
                new[video] = {'file': _encoded((files or {}).get(video, '')), 'reason': reason}
            if new != old:
                write_json(path, new, indent=1)

    @property
    def recipe(self) -> Any:
        """Options with which prepare made the videos, of corpus.json, not checked (``athlete.recipe.Recipe``)."""
        return read_json(self.root / 'corpus.json', 'restore it').get('recipe')

    def record_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Record how prepare makes the videos, in corpus.json."""
        path = self.root / 'corpus.json'
        with file_lock(self.root / '.videos.lock', wait_sec=60, busy=f'{path}: locked for a minute'):
            fields = read_json(path, 'restore it')
            if fields.get('recipe') != recipe:
                write_json(path, fields | {'recipe': recipe}, indent=2)

    @property
    def videos_path(self) -> Path:
        return self.root / 'videos.csv'

    @property
    def crops_dir(self) -> Path:
        return self.root / 'athlete' / 'crops'

    @property
    def tracks_dir(self) -> Path:
        return self.root / 'athlete' / 'tracks'

    @property
    def times_dir(self) -> Path:
        return self.root / 'athlete' / 'times'

    @property
    def actions_path(self) -> Path:
        return self.root / 'annotations' / 'actions.csv'

    @property
    def classes_path(self) -> Path:
        return self.root / 'annotations' / 'classes.txt'

    @property
    def detect_path(self) -> Path:
        """Actions of detection, where these are not those of actions.csv; label 0."""
        return self.root / 'annotations' / 'detect.csv'

    @property
    def left_out_path(self) -> Path:
        """Videos that no step uses, one a line."""
        return self.root / 'annotations' / 'left_out.txt'

    def left_out(self) -> set[str]:
        """Read the videos that no step uses."""
        return left_out_videos(self.root)

    def leave_out(self, videos: Iterable[str], undo: bool = False) -> set[str]:
        """Leave videos out of all steps, or with ``undo`` use them again; return those that are left out now.

        Raises:
            UserError: a video is neither in videos.csv nor among those that failed, or with ``undo`` is not left out.
        """
        names, before = {composed(video) for video in videos}, self.left_out()
        known = before if undo else {*self.videos(), *self.failures(), *before}
        if unknown := sorted(names - known):
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f'{near[0]}?' if near else f'there are {", ".join(sorted(known)[:5]) or "none"}'
            what = f'no video is left out as {unknown[0]!r}' if undo else f'no video {unknown[0]!r}'
            raise UserError(f'{self.root}: {what}; {hint}')
        now = before - names if undo else before | names
        if now:
            write_lines(self.left_out_path, sorted(now))
        else:
            self.left_out_path.unlink(missing_ok=True)
        return now

    @property
    def splits_path(self) -> Path:
        """Split of whole videos, also of those without an action; may be missing."""
        return self.root / 'annotations' / 'splits.csv'

    def track_path(self, video: str) -> Path:
        return npz_path(self.tracks_dir, video)

    def times_path(self, video: str) -> Path:
        """Times of the frames of a video at a variable rate."""
        return npz_path(self.times_dir, video)

    def poses_dir(self, name: str) -> Path:
        return self.root / 'athlete' / 'poses' / checked_name('pose set', name)

    def pose_path(self, name: str, video: str) -> Path:
        return npz_path(self.poses_dir(name), video)

    def teacher_dir(self, name: str) -> Path:
        return self.root / 'teacher' / checked_name('teacher', name)

    def features_dir(self, run: str) -> Path:
        return self.root / 'features' / checked_name('run', run)

    def fewshot_path(self, k: int, subset: int) -> Path:
        return self.root / 'annotations' / 'fewshot' / f'{k}_{subset}.txt'

    def localize_path(self, subset: int) -> Path:
        """Training videos of detection, one a line; the first n files are n labelled videos."""
        return self.root / 'annotations' / 'localize' / f'{subset}.txt'

    def videos(self) -> dict[str, VideoInfo]:
        """Read videos.csv: name to row; empty where it does not exist.

        Raises:
            UserError: a line is not valid; the message names it.
        """
        if not self.videos_path.exists():
            return {}
        return {row.video: row for _, row in read_table(self.videos_path, VideoInfo)}

    def video(self, name: str) -> VideoInfo:
        """Read row ``name`` of videos.csv.

        Raises:
            UserError: there is no such row.
        """
        videos, name = self.videos(), composed(name)
        if name not in videos:
            known = ', '.join(list(videos)[:5]) or 'none'
            raise UserError(f'{self.videos_path}: no video {name!r}; it holds {len(videos)} ({known} ...)')
        return videos[name]

    def add_videos(self, rows: Iterable[VideoInfo]) -> None:
        """Add rows to videos.csv, or replace those with the same name; other processes may do the same."""
        self._change_videos(rows)

    def remove_videos(self, names: Iterable[str]) -> None:
        """Remove rows of videos.csv; other processes may change it too."""
        self._change_videos([], names)

    def _change_videos(self, added: Iterable[VideoInfo], remove: Iterable[str] = ()) -> None:
        with file_lock(self.root / '.videos.lock', wait_sec=60, busy=f'{self.videos_path}: locked for a minute'):
            change_table(self.videos_path, VideoInfo, added, remove)

    def track(self, video: str) -> AthleteTrack:
        """Read the boxes of the athlete in ``video``."""
        return AthleteTrack.load(self.track_path(video))

    def times(self, video: VideoInfo) -> FrameTimes:
        """Read the times of the frames of ``video``; without a file they have its constant rate."""
        path = self.times_path(video.video)
        return FrameTimes.load(path) if path.exists() else FrameTimes(video.fps)

    def save_times(self, video: str, times: FrameTimes) -> None:
        """Write the times of a video; a constant rate is in videos.csv."""
        path = self.times_path(video)
        if times.edges is None:
            path.unlink(missing_ok=True)
        else:
            times.save(path)

    def poses(self, name: str, video: str) -> PoseSequence:
        """Read the poses of set ``name`` in ``video``."""
        return PoseSequence.load(self.pose_path(name, video))

    def pose_names(self, repaired: bool = True) -> list[str]:
        """Names of the pose sets; ``repaired=False`` leaves out those of ``tools/repair_poses.py``."""
        folders = [p for p in list_folder(self.root / 'athlete' / 'poses') if p.is_dir()]
        return [folder.name for folder in folders if repaired or not is_repaired(folder)]

    def only_poses(self, hint: str = '') -> str:
        """Name of the only pose set that is not repaired; where there are several, UserError with ``hint``."""
        names = self.pose_names(repaired=False)
        if len(names) != 1:
            known = f'the pose sets {", ".join(names)}{hint}' if names else 'no poses; import or prepare them'
            raise UserError(f'{self.root}: has {known}')
        return names[0]

    @contextmanager
    def lock(self, rank: int = 0, world: int = 1) -> Iterator[None]:
        """Lock the corpus for writing, for one process or for all ranks of one launcher.

        Raises:
            UserError: another prepare run holds the lock.
        """
        busy = f'{self.root}: another prepare is writing this corpus; wait for it or pass another --out'
        own = self.root / f'.prepare-{rank}.lock'
        with file_lock(self.root / '.prepare.lock', shared=world > 1, busy=busy), file_lock(own, busy=busy):
            yield

    @contextmanager
    def lock_labels(self) -> Iterator[None]:
        """Lock actions.csv and classes.txt; who changes them holds it from reading them to writing them.

        Raises:
            UserError: another process has held the lock for a minute.
        """
        with file_lock(self.root / '.labels.lock', wait_sec=60, busy=f'{self.actions_path}: locked for a minute'):
            yield


def _encoded(path: str | Path) -> str:
    """Return a path as text of JSON: one that is not in UTF-8 as a URI."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return Path(path).absolute().as_uri()
    return str(path)


def _decoded(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text.removeprefix('file://'))) if text.startswith('file://') else text


def is_repaired(poses: Path) -> bool:
    """True for a folder of poses that were repaired."""
    with suppress(UserError):  # reading its poses reports it
        return any('repaired' in (read_source(path) or {}) for path in list_folder(poses, '*.npz')[:1])
    return False


def _read_window(fields: Mapping[str, Any]) -> Window:
    numbers = {key: float(value) for key, value in fields.items() if key != 'around'}
    return Window(**numbers, around=fields.get('around', 'ends'))
