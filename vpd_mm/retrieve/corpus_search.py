"""Search the actions of a corpus."""

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..corpus import Corpus
from ..corpus.sports import Sport
from ..errors import UserError
from ..features import FeatureClipDataset, FeatureReader, Window, clip_positions
from ..files import composed
from ..structures import Action, Share, load_actions, load_classes
from ..version import __version__
from .dtw_retriever import DTWRetriever, Neighbours
from .retrieval_metric import metrics_at
from .search_parts import SearchParts

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
    positions = clip_positions(start, end, corpus.times(video), video.num_frames, Window(), fps)
    feats = FeatureReader(corpus, features).interpolate(video.video, positions)
    if feats is None:
        raise UserError(f'query {query!r}: these frames have no {features} features; extract them')
    return ClipQuery(None, video.video, start, end, feats.transpose(1, 0, 2))


def items_to_exclude(
    queries: Sequence[Action | ClipQuery], gallery: Sequence[Action], protocol: str = 'default'
) -> list[np.ndarray]:
    """Positions of the gallery actions that a query must not find: itself, and those it shares frames with.

    With ``protocol='paper'`` a query does not find itself only, as published.
    """
    of_video = defaultdict(list)
    for i, action in enumerate(gallery):
        of_video[action.video].append(i)

    def is_same(query: Action | ClipQuery, i: int) -> bool:
        item = gallery[i]
        if protocol == 'paper':
            return isinstance(query, Action) and item.action_id == query.action_id
        return query.start_frame < item.end_frame and item.start_frame < query.end_frame

    return [np.array([i for i in of_video[query.video] if is_same(query, i)], np.int64) for query in queries]


def rank_corpus(
    queries: ActionClips,
    gallery: ActionClips,
    ks: Sequence[int],
    device: str = 'cpu',
    protocol: str = 'default',
    parts: SearchParts | None = None,
) -> tuple[Neighbours | None, dict[str, float]]:
    """Rank the gallery for every query without the clips of :func:`items_to_exclude`.

    With ``protocol='paper'``, a query without features counts as one whose results are all wrong.

    Args:
        queries, gallery, ks, device, protocol: What is ranked.
        parts: Makes the search resumable and shares it out over processes.

    Returns:
        The max(ks) nearest neighbours, and ``precision@k`` and ``hit@k`` for every k (paper 4.2); None and nothing in
        a process of another rank than 0.

    Raises:
        UserError: a k exceeds the number of candidates of every query.
    """
    retriever = DTWRetriever(gallery.clips, gallery.names, device, **RANKING[protocol])
    exclude = items_to_exclude(queries.actions, gallery.actions, protocol)
    candidates, k = [len(gallery) - len(items) for items in exclude], max(ks)
    if not 1 <= k <= max(candidates):
        raise UserError(f'k must be 1 to {max(candidates)}, the number of gallery candidates, found {k}')

    def search(start: int, end: int) -> Neighbours:
        """Search a part; all of its queries may have less than k candidates."""
        few, num = min(k, max(candidates[start:end])), end - start
        rows = np.full((num, k), -1), np.full((num, k), np.inf), np.zeros((num, 4), np.int64)
        if few:
            part = retriever.search(queries.clips[start:end], few, exclude[start:end], queries.names[start:end])
            rows[0][:, :few], rows[1][:, :few], rows[2][:] = part
        return Neighbours(*rows)

    parts = parts or SearchParts()
    key = '' if parts.folder is None else _search_key(queries, gallery, exclude, k, protocol)
    nearest = parts.search(search, len(queries), key)
    if nearest is None:
        return None, {}
    relevant = (gallery.labels[nearest.inds] == queries.labels[:, None]) & (nearest.inds >= 0)
    if protocol == 'paper':
        relevant = np.pad(relevant, ((0, len(queries.missing)), (0, 0)))
    return nearest, metrics_at(relevant, ks)


def _search_key(queries: ActionClips, gallery: ActionClips, exclude: Sequence[np.ndarray], *settings: object) -> str:
    """Digest of everything that the result of a search depends on."""
    key = hashlib.sha256(repr((__version__, *settings)).encode())
    for array in (*queries.clips, *gallery.clips, *exclude):
        key.update(repr((array.shape, array.dtype.str)).encode())
        key.update(np.ascontiguousarray(array).data)
    return key.hexdigest()


class RankingContext(NamedTuple):
    """Sizes that the numbers of a ranking rest on.

    Args:
        num_queries, num_gallery: Q and G.
        num_classes: Classes among both.
        candidates: (Q,) gallery clips that a query can find.
        relevant: (Q,) those of its class.
        overlapping: Pairs of different actions that share frames, which are left out.
    """

    num_queries: int
    num_gallery: int
    num_classes: int
    candidates: np.ndarray
    relevant: np.ndarray
    overlapping: int

    def shares(self, metrics: Mapping[str, float], k: int) -> tuple[Share, Share]:
        """``precision@k`` and ``hit@k`` of :func:`rank_corpus` beside those of a gallery in random order."""
        precisions, hits = [], []
        for num, relevant in zip(self.candidates.tolist(), self.relevant.tolist(), strict=True):
            shown = min(k, num)
            precisions.append(shown * relevant / max(num, 1) / k)
            hits.append(1 - math.comb(num - relevant, shown) / math.comb(num, shown))
        names = (f'precision@{k}', precisions), (f'hit@{k}', hits)
        precision, hit = (Share(metrics[name], self.num_queries, float(np.mean(c)), 'query') for name, c in names)
        return precision, hit

    def best(self, k: int) -> float:
        """The largest possible ``precision@k``."""
        return float(np.minimum(self.relevant, k).mean() / k)

    def notes(self, metrics: Mapping[str, float], ks: Sequence[int]) -> list[str]:
        """One line for each reason to doubt the numbers of :func:`rank_corpus`."""
        lines = [f'precision@{k}: {share.warning}' for k in ks if (share := self.shares(metrics, k)[0]).warning]
        if alone := int((self.relevant == 0).sum()):
            lines.append(f'{alone} of {self.num_queries} queries have no other clip of their class to find')
        return lines


def ranking_context(queries: ActionClips, gallery: ActionClips, protocol: str = 'default') -> RankingContext:
    """Count what :func:`rank_corpus` compares."""
    counts, rows, overlapping = Counter(gallery.labels.tolist()), [], 0
    for query, items in zip(queries.actions, items_to_exclude(queries.actions, gallery.actions, protocol), strict=True):
        left_out = [gallery.actions[i] for i in items]
        overlapping += sum(action.action_id != query.action_id for action in left_out)
        same = counts[query.label] - sum(action.label == query.label for action in left_out)
        rows.append((len(gallery) - len(items), same))
    rows += [(0, 0)] * (len(queries.missing) if protocol == 'paper' else 0)
    candidates, relevant = np.array(rows).T
    num_classes = len({*counts, *queries.labels.tolist()})
    return RankingContext(len(rows), len(gallery), num_classes, candidates, relevant, overlapping)
