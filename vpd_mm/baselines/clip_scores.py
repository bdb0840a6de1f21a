"""Class scores of test clips: written by a metric, kept on disk, averaged over models."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.evaluator import BaseMetric
from scipy.special import softmax

from ..errors import UserError
from ..registry import METRICS
from ..structures import guess_chance
from ..structures.npz_io import load_npz, save_npz

_KIND = 'ClipScores/1'


@dataclass(frozen=True, eq=False)
class ClipScores:
    """Class scores of N clips.

    Args:
        action_ids: (N,) str, unique.
        scores: (N, C) float32 between 0 and 1; rows sum to 1.
        labels: (N,) int64, the true classes.

    Raises:
        UserError: the sizes differ, an id is not unique, or a label has no column.
    """

    action_ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.action_ids)
        if self.scores.ndim != 2 or len(self.scores) != n or self.labels.shape != (n,) or not n:
            sizes = f'{n} ids, scores {self.scores.shape}, labels {self.labels.shape}'
            raise UserError(f'ClipScores: needs N ids, (N, C) scores and (N,) labels, found {sizes}')
        if len(np.unique(self.action_ids)) != n:
            raise UserError('ClipScores: action ids must be unique')
        if not 0 <= self.labels.min() <= self.labels.max() < self.scores.shape[1]:
            span = f'labels {self.labels.min()} to {self.labels.max()}'
            raise UserError(f'ClipScores: {self.scores.shape[1]} classes, found {span}')
        if not np.isfinite(self.scores).all():
            raise UserError('ClipScores: a score is not finite')

    def save(self, path: str | os.PathLike) -> None:
        """Write an npz."""
        save_npz(path, _KIND, vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'ClipScores':
        """Read a file of :meth:`save`; a UserError names a missing, damaged or wrong file."""
        arrays = load_npz(path, _KIND, ('action_ids', 'scores', 'labels'))
        try:
            return cls(**arrays)
        except UserError as e:
            raise UserError(f'{path}: {e}') from e

    def accuracy(self) -> dict[str, float | None]:
        """``top1``, ``top5`` (from six classes on, else None) and ``mean1`` (mean over the classes that have a clip).

        In percent, beside ``clips`` and ``classes``, their numbers, and the accuracy by chance, in percent: ``chance``
        of a uniform guess, ``majority`` of always naming the most frequent class of the clips.
        """
        order = np.argsort(-self.scores, axis=1, kind='stable')
        hits = order == self.labels[:, None]
        each = [hits[self.labels == label, 0].mean() for label in np.unique(self.labels)]
        clips, classes = self.scores.shape
        chance, majority = guess_chance(self.labels, classes)
        shares = {'top1': hits[:, 0].mean(), 'top5': hits[:, :5].any(axis=1).mean(), 'mean1': np.mean(each)}
        shares |= {'chance': chance, 'majority': majority}
        percent = {name: round(100 * float(value), 2) for name, value in shares.items()}
        return percent | ({'top5': None} if classes < 6 else {}) | {'clips': clips, 'classes': classes}


def mean_scores(parts: Sequence[ClipScores]) -> ClipScores:
    """Unweighted mean of several models' scores, in the clip order of the first.

    Raises:
        UserError: the models were tested on different clips, labels or classes.
    """
    first = parts[0]
    total = np.zeros(first.scores.shape, np.float64)
    for part in parts:
        positions = {name: i for i, name in enumerate(part.action_ids.tolist())}
        if positions.keys() != set(first.action_ids.tolist()) or part.scores.shape != first.scores.shape:
            sizes = f'{first.scores.shape} and {part.scores.shape} (clips, classes)'
            raise UserError(f'scores of other clips or classes cannot be averaged: {sizes}')
        rows = [positions[name] for name in first.action_ids.tolist()]
        if (part.labels[rows] != first.labels).any():
            raise UserError('scores of clips that are labelled differently cannot be averaged')
        total += part.scores[rows]
    return ClipScores(first.action_ids, (total / len(parts)).astype(np.float32), first.labels)


@METRICS.register_module()
class ClipScoreMetric(BaseMetric):
    """Write the scores of every test clip to the :class:`ClipScores` file ``out_file``.

    Logits are soft-maxed; scores of several segments of a clip are averaged. Data samples need ``pred_score`` (C,) or
    (S, C) and ``gt_label`` (1,), and may have ``action_id``; the default id of a clip is its index.
    """

    default_prefix = 'scores'

    def __init__(self, out_file: str) -> None:
        super().__init__()
        self.out_file = out_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            scores = as_probabilities(sample['pred_score'].cpu().numpy())
            self.results.append((sample.get('action_id'), scores, int(sample['gt_label'])))

    def compute_metrics(self, results: list) -> dict:
        ids, scores, labels = zip(*results, strict=True)
        names = [str(i) if name is None else name for i, name in enumerate(ids)]
        ClipScores(np.array(names), np.stack(scores), np.array(labels, np.int64)).save(self.out_file)
        return {'clips': len(names)}


def as_probabilities(scores: np.ndarray) -> np.ndarray:
    """(C,) float32 that sum to 1, from (C,) or (S, C) probabilities or logits."""
    rows = np.atleast_2d(scores).astype(np.float64)
    if (rows < 0).any() or (abs(rows.sum(axis=1) - 1) > 1e-3).any():
        rows = softmax(rows, axis=1)
    return rows.mean(axis=0).astype(np.float32)
