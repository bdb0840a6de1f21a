"""What a model said about every test clip: on disk, averaged over models, as accuracy."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..structures.npz_io import load_npz, save_npz

_KIND = 'ClipScores/1'


@dataclass(frozen=True, eq=False)
class ClipScores:
    """The class scores of N clips.

    Args:
        action_ids: (N,) str, each once.
        scores: (N, C) float32, between 0 and 1, 1 in sum.
        labels: (N,) int64, the true classes.

    Raises:
        UserError: the sizes differ, an id comes twice, a label has no column.
    """

    action_ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.action_ids)
        if self.scores.ndim != 2 or len(self.scores) != n or self.labels.shape != (n,) or not n:
            found = f'{n} ids, scores {self.scores.shape}, labels {self.labels.shape}'
            raise UserError(f'ClipScores: needs N ids, (N, C) scores and (N,) labels, found {found}')
        if len(set(self.action_ids.tolist())) != n:
            raise UserError('ClipScores: an action id comes twice')
        if not 0 <= self.labels.min() <= self.labels.max() < self.scores.shape[1]:
            found = f'labels {self.labels.min()} to {self.labels.max()}'
            raise UserError(f'ClipScores: {self.scores.shape[1]} classes, found {found}')
        if not np.isfinite(self.scores).all():
            raise UserError('ClipScores: a score is not finite')

    def save(self, path: str | os.PathLike) -> None:
        """Write an npz."""
        save_npz(path, _KIND, vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'ClipScores':
        """Read what :meth:`save` wrote.

        Raises:
            UserError: the file is missing, damaged or of another kind.
        """
        try:
            return cls(**load_npz(path, _KIND, ('action_ids', 'scores', 'labels')))
        except UserError as e:
            raise UserError(str(e) if str(path) in str(e) else f'{path}: {e}') from e

    def accuracy(self) -> dict[str, float]:
        """``top1``, ``top5`` and ``mean1`` (mean over the classes that have a clip) in percent."""
        order = np.argsort(-self.scores, axis=1, kind='stable')
        hits = order == self.labels[:, None]
        each = [hits[self.labels == label, 0].mean() for label in np.unique(self.labels)]
        found = {'top1': hits[:, 0].mean(), 'top5': hits[:, :5].any(axis=1).mean(), 'mean1': np.mean(each)}
        return {name: round(100 * float(value), 2) for name, value in found.items()}


def mean_scores(parts: Sequence[ClipScores]) -> ClipScores:
    """The unweighted mean of several models' scores, in the clips' order of the first.

    Raises:
        UserError: the models were tested on other clips, labels or classes.
    """
    first = parts[0]
    total = np.zeros(first.scores.shape, np.float64)
    for part in parts:
        places = {name: i for i, name in enumerate(part.action_ids.tolist())}
        if places.keys() != set(first.action_ids.tolist()) or part.scores.shape != first.scores.shape:
            found = f'{first.scores.shape} and {part.scores.shape} (clips, classes)'
            raise UserError(f'scores of other clips or classes cannot be averaged: {found}')
        rows = [places[name] for name in first.action_ids.tolist()]
        if (part.labels[rows] != first.labels).any():
            raise UserError('scores of clips that are labelled differently cannot be averaged')
        total += part.scores[rows]
    return ClipScores(first.action_ids, (total / len(parts)).astype(np.float32), first.labels)
