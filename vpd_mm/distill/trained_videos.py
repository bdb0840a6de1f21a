"""The videos that a student was trained on, as its checkpoint records them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..corpus import Corpus
from ..corpus.stale_files import digest, files_digest
from ..errors import UserError
from ..structures.npz_io import read_source


@dataclass(frozen=True)
class TrainedVideos:
    """Videos of a training: name to the digest of the video file at the rate of the corpus, '' where it is unknown.

    A checkpoint holds it as ``dataset_meta['trained_on']``.

    Args:
        corpus: Name of the corpus.
        videos: Name to digest, as the tracks of the corpus record it (``inputs['video']``).
    """

    corpus: str = ''
    videos: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, corpus: Corpus, videos: Iterable[str]) -> 'TrainedVideos':
        """Describe videos of a corpus."""
        return cls(corpus.name, {video: _digest(corpus, video) for video in videos})

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], where: object) -> 'TrainedVideos | None':
        """Read it from the ``dataset_meta`` of ``where``; None where it has none, UserError where it is not valid."""
        if (stored := meta.get('trained_on')) is None:
            return None
        videos = stored.get('videos') if isinstance(stored, Mapping) else None
        if not isinstance(videos, Mapping) or not all(
            isinstance(text, str) for pair in videos.items() for text in pair
        ):
            raise UserError(f'{where}: trained_on must be an object of corpus and videos; train again')
        return cls(str(stored.get('corpus', '')), dict(videos))

    def to_json(self) -> dict[str, Any]:
        return {'corpus': self.corpus, 'videos': dict(self.videos)}

    def __or__(self, other: 'TrainedVideos') -> 'TrainedVideos':
        return TrainedVideos(self.corpus or other.corpus, {**other.videos, **self.videos})

    def seen(self, corpus: Corpus, videos: Iterable[str]) -> set[str]:
        """Find the videos of a corpus that the student was trained on, under whatever name."""
        return {video for video in videos if self.has(video, _digest(corpus, video), corpus.name)}

    def has(self, video: str, digest: str, corpus: str = '') -> bool:
        """True for a video of the training: by the content of its file; where that is unknown by its name."""
        own = self.videos.get(video)
        if digest and (own or own is None):
            return digest in self.videos.values()
        return own is not None and corpus == self.corpus


def video_digest(path: Path, fps: float | None) -> str:
    """Digest of a video file at the rate of a corpus (None: as decoded), as its tracks record it."""
    return digest([files_digest([path]), fps])


def _digest(corpus: Corpus, video: str) -> str:
    with suppress(UserError):  # a damaged track; reading it reports it
        path = corpus.track_path(video)
        source = read_source(path) if path.is_file() else None
        return str((source or {}).get('inputs', {}).get('video', ''))
    return ''
