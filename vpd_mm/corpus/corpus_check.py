"""Check everything that a corpus holds: tables, arrays, what they were made of, and every crop."""

import math
import multiprocessing
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, counted, one_line
from ..files import check_video_name, composed, list_folder, open_file
from ..structures import Action, FrameTimes, load_actions, load_classes, load_splits, read_lines
from ..structures.npz_io import UNREADABLE
from .consistency import disagreements
from .corpus import Corpus, VideoInfo
from .crop_store import CropStore
from .feature_store import FeatureStore
from .shard import (
    CROP,
    IMAGE,
    frame_key,
    header_key,
    is_sealed,
    keys_of,
    read_stored,
    unfinished_videos,
    videos_of_shard,
)
from .stale_files import CROPS, CorpusInputs

#: Reads fps, num_frames, width and height of a video file.
Probe = Callable[[Path], Mapping[str, float]]
#: Damaged frames of one video, and invalid lines of a table, that are listed singly.
_MAX_LISTED = 20


@dataclass
class CorpusCheck:
    """Result of :func:`check_corpus`.

    Args:
        checked, problems: Kind of data to the number of things checked, and of problems found.
        notes: Remarks that are no problems.
    """

    checked: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def check_corpus(
    root: str | os.PathLike,
    on_problem: Callable[[str], None],
    on_progress: OnProgress = no_progress,
    probe: Probe | None = None,
) -> CorpusCheck:
    """Read all files of a corpus and compare them with each other.

    Shards are read in another process, because LMDB can crash on a damaged page.

    Args:
        root: Folder of the corpus.
        on_problem: Called with one line for every problem.
        on_progress: Called with (things checked, number of things); a thing is a file, or the crops of a video.
        probe: Reads the video files, with which videos.csv is compared; None: they are not read.

    Raises:
        UserError: the folder is no corpus, or its corpus.json is damaged.
    """
    return _Check(Corpus.open(root), on_problem, on_progress, probe).run()


