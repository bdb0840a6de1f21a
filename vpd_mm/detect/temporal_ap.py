"""Average precision of detected intervals (ActivityNet) and of spotted frames."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from ..errors import UserError
from ..registry import METRICS
from .proposals import Proposal, ProposalRule, Spot, find_spots, stitch_scores

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_ROUNDING = 1e-9  # tolerates the rounding of ratios such as 7 / 10


class Detection(NamedTuple):
    """Detected action: ``position`` is (start, end exclusive), or one frame."""

    video: str
    position: tuple[float, float] | float
    score: float


def interpolated_ap(hits: np.ndarray, num_positives: int) -> float:
    """Compute the area under the interpolated precision-recall curve.

    Args:
        hits: (N,) bool, best score first.
        num_positives: Number of actions; 0 gives NaN.

    Example:
        >>> interpolated_ap([True, False, True], 2)
        0.8333333333333333
    """
    hits = np.asarray(hits, bool)
    if num_positives == 0:
        return float('nan')
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / num_positives)


def temporal_iou(interval: Sequence[float], others: np.ndarray) -> np.ndarray:
    """Return the intersection over union (G,) of an interval with (G, 2) others; ends are exclusive."""
    shared = np.clip(np.minimum(interval[1], others[:, 1]) - np.maximum(interval[0], others[:, 0]), 0, None)
    return shared / (interval[1] - interval[0] + others[:, 1] - others[:, 0] - shared)


def published_interpolated_ap(hits: np.ndarray, num_positives: int) -> float:
    """:func:`interpolated_ap` of the published code, a little lower: it leaves out steps of the curve where the
    precision before a hit is not above that of the step after it.
    """
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    area, right, height = 0.0, num_positives, 0.0
    ranks = np.flatnonzero(hits)
    for count, rank in zip(range(len(ranks), 0, -1), ranks[::-1]):
        if count == num_positives or (rank and precision[rank - 1] > height):
            area += (right - count) * height
            right, height = count, best[rank]
    return (area + right * height) / num_positives


def ap_at_tiou(
    ground_truth: Mapping[str, np.ndarray],
    detections: Sequence[Detection],
    tious: Sequence[float] = TIOUS,
    published: bool = False,
) -> np.ndarray:
    """Compute the AP (len(tious),) of one class as ActivityNet defines it; NaN without actions.

    Detections are matched in order of score to the unmatched action with the largest IoU.

    Args:
        ground_truth: Video to (G, 2) intervals, end exclusive.
        detections: Detected intervals.
        tious: Temporal IoU thresholds.
        published: As the published code: a detection ends with its last frame, one frame early, and matches all
            unmatched actions with enough IoU at once; 3/10 is below 0.3, and 3/5 below 0.6 (rounding of 0.1 * i);
            :func:`published_interpolated_ap`.
    """
    iou = (lambda ends, others: temporal_iou((ends[0], ends[1] - 1), others)) if published else temporal_iou
    limits = [0.1 * round(10 * tiou) if published else tiou - _ROUNDING for tiou in tious]
    return np.array([_ap(ground_truth, detections, iou, limit, published) for limit in limits])


def spotting_ap(ground_truth: Mapping[str, np.ndarray], detections: Sequence[Detection], tolerance: int) -> float:
    """Compute the AP of one class for spotted frames (as in E2E-Spot, Hong et al., ECCV 2022).

    Detections are matched in order of score to the nearest unmatched action within ``tolerance`` frames.

    Args:
        ground_truth: Video to (G,) frames.
        detections: Detected frames.
        tolerance: Largest distance of a match.
    """
    return _ap(ground_truth, detections, lambda frame, others: -np.abs(others - frame), -tolerance - _ROUNDING)


def _ap(
    ground_truth: Mapping[str, np.ndarray],
    detections: Sequence[Detection],
    similarity: Callable,
    threshold: float,
    published: bool = False,
) -> float:
    unmatched = {video: np.ones(len(positions), bool) for video, positions in ground_truth.items()}
    hits = np.zeros(len(detections), bool)
    for rank, i in enumerate(np.argsort([-d.score for d in detections], kind='stable')):
        video, position, _ = detections[i]
        if video in ground_truth and unmatched[video].any():
            values = np.where(unmatched[video], similarity(position, ground_truth[video]), -np.inf)
            matched = values >= threshold
            if not published:
                matched &= np.arange(len(values)) == values.argmax()
            hits[rank] = matched.any()
            unmatched[video] &= ~matched
    area = published_interpolated_ap if published else interpolated_ap
    return area(hits, sum(map(len, ground_truth.values())))


def ap_by_class(
    videos: Sequence[tuple[str, Sequence[Proposal] | Sequence[Spot], np.ndarray, np.ndarray]], ap: Callable
) -> dict[int, Any]:
    """Compute ``ap(ground_truth, detections)`` for each class that has an action.

    Args:
        videos: (video, proposals or spots, ground truth positions (G, ...), labels (G,)) each.
        ap: Function of one class, such as :func:`ap_at_tiou`.

    Raises:
        UserError: no video has an action.
    """
    classes = sorted({int(label) for *_, labels in videos for label in labels})
    if not classes:
        raise UserError('detection: no video has an action; actions.csv must label the split that is tested')
    values = {}
    for c in classes:
        ground_truth = {video: positions[labels == c] for video, _, positions, labels in videos}
        detections = [
            Detection(video, item[:2] if isinstance(item, Proposal) else item.frame, item.score)
            for video, items, _, _ in videos
            for item in items
            if item.label == c
        ]
        values[c] = ap(ground_truth, detections)
    return values


@METRICS.register_module()
class TemporalAPMetric(BaseMetric):
    """AP of detected intervals and spotted frames, computed from frame scores (paper 4.3).

    Scores of a frame in several windows are averaged.  Metrics (under ``detect/``), mean over the classes that have
    an action: ``AP@<tiou>``, their mean ``mAP``, and ``spotting_mAP@<tolerance>`` of the middle frames.

    Required of data samples (one window of one video each):

    - ``video``: name of the video;
    - ``frame_inds``: (T,) frame numbers;
    - ``frame_scores``: (T,) or (T, C) in [0, 1], one column per class;
    - ``gt_intervals``: (G, 2) actions of the whole video, end exclusive;
    - ``gt_labels``: (G,) their classes, 0 to C - 1.

    Args:
        tious: Temporal IoU thresholds.
        tolerances: Tolerances of spotting, frames.
        threshold: Score threshold of :func:`find_proposals`.
        proposals: Recorded :class:`ProposalRule` to use instead (:func:`vpd_mm.detect.search.use_recorded_rule`).
        kwargs: Arguments of mmengine's BaseMetric.

    Raises:
        UserError: no sample has an action, or a label has no column of scores.
    """

    default_prefix = 'detect'
    meanings = (
        'AP@t = average precision of the intervals that overlap an action by at least t, mAP their mean',
        'spotting_mAP@n = the same of middle frames at most n frames from those of the actions',
    )

    def __init__(
        self,
        tious: Sequence[float] = TIOUS,
        tolerances: Sequence[int] = (),
        threshold: float = 0.5,
        proposals: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tious, self.tolerances = tuple(tious), tuple(tolerances)
        self.rule = ProposalRule.from_json(proposals, None, 'TemporalAPMetric') or ProposalRule(threshold)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            scores, labels = torch.as_tensor(sample['frame_scores']).cpu().numpy(), sample['gt_labels']
            scores = scores[:, None] if scores.ndim == 1 else scores
            if labels.size and labels.max() >= scores.shape[1]:
                raise UserError(
                    f'TemporalAPMetric: video {sample["video"]} has label {labels.max()}, scores have '
                    f'{scores.shape[1]} classes; num_classes of the model must fit classes.txt'
                )
            self.results.append((sample['video'], sample['frame_inds'], scores, sample['gt_intervals'], labels))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        windows = defaultdict(list)
        for video, *window in results:
            windows[video].append(window)
        intervals, spots = [], []
        for video, parts in windows.items():
            inds, scores = stitch_scores((inds, scores) for inds, scores, _, _ in parts)
            _, _, actions, labels = parts[0]
            intervals.append((video, self.rule(scores, inds), actions, labels))
            spots.append((video, find_spots(scores, frame_inds=inds), actions.mean(1), labels))
        of_class = ap_by_class(intervals, lambda gt, detections: ap_at_tiou(gt, detections, self.tious))
        aps = np.mean([*of_class.values()], axis=0)
        metrics = {f'AP@{tiou:g}': float(ap) for tiou, ap in zip(self.tious, aps, strict=True)}
        metrics['mAP'] = float(aps.mean())
        for tolerance in self.tolerances:
            of_class = ap_by_class(spots, lambda gt, detections, n=tolerance: spotting_ap(gt, detections, n))
            metrics[f'spotting_mAP@{tolerance}'] = float(np.mean([*of_class.values()]))
        return metrics
