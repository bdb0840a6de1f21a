"""Actions of a corpus as sequences, and the ranking of a corpus for its own actions."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..corpus import Corpus, FeatureStore
from ..errors import UserError
from ..structures import Action, FeatureSequence, load_actions, load_classes
from ..teacher import JointFeature
from .dtw_retriever import DTWRetriever, Neighbours
from .retrieval_metric import hit_at, precision_at

JOINTS = 'joints'
_INTERVAL = re.compile(r'(?P<video>.+):(?P<start>\d+)-(?P<end>\d+)')
_logger = logging.getLogger(__name__)


class FeatureSource:
    """``source[video]`` is the video's FeatureSequence, by the name a person gives.

    ``name`` is looked for as a run (``features/<name>``), then as a teacher
    (``teacher/<name>``); 'joints' that lie in neither place are made from the
    corpus' pose set.

    Args:
        corpus: The corpus.
        name: Run, teacher or 'joints'.
        poses: Pose set for 'joints'; None = the only one.

    Raises:
        UserError: there is no such run, teacher or pose set; the message lists what there is.
    """

    def __init__(self, corpus: Corpus, name: str, poses: str | None = None) -> None:
        self.corpus, self.name = corpus, name
        self.store: FeatureStore | None = None
        self.poses = poses
        places = (corpus.features_dir(name), corpus.teacher_dir(name))
        for place in places:
            if place.is_dir():
                self.store = FeatureStore(place)
                return
        if name != JOINTS:
            there = sorted({p.name for place in places for p in place.parent.glob('*') if p.is_dir()})
            raise UserError(f'{places[0]}: no such features, nor {places[1]}; there are: {", ".join(there) or "none"}')
        self.poses = poses or _only_pose_set(corpus)

    def __contains__(self, video: str) -> bool:
        return video in self.store if self.store is not None else self._pose_path(video).is_file()

    def __getitem__(self, video: str) -> FeatureSequence:
        if self.store is not None:
            return self.store[video]
        return JointFeature()(self.corpus.poses(str(self.poses), video))

    def _pose_path(self, video: str) -> Path:
        return self.corpus.pose_path(str(self.poses), video)


def _only_pose_set(corpus: Corpus) -> str:
    names = corpus.pose_names()
    if len(names) != 1:
        raise UserError(f'{corpus.root}: joints need one pose set, found {", ".join(names) or "none"}; pass --poses')
    return names[0]


@dataclass(frozen=True, eq=False)
class ActionClips:
    """Actions with their features, in the order of actions.csv.

    Args:
        actions: N actions.
        clips: N arrays (T, V, D) float32: the frames of the action that have
            a feature.
    """

    actions: list[Action]
    clips: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def names(self) -> list[str]:
        return [f'action {a.action_id}' for a in self.actions]

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64."""
        return np.array([a.label for a in self.actions], np.int64)

    def of_split(self, split: str | None) -> 'ActionClips':
        """Those of a split, or all for None; UserError where there are none."""
        if split is None:
            return self
        kept = [i for i, action in enumerate(self.actions) if action.split == split]
        if not kept:
            there = ', '.join(sorted({a.split for a in self.actions}))
            raise UserError(f'split {split!r}: actions.csv has no action of it that has features; it has {there}')
        return ActionClips([self.actions[i] for i in kept], [self.clips[i] for i in kept])


def cut(sequence: FeatureSequence, start_frame: int, end_frame: int) -> np.ndarray:
    """(T, V, D): the features of frames start_frame (inclusive) to end_frame (exclusive); T may be 0."""
    first, last = np.searchsorted(sequence.frame_inds, (start_frame, end_frame))
    return sequence.feats[first:last]


def load_clips(corpus: Corpus, source: FeatureSource, allow_missing: bool = False) -> ActionClips:
    """All actions of a corpus with their features.

    Raises:
        UserError: actions without any feature (listed), unless
            ``allow_missing``, which leaves them out and logs how many.
    """
    actions = load_actions(corpus.actions_path, len(load_classes(corpus.classes_path)))
    kept, clips, missing = [], [], []
    sequences: dict[str, FeatureSequence] = {}
    for action in sorted(actions, key=lambda a: a.video):
        if action.video not in sequences:
            sequences = {action.video: source[action.video]} if action.video in source else {}
        clip = cut(sequences[action.video], action.start_frame, action.end_frame) if sequences else np.empty(0)
        if len(clip):
            kept.append(action)
            clips.append(clip)
        else:
            missing.append(action.action_id)
    if missing:
        listed = ', '.join(missing[:10]) + (' ...' if len(missing) > 10 else '')
        text = (
            f'{corpus.actions_path}: {len(missing)} of {len(actions)} actions have no {source.name} feature: {listed}'
        )
        if not allow_missing or not kept:
            raise UserError(f'{text}; extract them, or pass --allow-missing to leave them out')
        _logger.warning('%s; left out', text)
    order = {action.action_id: i for i, action in enumerate(actions)}
    inds = sorted(range(len(kept)), key=lambda i: order[kept[i].action_id])
    return ActionClips([kept[i] for i in inds], [clips[i] for i in inds])


def find_query(source: FeatureSource, clips: ActionClips, query: str) -> tuple[Action | None, str, np.ndarray]:
    """The (action or None, 'video:start-end', clip) that a person names: an action id, or ``video:start-end``.

    Raises:
        UserError: neither, or the interval has no feature.
    """
    for action, clip in zip(clips.actions, clips.clips, strict=True):
        if action.action_id == query:
            return action, f'{action.video}:{action.start_frame}-{action.end_frame}', clip
    match = _INTERVAL.fullmatch(query)
    if match is None or match['video'] not in source:
        raise UserError(f'query {query!r}: no action of that id has features, nor is it <video>:<start>-<end>')
    start, end = int(match['start']), int(match['end'])
    clip = cut(source[match['video']], start, end)
    if not len(clip):
        raise UserError(f'query {query!r}: no frame from {start} to {end} (exclusive) has a {source.name} feature')
    return None, query, clip


def own_places(queries: ActionClips, gallery: ActionClips) -> np.ndarray:
    """(Q,) where each query stands in the gallery; -1 = it does not."""
    places = {action.action_id: i for i, action in enumerate(gallery.actions)}
    return np.array([places.get(action.action_id, -1) for action in queries.actions], np.int64)


def rank_corpus(
    queries: ActionClips, gallery: ActionClips, ks: Sequence[int], device: str = 'cpu', pattern: str = 'symmetricP2'
) -> tuple[Neighbours, dict[str, float]]:
    """Rank the gallery for every query, which never finds itself.

    Returns:
        The max(ks) nearest, and precision@k and hit@k for every k.

    Raises:
        UserError: a k exceeds the number of candidates.
    """
    retriever = DTWRetriever(gallery.clips, pattern, gallery.names, device)
    found = retriever.search(queries.clips, max(ks), own_places(queries, gallery), queries.names)
    relevant = gallery.labels[found.inds] == queries.labels[:, None]
    metrics = {f'precision@{k}': precision_at(relevant, k) for k in ks}
    return found, metrics | {f'hit@{k}': hit_at(relevant, k) for k in ks}
