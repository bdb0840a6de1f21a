"""Order of the review queue: which predictions teach most.

A prediction is in the queue until it is decided, or a label covers it.  Orders:

- 'informative', the default: greedily, the prediction from which most is learned about all that are open: the sum
  over them of how much more alike to it they are than to any label, or to any prediction before it in the queue
  (facility location: each kind of clip is asked for once, the most typical one first, and what is like nothing else,
  often an error of the features, late).  An open prediction counts by ``1 + balance``: balance is 1 for a class without
  labels and 0 for the class with the most.  Each one is multiplied by its frame score, so that what is hardly an action
  does not count.  Uncertainty does not count: a clip that the models doubt is often unlike all others, and its label
  teaches little about them.
- 'uncertain': by entropy; 'disagreement': by the disagreement of the models; 'diverse': as 'informative', all with
  equal weight; 'rare': classes with the fewest labels first; 'confident': the most probable ones first, to accept
  many at once; 'time': video and time.

Two clips are alike by ``exp(-(d / s)^2)``: d is the Euclidean distance of their :func:`clip_vector`, the smaller one
to the mirror image, s is :data:`SCALE` times the median distance to the five nearest.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .predictions import Prediction, PredictionStore, entropy
from .rejections import SAME_TIOU
from .reviews import Reviews
from .segments import ClipReader, Segment, read_labels, segment_of
from .workspace import Workspace

ORDERS = ('informative', 'uncertain', 'disagreement', 'diverse', 'rare', 'confident', 'time')
#: Parts of a clip that are compared.
NUM_STEPS = 8
#: See the module.
SCALE = 0.7
#: Open predictions that the greedy orders look at, those with the largest weight; the others come last.
MAX_GREEDY = 2000


class Candidates(NamedTuple):
    """Numbers that are known of N predictions for their order.

    Args:
        probabilities: (N, C).
        disagreement, frame_score: (N,) 0..1.
        vectors: (N, V, K) of :func:`clip_vector`, all views.
        known: (L, K) of the labels, original view.
        counts: (C,) labels of each class.
    """

    probabilities: np.ndarray
    disagreement: np.ndarray
    frame_score: np.ndarray
    vectors: np.ndarray
    known: np.ndarray
    counts: np.ndarray


def clip_vector(clip: np.ndarray) -> np.ndarray:
    """(V, NUM_STEPS * D) of a clip (T, V, D): the mean features of parts of equal length."""
    edges = np.linspace(0, len(clip), NUM_STEPS + 1)
    parts = [clip[int(a) : max(int(np.ceil(b)), int(a) + 1)].mean(0) for a, b in itertools.pairwise(edges)]
    return np.stack(parts, axis=1).reshape(clip.shape[1], -1)


def order_candidates(candidates: Candidates, order: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Order predictions; see the module.

    Args:
        candidates: N predictions.
        order: One of ``ORDERS`` but 'time'.
        limit: Only the first of them; None: all.

    Returns:
        Their positions, first to last, and the values of the order at these positions.
    """
    num = len(candidates.probabilities)
    limit = num if limit is None else min(limit, num)
    doubt = entropy(candidates.probabilities) / np.log(max(candidates.probabilities.shape[1], 2))
    balance = 1 - candidates.counts / max(candidates.counts.max(initial=0), 1)
    expected = candidates.probabilities @ balance
    simple = {
        'uncertain': doubt,
        'disagreement': candidates.disagreement,
        'rare': expected,
        'confident': candidates.probabilities.max(1, initial=0),
    }
    if order in simple:
        positions = np.argsort(-simple[order], kind='stable')[:limit]
        return positions, simple[order][positions]
    weight = 1 + expected if order == 'informative' else np.ones(num)
    return _spread(candidates, weight, limit)


