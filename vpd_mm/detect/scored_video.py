"""Frame scores of labelled videos: average precision, choice of the threshold, level of chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .proposals import Proposal, ProposalRule
from .temporal_ap import TIOUS, ap_at_tiou, ap_by_class

#: Thresholds to try below the least and, counted from 1, above the largest candidate.
_BEYOND = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04])


class ScoredVideo(NamedTuple):
    """Scores and ground truth of a video, one row per frame at the rate of the data set.

    Args:
        video: Name.
        scores: (T, C) in [0, 1].
        row_edges: (T + 1,) the first frame of each row, and the end of the video.
        intervals: (G, 2) rows of the actions, end exclusive.
        labels: (G,) their classes.
        is_labelled: False where no label tells whether the video has actions; it does not count in AP.
    """

    video: str
    scores: np.ndarray
    row_edges: np.ndarray
    intervals: np.ndarray
    labels: np.ndarray
    is_labelled: bool = True

    def to_frames(self, proposal: Proposal) -> Proposal:
        """Convert a proposal in rows to frames of the video, cut at its end."""
        start, end = self.row_edges[np.minimum(proposal[:2], len(self.scores))]
        return proposal._replace(start_frame=int(start), end_frame=int(end))


def ap_table(
    videos: Sequence[ScoredVideo], rule: ProposalRule, tious: Sequence[float] = TIOUS, published: bool = False
) -> dict[int, np.ndarray]:
    """Compute the AP (len(tious),) of the proposals for each class that has an action.

    Raises:
        UserError: no video has an action.
    """
    rows = [(v.video, rule(v.scores), v.intervals, v.labels) for v in videos]
    return ap_by_class(rows, lambda gt, detections: ap_at_tiou(gt, detections, tious, published))


def mean_ap(
    videos: Sequence[ScoredVideo], rule: ProposalRule, tious: Sequence[float] = TIOUS, published: bool = False
) -> float:
    """Mean of :func:`ap_table`."""
    return float(np.mean([*ap_table(videos, rule, tious, published).values()]))


def chance_ap(videos: Sequence[ScoredVideo], rule: ProposalRule, published: bool = False) -> float:
    """:func:`mean_ap` of the same scores at random times: those of each video are moved around its circle."""
    rng = np.random.default_rng(0)
    aps = []
    for _ in range(20):
        moved = [v._replace(scores=np.roll(v.scores, rng.integers(len(v.scores)), axis=0)) for v in videos]
        aps.append(mean_ap(moved, rule, published=published))
    return float(np.mean(aps))


def choose_threshold(
    videos: Sequence[ScoredVideo], rule: ProposalRule, candidates: Sequence[float], published: bool = False
) -> tuple[float, str]:
    """Choose the threshold with the best mean AP at tIoU 0.3 to 0.7 (paper 4.3); the middle one of ties.

    Where the best ones reach one end of the candidates, the search continues beyond it, unless ``published``.

    Returns:
        The threshold, and a line if it is at the end of the search or does not matter, else ''.
    """
    tious = (0.3, 0.4, 0.5, 0.6, 0.7)

    def search(tried: np.ndarray) -> tuple[np.ndarray, float]:
        means = np.array([mean_ap(videos, rule._replace(threshold=float(t)), tious, published) for t in tried])
        return np.flatnonzero(means >= means.max() - 1e-9), float(means.max())

    tried = np.array(candidates)
    best, ap = search(tried)
    chosen = best[len(best) // 2]
    below, above = _BEYOND[tried[0] > _BEYOND], 1 - _BEYOND[1 - tried[-1] > _BEYOND][::-1]
    at_ends = best[0] == 0, best[-1] == len(tried) - 1
    if any(at_ends) and not published and not (all(at_ends) and ap > 1 - 1e-9):
        tried = np.concatenate([below[: len(below) * at_ends[0]], tried, above[: len(above) * at_ends[1]]])
        best, ap = search(tried)
        middle = (tried[best[0]] + tried[best[-1]]) / 2
        chosen = best[np.abs(tried[best] - middle).argmin()]
    threshold, searched = round(float(tried[chosen]), 6), f'({tried[0]:g} to {tried[-1]:g})'
    if len(best) == len(tried):
        return threshold, '' if ap > 1 - 1e-9 else f'every threshold {searched} gives the same AP, {100 * ap:.1f} %'
    if chosen in (0, len(tried) - 1):
        text = f'threshold {threshold:g} is at the end of the search {searched}: the scores hardly separate'
        return threshold, f'{text} actions from the rest; train on more labelled videos'
    return threshold, ''
