"""Read a folder of FeatureSequence files."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError, counted, errors_name
from ..files import check_video_name, list_folder, npz_path
from ..structures import FeatureScores, FeatureSequence, left_out_videos


class FeatureStore:
    """A folder of ``<video>.npz``, without the videos that are left out of its corpus; a file is read on access.

    Args:
        directory: ``corpus.features_dir(run)`` or ``corpus.teacher_dir(name)``.

    Raises:
        UserError: no such folder, it holds no npz, or a file has no name of a video.

    Example:
        >>> store = FeatureStore(corpus.features_dir('vpd'))
        >>> sequence = store['wall_flip']
        >>> sequence.feats.shape     # (T, V, D)
    """

    def __init__(self, directory: str | os.PathLike) -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise UserError(f'{self.directory}: no such folder of features; run the step that makes it')
        names = [path.stem for path in list_folder(self.directory, '*.npz')]
        with errors_name(self.directory):
            left_out = left_out_videos(self.directory / '..' / '..')
            self._videos = dict.fromkeys(sorted(set(map(check_video_name, names)) - left_out))
        if not self._videos:
            raise UserError(f'{self.directory}: holds no <video>.npz; run the step that makes them')
        self._first: tuple[str, int, int] | None = None

    def videos(self) -> list[str]:
        """Names of the videos, sorted."""
        return list(self._videos)

    def __len__(self) -> int:
        return len(self._videos)

    def __contains__(self, video: str) -> bool:
        return video in self._videos

    def __iter__(self) -> Iterator[str]:
        return iter(self._videos)

    def __getitem__(self, video: str) -> FeatureSequence:
        """Read the sequence of ``video``.

        Raises:
            UserError: no such video, the file is damaged, or its views or dims differ from those of the first file
                read.
        """
        path = npz_path(self.directory, video)
        if video not in self:
            first = next(iter(self))
            raise UserError(
                f'{path}: no such file; {self.directory} holds {counted(len(self), "video")}, first {first}'
            )
        sequence = FeatureSequence.load(path)
        self._first = self._first or (video, sequence.num_views, sequence.dims)
        first, views, dims = self._first
        if (sequence.num_views, sequence.dims) != (views, dims):
            raise UserError(
                f'{path}: has {sequence.num_views} views of {sequence.dims} dims, {first}.npz has {views} of {dims}; '
                'delete the file that does not belong to this run'
            )
        return sequence

    def scores(self, video: str) -> FeatureScores:
        """Read the frames and scores of ``video``, whose features are not read; UserError: they are damaged."""
        return FeatureScores.load(npz_path(self.directory, video))

    @property
    def dims(self) -> int:
        """D of every sequence."""
        return self._layout()[1]

    @property
    def num_views(self) -> int:
        """V of every sequence: 1 = original, 2 = original and flipped."""
        return self._layout()[0]

    def _layout(self) -> tuple[int, int]:
        if self._first is None:
            sequence = self[next(iter(self))]
            return sequence.num_views, sequence.dims
        return self._first[1:]
