"""Crops, flow and full frames of a corpus as mmaction2's clips, read from the shards and the video files."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..athlete import VideoReader
from ..corpus import Corpus, CropStore, VideoInfo
from ..corpus.stale_files import CorpusInputs, crops_of
from ..errors import UserError
from ..features import ActionWindowDataset
from ..registry import DATASETS
from ..structures import Action

SOURCES = ('crop', 'flow', 'frame')
open_video = lru_cache(maxsize=8)(VideoReader)


class ClipSource:
    """Images of a corpus by video and frame number; can be pickled and used after fork or spawn.

    ``source`` is 'crop': RGB crops; 'flow': their flow; or 'frame': whole frames, from the shards where they are
    stored (``prepare --full-frame``), else from the video files.
    """

    def __init__(self, corpus: Corpus, source: str) -> None:
        if source not in SOURCES:
            raise UserError(f'CropClipDataset: source must be one of {", ".join(SOURCES)}, found {source!r}')
        self.corpus = corpus
        self.source = source
        self.store, self.inputs = CropStore(corpus.crops_dir), CorpusInputs(corpus)

    def frame_inds(self, video: VideoInfo) -> np.ndarray:
        """Frames (T,) int64 that have an image; none where the video has no crops."""
        if self.source == 'frame' and not self._stored(video.video):
            return np.arange(video.num_frames, dtype=np.int64)
        if video.video not in self.store:
            return np.zeros(0, np.int64)
        self.inputs.check(crops_of(video.video))
        return self.store.header(video.video).frame_inds

    def read(self, video: VideoInfo, frame_inds: Sequence[int]) -> list[np.ndarray]:
        """Images in the order of ``frame_inds``: (H, W, 3) uint8 RGB, or (S, S, 2) float32 px for flow.

        Raises:
            UserError: an image, or the video file of whole frames, is missing or damaged.
        """
        name, frames = video.video, [int(i) for i in frame_inds]
        if self.source != 'frame' or self._stored(name):
            get = {'crop': self.store.crop, 'flow': self.store.flow, 'frame': self.store.frame_image}[self.source]
            images = {i: get(name, i) for i in set(frames)}
        elif video.path:
            images = open_video(video.existing_path(), self.corpus.fps).read(frames)
        else:
            raise UserError(
                f'{self.corpus.videos_path}: video {name!r} has no file and {self.corpus.crops_dir} no whole frames '
                "of it; use source='crop', or prepare with --full-frame"
            )
        return [images[i].copy() for i in frames]

    def _stored(self, video: str) -> bool:
        return video in self.store and self.store.header(video).frame_shape is not None


def clip_frames(available: np.ndarray, positions: np.ndarray) -> np.ndarray | None:
    """Nearest available frame (T,) int64 of each position, among those from the first to the last position.

    ``available`` frames and ``positions`` (T,) int64 increase.  None where no frame is available.
    """
    inside = available[(available >= positions[0]) & (available <= positions[-1])]
    if not len(inside):
        return None
    right = np.searchsorted(inside, positions).clip(0, len(inside) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(positions - inside[left] <= inside[right] - positions, inside[left], inside[right])


@DATASETS.register_module()
class CropClipDataset(ActionWindowDataset):
    """Labelled actions as clips of images, which ``SampleFrames`` and ``LoadClip`` read lazily.

    Added keys, besides those of the base: ``clip_frames`` (T,) int64, the video frame of each clip frame; ``source``
    a :class:`ClipSource`, ``video_info``, ``modality`` 'RGB' or 'Flow'.

    Args:
        source: 'crop', 'flow' or 'frame', see :class:`ClipSource`.
        kwargs: Of the base.
    """

    what = 'image'

    def __init__(self, corpus: str, source: str = 'crop', **kwargs: Any) -> None:
        self.source = source
        super().__init__(corpus, **kwargs)

    def open_corpus(self, corpus: Corpus) -> None:
        self._source = ClipSource(corpus, self.source)

    def read_clip(self, action: Action, video: VideoInfo, positions: np.ndarray) -> dict | None:
        frames = clip_frames(self._source.frame_inds(video), positions)
        if frames is None:
            return None
        modality = 'Flow' if self.source == 'flow' else 'RGB'
        return {'clip_frames': frames, 'source': self._source, 'video_info': video, 'modality': modality}
