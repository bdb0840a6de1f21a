"""Search the actions of a corpus."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..corpus import Corpus
from ..errors import UserError
from ..features import FeatureClipDataset, FeatureReader, Window, clip_positions
from ..structures import Action, load_actions, load_classes
from .dtw_retriever import DTWRetriever, Neighbours

FPS = 25.0
_INTERVAL = re.compile(r'(?P<video>.+):(?P<start>\d+)-(?P<end>\d+)')


@dataclass(frozen=True, eq=False)
class ActionClips:
    """N actions with their features (T, V, D) float32, in the order of actions.csv."""

    actions: list[Action]
    clips: list[np.ndarray]

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

    def of_split(self, split: str | None) -> 'ActionClips':
        """Select the actions of a split; None: all.

        Raises:
            UserError: there are none.
        """
        if split is None:
            return self
        kept = [i for i, action in enumerate(self.actions) if action.split == split]
        if not kept:
            known = ', '.join(sorted({a.split for a in self.actions}))
            raise UserError(f'split {split!r}: no action of it has features; there are actions of {known}')
        return ActionClips([self.actions[i] for i in kept], [self.clips[i] for i in kept])


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
    window: Window = Window(),  # noqa: B008  # frozen
    fps: float | None = FPS,
    allow_missing: bool = False,
) -> ActionClips:
    """Load all actions of a corpus with their features, as recognition reads them (``FeatureClipDataset``).

    Raises:
        UserError: as ``FeatureClipDataset``; actions without features are an error unless ``allow_missing``.
    """
    actions = load_actions(corpus.actions_path, len(load_classes(corpus.classes_path)))
    splits = sorted({action.split for action in actions})
    dataset = FeatureClipDataset(
        str(corpus.root), features, splits, window=vars(window), fps=fps, allow_missing=allow_missing, test_mode=True
    )
    feats = {sample['action_id']: sample['feats'].transpose(1, 0, 2) for sample in dataset.data_list}
    kept = [action for action in actions if action.action_id in feats]
    return ActionClips(kept, [feats[action.action_id] for action in kept])


def find_query(
    corpus: Corpus, features: str | Sequence[str], clips: ActionClips, query: str, fps: float | None = FPS
) -> ClipQuery:
    """Find a clip by action id, or by ``video:start-end`` (end exclusive), which is read without a window.

    Raises:
        UserError: it is neither, or the interval leaves the video or has no features.
    """
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
    feats = FeatureReader(corpus, features).interpolate(video.video, positions, 1)
    if feats is None:
        raise UserError(f'query {query!r}: these frames have no {features} features; extract them')
    return ClipQuery(None, video.video, start, end, feats.transpose(1, 0, 2))


def own_positions(queries: ActionClips, gallery: ActionClips) -> np.ndarray:
    """(Q,) position of each query in the gallery; -1 where it is not in it."""
    positions = {action.action_id: i for i, action in enumerate(gallery.actions)}
    return np.array([positions.get(action.action_id, -1) for action in queries.actions], np.int64)


def rank_corpus(
    queries: ActionClips, gallery: ActionClips, ks: Sequence[int], device: str = 'cpu'
) -> tuple[Neighbours, dict[str, float]]:
    """Rank the gallery for every query; a query is left out of its own ranking.

    Returns:
        The max(ks) nearest neighbours, and ``precision@k`` and ``hit@k`` for every k (paper 4.2).

    Raises:
        UserError: a k exceeds the number of candidates.
    """
    retriever = DTWRetriever(gallery.clips, gallery.names, device)
    nearest = retriever.search(queries.clips, max(ks), own_positions(queries, gallery), queries.names)
    relevant = gallery.labels[nearest.inds] == queries.labels[:, None]
    metrics = {f'precision@{k}': precision_at(relevant, k) for k in ks}
    return nearest, metrics | {f'hit@{k}': hit_at(relevant, k) for k in ks}


def precision_at(relevant: np.ndarray, k: int) -> float:
    """Mean share of relevant items among the first k; relevant (Q, K) bool in rank order, K >= k."""
    return float(_first(relevant, k).mean())


def hit_at(relevant: np.ndarray, k: int) -> float:
    """Share of queries with a relevant item among the first k; relevant (Q, K) bool in rank order, K >= k."""
    return float(_first(relevant, k).any(axis=1).mean())


def _first(relevant: np.ndarray, k: int) -> np.ndarray:
    if relevant.ndim != 2 or not len(relevant) or not 1 <= k <= relevant.shape[1]:
        raise UserError(f'precision and hit at {k} need (queries, {k} or more) ranked items, found {relevant.shape}')
    return relevant[:, :k]
