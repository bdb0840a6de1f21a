"""Intervals of videos, and their features as recognition reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..corpus import Corpus
from ..errors import UserError
from ..structures import Action, load_actions, load_classes
from .workspace import Workspace


@dataclass(frozen=True, order=True)
class Segment:
    """An interval of a video: frames counted from 0, end exclusive."""

    video: str
    start_frame: int
    end_frame: int

    @classmethod
    def from_json(cls, content: Any, what: str = 'segment') -> 'Segment':
        """Read ``video``, ``start_frame`` and ``end_frame`` of an object; raises UserError, which names ``what``."""
        if not isinstance(content, dict):
            raise UserError(f'{what}: must be an object with video, start_frame and end_frame')
        video, start, end = (content.get(name) for name in ('video', 'start_frame', 'end_frame'))
        if not isinstance(video, str) or type(start) is not int or type(end) is not int or not 0 <= start < end:
            given = f'{video!r}, {start!r}, {end!r}'[:200]
            raise UserError(f'{what}: needs a video and whole numbers 0 <= start_frame < end_frame, found {given}')
        return cls(video, start, end)

    def tiou(self, other: 'Segment') -> float:
        """Intersection over union in time; 0 of two videos."""
        if self.video != other.video:
            return 0.0
        start, end = max(self.start_frame, other.start_frame), min(self.end_frame, other.end_frame)
        union = max(self.end_frame, other.end_frame) - min(self.start_frame, other.start_frame)
        return max(0, end - start) / union

    def overlaps_any(self, others: Sequence['Segment'], least: float) -> bool:
        """Tell if the intersection over union with one of the others is at least ``least``."""
        return any(self.tiou(other) >= least for other in others)


def segment_of(action: Action) -> Segment:
    """The interval of a labelled action."""
    return Segment(action.video, action.start_frame, action.end_frame)


def segment_of_corpus(workspace: Workspace, content: Any, what: str) -> Segment:
    """Read a segment as :meth:`Segment.from_json`, of a video of the corpus, which has these frames."""
    segment = Segment.from_json(content, what)
    row = workspace.video(segment.video)
    if segment.end_frame > row.num_frames:
        raise UserError(f'{what}: ends at frame {segment.end_frame}, {row.video} has {row.num_frames} frames')
    return replace(segment, video=row.video)


def read_labels(corpus: Corpus) -> tuple[list[str], list[Action]]:
    """Class names and labelled actions; both empty in a corpus without labels."""
    if not corpus.classes_path.exists() or not corpus.actions_path.exists():
        return [], []
    classes = load_classes(corpus.classes_path)
    return classes, load_actions(corpus.actions_path, len(classes))


class ClipReader:
    """Features of segments in the window and at the rate that recognition uses (``FeatureClipDataset``).

    Raises:
        UserError: the workspace names no features, they are missing, or what they were made of has changed since.
    """

    def __init__(self, workspace: Workspace) -> None:
        from ..features import FeatureReader  # imports torch

        self.corpus, self.settings = workspace.corpus, workspace.corpus.settings()
        self.reader = FeatureReader(self.corpus, feature_name(workspace))
        self.videos = self.corpus.videos()
        self._times: dict[str, Any] = {}

    def times(self, video: str) -> Any:
        """Times of the frames of a video (``FrameTimes``)."""
        if video not in self._times:
            self._times[video] = self.corpus.times(self.videos[video])
        return self._times[video]

    def read(self, segment: Segment) -> np.ndarray | None:
        """The features (T, V, D) float32 of a segment; None where its frames have none, or it leaves its video."""
        from ..features import clip_positions  # imports torch

        info = self.videos.get(segment.video)
        if info is None or segment.end_frame > info.num_frames:
            return None
        span = segment.start_frame, segment.end_frame
        times = self.times(segment.video)
        positions = clip_positions(*span, times, info.num_frames, self.settings.window, self.settings.fps)
        feats = self.reader.interpolate(segment.video, positions) if len(positions) else None
        return None if feats is None else feats.transpose(1, 0, 2)


def feature_name(workspace: Workspace) -> str:
    """Name of the features in use; UserError where there are none."""
    if not workspace.features:
        raise UserError(f'{workspace.corpus.root}: has no features yet; make them with tools/extract_features.py')
    return workspace.features