def _spread(candidates: Candidates, weight: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Greedily take what adds most to the likeness of all candidates to what is known or taken; see the module."""
    weight = weight * candidates.frame_score
    chosen = np.sort(np.argsort(-weight, kind='stable')[:MAX_GREEDY])
    vectors, scores, weight = candidates.vectors[chosen], candidates.frame_score[chosen], weight[chosen]
    distances = np.stack([_distances(vectors, vector) for vector in vectors[:, 0]], axis=1)
    distances = np.minimum(distances, distances.T)
    near = np.sort(distances, axis=1)[:, 1:6]
    scale = max(SCALE * float(np.median(near.mean(1))), 1e-9) if near.size else 1.0
    alike = np.exp(-((distances / scale) ** 2))
    covered = np.zeros(len(chosen))
    for vector in candidates.known:
        covered = np.maximum(covered, np.exp(-((_distances(vectors, vector) / scale) ** 2)))
    positions, values, free = list[int](), list[float](), np.ones(len(chosen), bool)
    for _ in range(min(limit, len(chosen))):
        gain = scores * (weight @ np.maximum(alike - covered[:, None], 0))
        i = int(np.where(free, gain, -1).argmax())
        positions.append(i)
        values.append(float(gain[i]))
        free[i] = False
        covered = np.maximum(covered, alike[:, i])
    rest = np.setdiff1d(np.arange(len(candidates.vectors)), chosen)[: limit - len(positions)]
    return np.array([*chosen[positions], *rest], np.int64), np.array([*values, *np.zeros(len(rest))])


def _distances(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(N,) distance of a vector (K,) to the nearest view of each of (N, V, K)."""
    return np.linalg.norm(vectors - vector, axis=2).min(1)


def queue(workspace: Workspace, order: str = 'informative', limit: int = 100) -> list[dict[str, Any]]:
    """The predictions to decide, first to last: their JSON with ``reason`` and ``value`` of the order."""
    predictions = open_predictions(workspace)
    if order == 'time' or not predictions:
        return [{**p.to_json(), 'reason': 'in the order of time', 'value': 0.0} for p in predictions[:limit]]
    classes, actions = read_labels(workspace.corpus)
    reader, names = ClipReader(workspace), list(predictions[0].scores)
    clips = [(p, reader.read(p.segment)) for p in predictions]
    present = [(p, clip) for p, clip in clips if clip is not None]
    if not present:
        return []
    labelled = [reader.read(segment_of(action)) for action in actions if action.split != 'test']
    known = [clip_vector(clip)[0] for clip in labelled if clip is not None]
    counts = Counter(classes[action.label] for action in actions if action.split != 'test')
    dims = clip_vector(present[0][1]).shape[1]
    candidates = Candidates(
        np.array([[p.scores[name] for name in names] for p, _ in present]),
        np.array([p.disagreement for p, _ in present]),
        np.array([p.frame_score for p, _ in present]),
        np.array([clip_vector(clip) for _, clip in present]),
        np.array(known).reshape(-1, dims),
        np.array([counts[name] for name in names]),
    )
    positions, values = order_candidates(candidates, order, limit)
    return [
        {**present[i][0].to_json(), 'reason': reason(present[i][0], counts), 'value': round(float(value), 4)}
        for i, value in zip(positions, values, strict=True)
    ]


def open_predictions(workspace: Workspace) -> list[Prediction]:
    """Predictions that are neither decided nor covered by a label, of videos in the corpus, by video and time."""
    covered: dict[str, list[Segment]] = {}
    for segment in [segment_of(action) for action in read_labels(workspace.corpus)[1]]:
        covered.setdefault(segment.video, []).append(segment)
    for row in Reviews(workspace).read():
        covered.setdefault(row.video, []).append(row.segment)
    lengths = {name: row.num_frames for name, row in workspace.videos().items()}
    predictions: Sequence[Prediction] = PredictionStore(workspace).read().all()
    predictions = [p for p in predictions if p.segment.end_frame <= lengths.get(p.segment.video, 0)]
    return [p for p in predictions if not p.segment.overlaps_any(covered.get(p.segment.video, []), SAME_TIOU)]


def reason(prediction: Prediction, counts: Mapping[str, int]) -> str:
    """Why a prediction is asked for, in a few words."""
    ranked = sorted(prediction.scores.items(), key=lambda item: -item[1])
    (first, p), (second, q) = ranked[0], ranked[1] if len(ranked) > 1 else ('', 0.0)
    if second and q > 0.5 * p:
        return f'{first} or {second}: {100 * p:.0f} and {100 * q:.0f} %'
    if prediction.disagreement > 0.2:
        return f'the models disagree on {first}'
    if counts.get(first, 0) <= max(counts.values(), default=0) / 2:
        return f'{first} has {counts.get(first, 0)} labels'
    return f'unlike the labels so far, {first} at {100 * p:.0f} %'