class _Check:
    def __init__(
        self, corpus: Corpus, on_problem: Callable[[str], None], on_progress: OnProgress, probe: Probe | None
    ) -> None:
        self.corpus, self.on_problem, self.on_progress, self.probe = corpus, on_problem, on_progress, probe
        self.result = CorpusCheck(Counter({'corpus.json': 1}))
        self.videos: dict[str, VideoInfo] | None = None
        self.unsealed = 0
        self.left_out: set[str] = set()
        #: Kind of data to the videos that have it.
        self.having: dict[str, set[str]] = {}

    def run(self) -> CorpusCheck:
        self._check_tables()
        with _Reader() as reader:
            self.reader = reader
            steps = [*self._video_steps(), *self._array_steps(), *self._temporary_steps(), *self._crop_steps()]
            for done, (kind, step) in enumerate(steps):
                self.on_progress(done, len(steps))
                with self._counted(kind):
                    step()
            self.on_progress(len(steps), len(steps))
            if not self.result.problems:  # else each damage would be named again
                self._check_inputs()
        self._note_missing()
        if self.unsealed:
            self.result.notes.append(
                f'{counted(self.unsealed, "video")} with crops without checksums, made by a former version: damage is '
                'found only where it cannot be decoded'
            )
        return self.result

    @contextmanager
    def _counted(self, kind: str) -> Iterator[None]:
        """Count a thing of a kind; an error of the block is a problem."""
        self.result.checked[kind] += 1
        try:
            yield
        except Exception as e:
            self._problem(kind, e if isinstance(e, UserError) else f'{type(e).__name__}: {e}')

    def _problem(self, kind: str, problem: object) -> None:
        self.result.problems[kind] += 1
        self.on_problem(one_line(problem))

    def _check_tables(self) -> None:
        corpus = self.corpus
        if corpus.videos_path.exists():
            with self._counted('videos.csv'):
                self.videos = corpus.videos()
        gone = [row for row in (self.videos or {}).values() if row.path and not Path(row.path).exists()]
        if gone:
            problem = f'{counted(len(gone), "video")}: the file is not there, for example {gone[0].path}'
            self.result.notes.append(
                f'{problem}; if it was moved, run tools/prepare.py with its new path and the same --out'
            )
        classes: list[str] | None = None
        if corpus.classes_path.exists():
            with self._counted('annotations'):
                classes = load_classes(corpus.classes_path)
        tables: dict[Path, list[Action]] = {}
        for path in filter(Path.exists, (corpus.detect_path, corpus.actions_path)):
            with self._counted('annotations'):
                tables[path], errors = [], list[UserError]()
                tables[path] = load_actions(path, None if classes is None else len(classes), on_error=errors.append)
                for error in errors[:_MAX_LISTED]:
                    self._problem('annotations', error)
                if len(errors) > _MAX_LISTED:
                    self._problem('annotations', f'{path}: {len(errors) - _MAX_LISTED} more lines are not valid')
                for action in tables[path]:
                    if (outside := self._outside(action.video, action.end_frame)) is not None:
                        self._problem('annotations', f'{path}: {action.action_id}: {outside}')
        if corpus.actions_path in tables and not corpus.classes_path.exists():
            self._problem('annotations', f'{corpus.classes_path}: no such file, but there is {corpus.actions_path}')
        if corpus.left_out_path.exists():
            with self._counted('annotations'):
                self.left_out = corpus.left_out()
                for video in sorted(self.left_out - {*(self.videos or ()), *corpus.failures()}):
                    self._problem('annotations', f'{corpus.left_out_path}: no video {video!r} in this corpus')
            self.result.notes.append(f'{corpus.left_out_path}: {counted(len(self.left_out), "video")} left out')
        splits: dict[str, str] = {}
        if corpus.splits_path.exists():
            with self._counted('annotations'):
                splits = load_splits(corpus.splits_path)
                for video in splits:
                    if (outside := self._outside(video, 0)) is not None:
                        self._problem('annotations', f'{corpus.splits_path}: {outside}')
        actions = tables.get(corpus.actions_path, [])
        detected = tables.get(corpus.detect_path, actions)
        ids = {action.action_id for action in actions} or None
        test_videos = {action.video for action in detected if action.split == 'test'}
        test_videos |= {video for video, split in splits.items() if split == 'test'}
        for folder, known, test, what in (
            ('fewshot', ids, {action.action_id for action in actions if action.split == 'test'}, 'action'),
            ('localize', self.videos, test_videos, 'video'),
        ):
            for path in list_folder(corpus.root / 'annotations' / folder, '*.txt'):
                with self._counted('annotations'):
                    self._check_list(path, known, test, what)

    def _check_inputs(self) -> None:
        """Find what was made of something that has changed since, and tracks, crops and poses that disagree."""
        names = [f'{folder}/{video}' for folder, videos in self.having.items() for video in sorted(videos)]
        for name in names:
            try:
                self.reader(self.corpus.crops_dir, _check_inputs, self.corpus, name)
            except UserError as e:
                self._problem('inputs', e)
        if not self.result.problems:
            videos = [video for video in self.videos or () if video not in self.left_out]
            for video, reason in disagreements(self.corpus, CropStore(self.corpus.crops_dir), videos).items():
                self._problem('inputs', f'{video}: {reason}')

    def _note_missing(self) -> None:
        """Note the videos that lack what other videos have."""
        videos = self.videos or {}
        for kind, having in self.having.items():
            if (missing := [video for video in videos if video not in having]) and len(missing) < len(videos):
                verb = 'has' if len(missing) == 1 else 'have'
                count = f'{len(missing)} of {len(videos)} videos {verb} none'
                self.result.notes.append(f'{kind}: {count}, first {missing[0]}')

    def _check_list(self, path: Path, known: Collection[str] | None, test: Collection[str], what: str) -> None:
        names = read_lines(path)
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if not names or twice is not None:
            raise UserError(f'{path}: ' + (f'names {what} {twice!r} twice' if names else 'is empty'))
        unknown = [name for name in names if known is not None and name not in known]
        if unknown:
            count = f'{len(unknown)} of {len(names)}'
            raise UserError(f'{path}: {count} are no {what} of this corpus, first {unknown[0]!r}')
        if of_test := [name for name in names if name in test]:
            count = f'{len(of_test)} of {len(names)}'
            raise UserError(f'{path}: {count} are of the split test, first {of_test[0]!r}; a list is for training')

    def _outside(self, video: str, end_frame: int) -> str | None:
        """Describe a video without a row in videos.csv, or frames behind its end."""
        if self.videos is None:
            return None
        if video not in self.videos:
            return f'video {video!r} has no row in videos.csv'
        num_frames = self.videos[video].num_frames
        return f'frame {end_frame - 1}, but the video has {num_frames} frames' if end_frame > num_frames else None

    def _video_steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for row in (self.videos or {}).values():
            if self.probe is not None and row.path and Path(row.path).is_file():
                yield 'video files', partial(self._check_video, row, self.probe)

    def _check_video(self, row: VideoInfo, probe: Probe) -> None:
        """Compare a row of videos.csv with its file; a resampled video has another rate and number of frames."""
        read = probe(Path(row.path))
        for name in ('width', 'height') if self.corpus.fps is not None else ('fps', 'num_frames', 'width', 'height'):
            if not math.isclose(value := getattr(row, name), read[name], rel_tol=1e-6):
                where = f'{self.corpus.videos_path}: video {row.video!r}'
                raise UserError(f'{where}: {name} is {value:g}, but {read[name]:g} in {row.path}')

    def _array_steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        root = self.corpus.root
        folders: dict[Path, tuple[str, Callable[[str], Any]]] = {self.corpus.tracks_dir: ('tracks', self.corpus.track)}
        for folder in _folders(root / 'athlete' / 'poses'):
            folders[folder] = 'poses', partial(self.corpus.poses, folder.name)
        stores: dict[Path, FeatureStore] = {}
        for kind in ('teacher', 'features'):
            for folder in _folders(root / kind):
                folders[folder] = kind, partial(_read_features, stores, folder)
        for path in list_folder(root, '**/*.npz'):
            if path.parent == self.corpus.times_dir:
                yield 'times', partial(self._check_times, path)
                continue
            kind, read = folders.get(path.parent, ('other arrays', None))
            if kind in ('teacher', 'features') and composed(path.stem) in self.left_out:
                read = None  # no store holds it
            if read is not None:
                self.having.setdefault(path.parent.relative_to(root).as_posix(), set()).add(composed(path.stem))
            yield kind, partial(_check_zip, path) if read is None else partial(self._check_array, path, read)

    def _check_array(self, path: Path, read: Callable[[str], Any]) -> None:
        video = check_video_name(path.stem)
        inds = read(video).frame_inds
        if (problem := self._outside(video, int(inds[-1]) + 1 if len(inds) else 0)) is not None:
            raise UserError(f'{path}: {problem}')

    def _check_times(self, path: Path) -> None:
        row, fps = (self.videos or {}).get(composed(path.stem)), FrameTimes.load(path).fps
        if row is None or not math.isclose(fps, row.fps, rel_tol=1e-6):
            in_table = 'no such video' if row is None else f'fps {row.fps:g}'
            raise UserError(f'{path}: fps {fps:g}, but {self.corpus.videos_path} has {in_table}')

    def _temporary_steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for path in sorted(self.corpus.root.rglob('.*.tmp')):
            yield 'temporary files', partial(_refuse, f'{path}: left by a run that was killed; delete it')

    def _crop_steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        shard_of: dict[str, Path] = {}
        for path in list_folder(self.corpus.crops_dir, 'shard-*.lmdb'):
            with self._counted('shards'):
                videos, problems = self.reader(path, _read_shard, path)
                for problem in problems:
                    self._problem('shards', f'{path}: {problem}')
                for video in videos:
                    if video in shard_of:
                        self._problem('shards', f'{path}: video {video!r} is also in {shard_of[video]}')
                    shard_of[video] = path
                    self.having.setdefault(CROPS, set()).add(video)
                    yield 'crops', partial(self._check_crops, path, video)

    def _check_crops(self, path: Path, video: str) -> None:
        crops: _Crops = self.reader(path, _read_crops, path, video)
        self.result.checked['frames with a crop'] += crops.num_frames
        self.unsealed += not crops.sealed
        for problem in crops.problems:
            self._problem('crops', problem)
        if (outside := self._outside(video, crops.end_frame)) is not None:
            self._problem('crops', f'{path}: {outside}')


