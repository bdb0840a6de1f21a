"""A corpus: the folder on disk that every step reads and writes."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..engine.locks import file_lock
from ..errors import UserError
from ..structures import AthleteTrack, PoseSequence, atomic_write
from .sports import Sport, Window, find_sport
from .video_table import VideoInfo, load_videos, save_videos

#: Version of the layout on disk; other versions are refused.
LAYOUT_VERSION = 1

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._+=-]{0,99}')


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk (layout: ``data/<corpus>/`` of the README); see :meth:`create` and :meth:`open`.

    Args:
        root: The folder.
        name: Name of the corpus.
        sport: Free text; '' where unknown.
        fps: None = frames are numbered as in the video files; a number = every
            video was resampled to this constant rate before.
        window: Window around actions, where it is not that of the sport.
    """

    root: Path
    name: str
    sport: str = ''
    fps: float | None = None
    window: Window | None = None

    @classmethod
    def create(
        cls, root: str | os.PathLike, name: str | None = None, sport: str = '', fps: float | None = None
    ) -> 'Corpus':
        """Make the folder, or open it where it is a corpus.

        Raises:
            UserError: the folder holds other files, or a corpus with another ``fps``.
        """
        root = Path(root)
        path = root / 'corpus.json'
        if root.exists() and not root.is_dir():
            raise UserError(f'{root}: is a file; a corpus is a folder, pass another --out')
        # corpus.json is tested last: another rank may write it during the test of the folder
        if root.is_dir() and any(not p.name.startswith('.') for p in root.iterdir()) and not path.exists():
            raise UserError(f'{root}: not empty and no corpus (it has no corpus.json); pass another --out')
        if path.exists():
            corpus = cls.open(root)
            if corpus.fps != fps:
                raise UserError(
                    f'{path}: fps is {corpus.fps} (null = as decoded), requested: {fps}; pass the same or another --out'
                )
            return corpus
        corpus = cls(root, name or root.resolve().name, sport, fps)
        with atomic_write(path, 'w') as f:
            fields = {'layout_version': LAYOUT_VERSION, 'name': corpus.name, 'sport': sport, 'fps': fps}
            json.dump(fields, f, indent=2)
            f.write('\n')
        return corpus

    @classmethod
    def open(cls, root: str | os.PathLike) -> 'Corpus':
        """Open an existing corpus.

        Raises:
            UserError: the folder is no corpus, corpus.json is damaged, or its layout is unknown.
        """
        path = Path(root) / 'corpus.json'
        if not path.is_file():
            raise UserError(f'{path}: no such file; {root} is no corpus (tools/prepare.py makes one)')
        try:
            fields = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as e:
            raise UserError(f'{path}: no valid JSON ({e}); restore it or prepare into another folder') from e
        version = fields.get('layout_version') if isinstance(fields, dict) else None
        if version != LAYOUT_VERSION:
            raise UserError(
                f'{path}: layout_version is {version!r}, this vpd_mm knows {LAYOUT_VERSION}; upgrade vpd_mm or '
                'prepare again'
            )
        name, sport, fps = fields.get('name'), fields.get('sport', ''), fields.get('fps')
        if not isinstance(name, str) or not isinstance(sport, str):
            raise UserError(f'{path}: name and sport must be text, found {name!r} and {sport!r}')
        if fps is not None and not (isinstance(fps, int | float) and 0 < fps < 1e4):
            raise UserError(f'{path}: fps must be null or above 0, found {fps!r}')
        try:
            window = Window(**{k: float(v) for k, v in fields['window'].items()}) if fields.get('window') else None
        except (AttributeError, TypeError, ValueError) as e:
            raise UserError(
                f'{path}: window must be an object with before_sec and after_sec (seconds), found {fields["window"]!r}'
            ) from e
        return cls(Path(root), name, sport, fps, window)

    @property
    def sport_info(self) -> Sport:
        """Settings that the data set decides: window, widening for detection, rate, split of the paper's selection."""
        return find_sport(self.sport, self.name, self.window)

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
    def actions_path(self) -> Path:
        return self.root / 'annotations' / 'actions.csv'

    @property
    def classes_path(self) -> Path:
        return self.root / 'annotations' / 'classes.txt'

    def track_path(self, video: str) -> Path:
        return self.tracks_dir / f'{video}.npz'

    def poses_dir(self, name: str) -> Path:
        return self.root / 'athlete' / 'poses' / checked_name('pose set', name)

    def pose_path(self, name: str, video: str) -> Path:
        return self.poses_dir(name) / f'{video}.npz'

    def teacher_dir(self, name: str) -> Path:
        return self.root / 'teacher' / checked_name('teacher', name)

    def features_dir(self, run: str) -> Path:
        return self.root / 'features' / checked_name('run', run)

    def fewshot_path(self, k: int, subset: int) -> Path:
        return self.root / 'annotations' / 'fewshot' / f'{k}_{subset}.txt'

    def videos(self) -> dict[str, VideoInfo]:
        """Read videos.csv: name to row; empty where it does not exist."""
        return load_videos(self.videos_path) if self.videos_path.exists() else {}

    def video(self, name: str) -> VideoInfo:
        """Read row ``name`` of videos.csv.

        Raises:
            UserError: there is no such row.
        """
        videos = self.videos()
        if name not in videos:
            known = ', '.join(list(videos)[:5]) or 'none'
            raise UserError(f'{self.videos_path}: no video {name!r}; it holds {len(videos)} ({known} ...)')
        return videos[name]

    def add_videos(self, rows: Iterable[VideoInfo]) -> None:
        """Add rows to videos.csv, or replace those with the same name; other processes may do the same."""
        with self._locked_videos():
            videos = self.videos()
            added = {row.video: row for row in rows}
            if any(videos.get(name) != row for name, row in added.items()):
                save_videos(self.videos_path, (videos | added).values())

    def remove_videos(self, names: Iterable[str]) -> None:
        """Remove rows of videos.csv; other processes may change it too."""
        with self._locked_videos():
            videos = self.videos()
            gone = set(names)
            save_videos(self.videos_path, (row for name, row in videos.items() if name not in gone))

    def _locked_videos(self) -> AbstractContextManager[None]:
        return file_lock(self.root / '.videos.lock', wait_sec=60, busy=f'{self.videos_path}: locked for a minute')

    def track(self, video: str) -> AthleteTrack:
        """Read the boxes of the athlete in ``video``."""
        return AthleteTrack.load(self.track_path(video))

    def poses(self, name: str, video: str) -> PoseSequence:
        """Read the poses of set ``name`` in ``video``."""
        return PoseSequence.load(self.pose_path(name, video))

    def pose_names(self) -> list[str]:
        """Names of the pose sets."""
        folder = self.root / 'athlete' / 'poses'
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    @contextmanager
    def lock(self, rank: int = 0, world: int = 1) -> Iterator[None]:
        """Lock the corpus for writing, for one process or for all ranks of one launcher.

        Raises:
            UserError: another prepare run holds the lock.
        """
        busy = f'{self.root}: another prepare is writing this corpus; wait for it or pass another --out'
        with file_lock(self.root / '.prepare.lock', shared=world > 1, busy=busy):
            if world == 1:
                yield
                return
            with file_lock(self.root / f'.prepare-{rank}.lock', busy=busy):
                yield


def checked_name(what: str, name: str) -> str:
    """Return ``name`` if it is a valid folder name, else raise UserError; ``what`` is what it names."""
    if not _NAME.fullmatch(name):
        raise UserError(f'{what} name {name!r}: must be letters, digits, _ . + = - (at most 100, no leading dot)')
    return name
