"""Search the actions of a corpus."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..corpus import Corpus
from ..corpus.sports import Sport
from ..errors import UserError
from ..features import FeatureClipDataset, FeatureReader, Window, clip_positions
from ..files import composed
from ..structures import Action, load_actions, load_classes
from .dtw_retriever import DTWRetriever, Neighbours
from .retrieval_metric import metrics_at

#: Arguments of :class:`DTWRetriever` by protocol: for ranked retrieval (paper 4.2), and to recognize an action by its
#: nearest neighbour (4.1).
RANKING: dict[str, dict] = {'default': {}, 'paper': {'views': 'joined', 'fallback': False}}
NEAREST: dict[str, dict] = {'default': {}, 'paper': {'views': 'every'}}
_INTERVAL = re.compile(r'(?P<video>.+):(?P<start>\d+)-(?P<end>\d+)')


@dataclass(frozen=True, eq=False)
class ActionClips:
    """N actions with their features (T, V, D) float32, in the order of actions.csv, and those without features."""

    actions: list[Action]
    clips: list[np.ndarray]
    missing: list[Action] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def names(self) -> list[str]:
        """Names for error messages."""
        return [f'action {a.action_id}' for a in self.actions]

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64."""
        return np.array([a.label for a in self.actions], np.int64)

    def of_split(self, split: str | Sequence[str] | None) -> 'ActionClips':
        """Select the actions of one or several splits; None: all.

        Raises:
            UserError: there are none.
        """
        if split is None:
            return self
        splits = [split] if isinstance(split, str) else split
        kept = [i for i, action in enumerate(self.actions) if action.split in splits]
        if not kept:
            known = ', '.join(sorted({a.split for a in self.actions}))
            raise UserError(f'split {split!r}: no action of it has features; there are actions of {known}')
        missing = [action for action in self.missing if action.split in splits]
        return ActionClips([self.actions[i] for i in kept], [self.clips[i] for i in kept], missing)


class ClipQuery(NamedTuple):
    """A clip to search for: its action (None for a free interval), position (end exclusive) and features (T, V, D)."""

    action: Action | None
    video: str
    start_frame: int
    end_frame: int
    feats: np.ndarray


def load_clips(
    corpus: Corpus,
    features: str | Sequence[str],
    settings: Sport | None = None,
    allow_missing: bool = False,
) -> ActionClips:
    """Load all actions of a corpus with their features, as recognition reads them (``FeatureClipDataset``).

    Args:
        corpus: The corpus.
        features: One name, or several names whose features are concatenated.
        settings: Window and rate; None: those of the corpus.
        allow_missing: Allow actions without features; they are ``missing`` of the result.

    Raises:
        UserError: as ``FeatureClipDataset``; actions without features are an error unless ``allow_missing``.
    """
    actions = load_actions(corpus.actions_path, len(load_classes(corpus.classes_path)))
    splits = sorted({action.split for action in actions})
    settings = settings or corpus.settings()
    window, fps = vars(settings.window), settings.fps
    dataset = FeatureClipDataset(
        str(corpus.root), features, splits, window=window, fps=fps, allow_missing=allow_missing, test_mode=True
    )
    feats = {sample['action_id']: sample['feats'].transpose(1, 0, 2) for sample in dataset.data_list}
    kept = [action for action in actions if action.action_id in feats]
    missing = [action for action in actions if action.action_id not in feats]
    return ActionClips(kept, [feats[action.action_id] for action in kept], missing)


def find_query(
    corpus: Corpus, features: str | Sequence[str], clips: ActionClips, query: str, fps: float | None = 25.0
) -> ClipQuery:
    """Find a clip by action id, or by ``video:start-end`` (end exclusive), which is read without a window.

    Raises:
        UserError: it is neither, or the interval leaves the video or has no features.
    """
    query = composed(query)
    for action, clip in zip(clips.actions, clips.clips, strict=True):
        if action.action_id == query:
            return ClipQuery(action, action.video, action.start_frame, action.end_frame, clip)
    match = _INTERVAL.fullmatch(query)
    if match is None:
        raise UserError(f'query {query!r}: neither the id of an action that has features nor <video>:<start>-<end>')
    video, start, end = corpus.video(match['video']), int(match['start']), int(match['end'])
    if not start < end <= video.num_frames:
        raise UserError(f'query {query!r}: needs start < end <= {video.num_frames}, the frames of {video.video}')
    positions = clip_positions(start, end, video.fps, video.num_frames, Window(), fps)
    feats = FeatureReader(corpus, features).interpolate(video.video, positions)
    if feats is None:
        raise UserError(f'query {query!r}: these frames have no {features} features; extract them')
    return ClipQuery(None, video.video, start, end, feats.transpose(1, 0, 2))


def own_positions(queries: ActionClips, gallery: ActionClips) -> np.ndarray:
    """(Q,) position of each query in the gallery; -1 where it is not in it."""
    positions = {action.action_id: i for i, action in enumerate(gallery.actions)}
    return np.array([positions.get(action.action_id, -1) for action in queries.actions], np.int64)


def rank_corpus(
    queries: ActionClips, gallery: ActionClips, ks: Sequence[int], device: str = 'cpu', protocol: str = 'default'
) -> tuple[Neighbours, dict[str, float]]:
    """Rank the gallery for every query; a query is left out of its own ranking.

    With ``protocol='paper'``, a query without features counts as one whose results are all wrong.

    Returns:
        The max(ks) nearest neighbours, and ``precision@k`` and ``hit@k`` for every k (paper 4.2).

    Raises:
        UserError: a k exceeds the number of candidates.
    """
    retriever = DTWRetriever(gallery.clips, gallery.names, device, **RANKING[protocol])
    nearest = retriever.search(queries.clips, max(ks), own_positions(queries, gallery), queries.names)
    relevant = gallery.labels[nearest.inds] == queries.labels[:, None]
    if protocol == 'paper':
        relevant = np.pad(relevant, ((0, len(queries.missing)), (0, 0)))
    return nearest, metrics_at(relevant, ks)
