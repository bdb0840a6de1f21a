"""From one score a frame to intervals and to spotted frames (paper 4.3)."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..errors import UserError


class Proposal(NamedTuple):
    """An interval that may hold an action; end_frame is exclusive; score = mean score of its frames."""

    start_frame: int
    end_frame: int
    score: float
    label: int = 0


class Spot(NamedTuple):
    """A frame at which an action may happen."""

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
    """Runs of frames at or above a threshold, in the order of class and time.

    Runs that lie at most ``max_gap`` frames apart become one; what is then
    shorter than ``min_frames`` is dropped.

    Args:
        scores: (T,) or (T, C), one column a class; the column is the label.
        threshold: A frame counts from this score on.
        max_gap: From the last frame of a run to the first of the next.  1, as
            published, merges only what touches; 2 bridges one low frame.
        min_frames: Shortest interval kept, bridged frames included.
        frame_inds: (T,) increasing frame numbers; None = 0 .. T-1.  Absent
            frames are below any threshold and do not enter the mean.

    Raises:
        UserError: scores are not finite or of another shape.
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


def find_spots(
    scores: np.ndarray, threshold: float = 0.01, window: int = 1, frame_inds: np.ndarray | None = None
) -> list[Spot]:
    """Frames whose score no frame within ``window`` frames exceeds (of equal ones, the first), by class and time.

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
    """Mean score of every frame over the windows of a video that hold it.

    Args:
        windows: Pairs of frame numbers (T,) and scores (T, C); at least one.

    Returns:
        (N,) int64 frame numbers, increasing, and (N, C) float64 scores.
    """
    pairs = list(windows)
    if not pairs:
        raise UserError('stitch_scores: no window given')
    inds, place = np.unique(np.concatenate([inds for inds, _ in pairs]), return_inverse=True)
    scores = np.concatenate([np.asarray(scores, np.float64) for _, scores in pairs])
    total = np.zeros((len(inds), scores.shape[1]))
    np.add.at(total, place, scores)
    return inds.astype(np.int64), total / np.bincount(place)[:, None]


def _columns(scores: np.ndarray, frame_inds: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(scores)
    inds = np.arange(len(scores)) if frame_inds is None else np.asarray(frame_inds)
    if scores.ndim not in (1, 2) or inds.shape != scores.shape[:1] or not np.isfinite(scores).all():
        found = f'{scores.shape} with {len(inds)} frame numbers'
        raise UserError(f'frame scores must be finite, (T,) or (T, C), one row a frame number, found {found}')
    columns = scores[:, None] if scores.ndim == 1 else scores
    return inds, columns.T.astype(np.float64)