def _folders(parent: Path) -> list[Path]:
    return [path for path in list_folder(parent) if path.is_dir()]


def _read_features(stores: dict[Path, FeatureStore], folder: Path, video: str) -> Any:
    """Read a feature file; the store, which compares the files of a folder, is opened once."""
    if folder not in stores:
        stores[folder] = FeatureStore(folder)
    return stores[folder][video]


def _check_zip(path: Path) -> None:
    try:
        with open_file(path) as f, zipfile.ZipFile(f) as archive:
            damaged = archive.testzip()
    except UNREADABLE as e:
        raise UserError(f'{path}: unreadable as an npz ({e})') from e
    if damaged is not None:
        raise UserError(f'{path}: {damaged} differs from its checksum')


def _refuse(problem: str) -> None:
    raise UserError(problem)


class _Reader:
    """Call functions that read shards in another process, which is started again after it died."""

    def __enter__(self) -> '_Reader':
        self._executor: ProcessPoolExecutor | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown()

    def __call__(self, path: Path, function: Callable, *args: Any) -> Any:
        """Return ``function(*args)``; UserError where it fails or ends the process."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'))
        try:
            return self._executor.submit(function, *args).result()
        except BrokenProcessPool as e:
            self._executor = None
            raise UserError(f'{path}: damaged so that LMDB crashes; delete it and run tools/prepare.py again') from e


@cache
def _inputs_of(corpus: Corpus) -> CorpusInputs:
    return CorpusInputs(corpus)


def _check_inputs(corpus: Corpus, name: str) -> None:
    _inputs_of(corpus).check(name if Path(name).parent == Path(CROPS) else f'{name}.npz')


def _read_shard(path: Path) -> tuple[list[str], list[str]]:
    """List the videos of a shard, and its problems."""
    videos, unfinished = videos_of_shard(path), unfinished_videos(path)
    problems = [f'writing {video!r} was interrupted; run tools/prepare.py again' for video in unfinished]
    owners = {key[2:].rpartition(b'/')[0] for kind in (CROP, IMAGE) for key in keys_of(path, kind)}
    if lost := owners - {video.encode() for video in (*videos, *unfinished)}:
        problems.append(f'holds crops of {counted(len(lost), "video")} without a header, first {min(lost)!r}')
    return videos, problems


@dataclass
class _Crops:
    num_frames: int
    end_frame: int
    sealed: bool
    problems: list[str]


def _read_crops(path: Path, video: str) -> _Crops:
    """Read every record of a video."""
    store, problems, num_damaged = CropStore(path.parent, shards={video: path}), [], 0
    header = store.header(video)
    sealed = is_sealed(read_stored(path, header_key(video)) or b'')
    inds = header.frame_inds.tolist()
    for frame_ind in inds:
        try:
            store.read(video, frame_ind)
            if header.frame_shape is not None:
                store.frame_image(video, frame_ind)
        except UserError as e:
            num_damaged += 1
            problems += [str(e)] if num_damaged <= _MAX_LISTED else []
    if num_damaged > _MAX_LISTED:
        problems.append(f'{path}: video {video!r}: {num_damaged - _MAX_LISTED} more frames are damaged')
    for kind in (CROP, IMAGE) if header.frame_shape is not None else (CROP,):
        stored = keys_of(path, kind + video.encode() + b'/')
        if extra := set(stored) - {frame_key(kind, video, frame_ind) for frame_ind in inds}:
            problems.append(f'{path}: video {video!r}: holds {len(extra)} records that its header does not list')
    return _Crops(len(inds), inds[-1] + 1 if inds else 0, sealed, problems)
