"""Conversion of frame scores to intervals and spotted frames (paper 4.3)."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError


class Proposal(NamedTuple):
    """Interval with a possible action; end_frame is exclusive, score is the mean score of its frames."""

    start_frame: int
    end_frame: int
    score: float
    label: int = 0


class Spot(NamedTuple):
    """Frame with a possible action."""

    frame: int
    score: float
    label: int = 0


def find_proposals(
    scores: np.ndarray,
    threshold: float = 0.5,
    max_gap: int = 1,
    min_frames: int = 5,
    frame_inds: np.ndarray | None = None,
) -> list[Proposal]:
    """Find runs of frames at or above a threshold, sorted by class and time.

    Args:
        scores: (T,) or (T, C), one column per class; the column is the label.
        threshold: Least score of a frame.
        max_gap: Runs are merged if the first frame of the next is at most this many frames after the last frame; 1,
            as published, merges nothing, 2 bridges one low frame.
        min_frames: Shorter merged intervals are dropped.
        frame_inds: (T,) increasing frame numbers; None = 0 .. T-1.  Missing frames count as low and are not part of
            the mean score.

    Raises:
        UserError: scores are not finite or of another shape.

    Example:
        >>> find_proposals(np.array([0, 0.9, 0.7, 0]), min_frames=2)
        [Proposal(start_frame=1, end_frame=3, score=0.8, label=0)]
    """
    inds, columns = _columns(scores, frame_inds)
    proposals = []
    for label, column in enumerate(columns):
        above = np.flatnonzero(column >= threshold)
        for run in np.split(above, np.flatnonzero(np.diff(inds[above]) > max(1, max_gap)) + 1):
            if len(run) and inds[run[-1]] + 1 - inds[run[0]] >= min_frames:
                score = float(column[run[0] : run[-1] + 1].mean())
                proposals.append(Proposal(int(inds[run[0]]), int(inds[run[-1]]) + 1, score, label))
    return proposals


def fit_proposal(proposal: Proposal, mean_frames: float) -> Proposal:
    """Give a proposal of another duration than training actions 0.67 or 1.33 times theirs, around its middle frame.

    Args:
        proposal: Interval in frames.
        mean_frames: Mean duration of the training actions; NaN: the proposal stays.

    Example:
        >>> fit_proposal(Proposal(0, 20, 0.9), 5.0)
        Proposal(start_frame=6, end_frame=13, score=0.9, label=0)
    """
    first, last = proposal.start_frame, proposal.end_frame - 1
    limits = np.array([0.67, 1.33]) * np.ceil(mean_frames)
    for limit, outside in zip(limits, (last - first < limits[0], last - first > limits[1]), strict=True):
        if outside:
            middle, half = (first + last) // 2, int(limit // 2)
            return proposal._replace(start_frame=max(0, middle - half), end_frame=middle + half + 1)
    return proposal


def check_threshold(threshold: float | None) -> None:
    """Raise UserError for a score threshold outside 0..1; None is one that is still to be chosen."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(f'threshold must be 0 to 1, found {threshold}')


class ProposalRule(NamedTuple):
    """Conversion of frame scores to intervals: :func:`find_proposals`, then :func:`fit_proposal`.

    ``tools/detect.py`` chooses it and records it in the checkpoints of a scorer, as ``proposals`` of their metadata.

    Args:
        threshold, max_gap, min_frames: As of :func:`find_proposals`, in rows of the scorer's rate.
        mean_frames: (C,) mean durations of the training actions, NaN of a class without any; (): proposals stay.
    """

    threshold: float
    max_gap: int = 1
    min_frames: int = 5
    mean_frames: tuple[float, ...] = ()

    def __call__(self, scores: np.ndarray, frame_inds: np.ndarray | None = None) -> list[Proposal]:
        proposals = find_proposals(scores, *self[:3], frame_inds)
        return [fit_proposal(p, self.mean_frames[p.label]) for p in proposals] if self.mean_frames else proposals

    def to_json(self) -> dict:
        """Convert to JSON types; ``None`` for NaN."""
        return self._asdict() | {'mean_frames': [None if math.isnan(n) else n for n in self.mean_frames]}

    @classmethod
    def from_json(cls, value: Any, num_classes: int | None, where: str) -> 'ProposalRule | None':
        """Read what :meth:`to_json` gave, None of None; UserError where it is something else."""
        if value is None:
            return None
        try:
            threshold, gap, least = float(value['threshold']), int(value['max_gap']), int(value['min_frames'])
            lengths = tuple(math.nan if n is None else float(n) for n in value['mean_frames'])
            if not (
                0 <= threshold <= 1 and gap >= 0 and least >= 0 and len(lengths) in (0, num_classes or len(lengths))
            ):
                raise ValueError(value)
        except (TypeError, ValueError, LookupError) as e:
            raise UserError(f'{where}: its rule for proposals is not valid ({value}); run tools/detect.py again') from e
        return cls(threshold, gap, least, lengths)


def find_spots(
    scores: np.ndarray, threshold: float = 0.01, window: int = 1, frame_inds: np.ndarray | None = None
) -> list[Spot]:
    """Find local maxima within ``window`` frames (the first of equal ones), sorted by class and time.

    Args and Raises: as :func:`find_proposals`.
    """
    inds, columns = _columns(scores, frame_inds)
    spots = []
    for label, column in enumerate(columns):
        free = np.ones(len(inds), bool)
        chosen = []
        for i in np.argsort(-column, kind='stable'):
            if column[i] < threshold:
                break
            if free[i]:
                chosen.append(i)
                free[np.abs(inds - inds[i]) <= window] = False
        spots += [Spot(int(inds[i]), float(column[i]), label) for i in sorted(chosen)]
    return spots


def stitch_scores(windows: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Average the scores of each frame over overlapping windows of a video.

    Args:
        windows: Pairs of frame numbers (T,) and scores (T, C); at least one.

    Returns:
        Increasing frame numbers (N,) int64 and scores (N, C) float64.
    """
    windows = list(windows)
    inds, rows = np.unique(np.concatenate([inds for inds, _ in windows]), return_inverse=True)
    scores = np.concatenate([scores for _, scores in windows], dtype=np.float64)
    total = np.zeros((len(inds), scores.shape[1]))
    np.add.at(total, rows, scores)
    return inds.astype(np.int64), total / np.bincount(rows)[:, None]


def _columns(scores: np.ndarray, frame_inds: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(scores)
    inds = np.arange(len(scores)) if frame_inds is None else np.asarray(frame_inds)
    if scores.ndim not in (1, 2) or inds.shape != scores.shape[:1] or not np.isfinite(scores).all():
        raise UserError(
            'frame scores must be finite, (T,) or (T, C), one row per frame number, '
            f'found {scores.shape} with {len(inds)} frame numbers'
        )
    columns = scores[:, None] if scores.ndim == 1 else scores
    return inds, columns.T.astype(np.float64)
