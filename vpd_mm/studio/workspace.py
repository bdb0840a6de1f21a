"""The corpus that is open, its features, and the folder of the studio's own files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..corpus import Corpus, CropStore, VideoInfo
from ..corpus.stale_files import digest
from ..errors import UserError
from ..files import composed, file_state, list_folder
from ..structures import FrameTimes


class UnknownVideo(UserError):
    """A request names a video that the corpus does not have; becomes status 404."""


@dataclass(frozen=True)
class Workspace:
    """One opened corpus.

    Args:
        corpus: The corpus; its folder is the only storage.
        features: Name of the features that search and training read; '' where the corpus has none.
        student: ``CONFIG:CHECKPOINT`` or run folder whose poses the player can draw; '' for none.
    """

    corpus: Corpus
    features: str = ''
    student: str = ''

    @property
    def folder(self) -> Path:
        """Files of the studio that are not labels: history, notes, predictions, models, thumbnails."""
        return self.corpus.root / 'studio'

    def videos(self) -> Mapping[str, VideoInfo]:
        """Rows of videos.csv without those left out of the corpus, read again only when a file has changed."""
        return _videos(self.corpus, file_state(self.corpus.videos_path), file_state(self.corpus.left_out_path))

    def video(self, name: str) -> VideoInfo:
        """Row of a video; UnknownVideo where there is none."""
        row = self.videos().get(composed(name))
        if row is None:
            raise UnknownVideo(f'{self.corpus.videos_path}: no video {name!r}; reload the page')
        return row

    def times(self, row: VideoInfo) -> FrameTimes:
        """Times of the frames of a video, read again only when their file has changed."""
        return _times(self.corpus, row, file_state(self.corpus.times_path(row.video)))

    def teacher(self, row: VideoInfo) -> str:
        """Name of the first pose set of a teacher that has the video, '' where none has."""
        corpus = self.corpus
        names = (name for name in corpus.pose_names(repaired=False) if corpus.pose_path(name, row.video).is_file())
        return next(names, '')

    def crops(self) -> CropStore:
        """The crops, listed again only when a shard has changed."""
        shards = list_folder(self.corpus.crops_dir)
        return _crops(self.corpus, tuple((path.name, *file_state(path)) for path in shards))


def check_span(row: VideoInfo, start: int, end: int) -> None:
    """Raise UserError unless frames ``start`` to ``end`` (exclusive) are of the video, and at least one."""
    if not 0 <= start < end <= row.num_frames:
        span = f'{start}..{end}'
        raise UserError(f'{row.video}: needs 0 <= start < end (exclusive) <= {row.num_frames}, found {span}')


def rows_in_span(row: VideoInfo, frame_inds: np.ndarray, start: int | None, end: int | None) -> slice:
    """Return which of the increasing ``frame_inds`` are from ``start`` to ``end`` (exclusive); None: the video's."""
    first, last = start or 0, row.num_frames if end is None else end
    check_span(row, first, last)
    return slice(*np.searchsorted(frame_inds, [first, last]).tolist())


def content_tag(row: VideoInfo, fps: float | None) -> str:
    """Return a text that changes with the content of a video's file, resampled to ``fps``."""
    return digest([row.file, *file_state(row.path), fps])


@lru_cache(maxsize=2)
def _videos(corpus: Corpus, *states: tuple[int, ...]) -> Mapping[str, VideoInfo]:
    left_out = corpus.left_out()
    return {name: row for name, row in corpus.videos().items() if name not in left_out}


@lru_cache(maxsize=2)
def _crops(corpus: Corpus, states: tuple) -> CropStore:
    return CropStore(corpus.crops_dir)


@lru_cache(maxsize=4096)
def _times(corpus: Corpus, row: VideoInfo, state: tuple[int, ...]) -> FrameTimes:
    return corpus.times(row)
