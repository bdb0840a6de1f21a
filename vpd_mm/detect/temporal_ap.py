"""How good detections are: interpolated AP at temporal IoU (ActivityNet), mAP of spotted frames within a tolerance."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import UserError
from ..registry import METRICS
from .proposals import find_proposals, find_spots, stitch_scores

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_ROUNDING = 1e-9  # 0.7 means 7 / 10 frames, whichever way that is rounded


class Detection(NamedTuple):
    """What was found in a video: ``place`` is (start, end exclusive), or one frame."""

    video: str
    place: tuple[float, float] | float
    score: float


def interpolated_ap(hits: np.ndarray, num_positives: int) -> float:
    """Area under the precision-recall curve, precision raised to the best at the same or a higher recall.

    Args:
        hits: (N,) bool, best score first.
        num_positives: Actions there are; with none, the AP is NaN.
    """
    hits = np.asarray(hits, bool)
    if num_positives == 0:
        return float('nan')
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].sum() / num_positives)


def temporal_iou(interval: Sequence[float], others: np.ndarray) -> np.ndarray:
    """(G,) intersection over union of an interval with (G, 2) others; ends are exclusive."""
    others = np.asarray(others, np.float64).reshape(-1, 2)
    shared = np.clip(np.minimum(interval[1], others[:, 1]) - np.maximum(interval[0], others[:, 0]), 0, None)
    return shared / (interval[1] - interval[0] + others[:, 1] - others[:, 0] - shared)


def ap_at_tiou(
    truth: Mapping[str, np.ndarray], detections: Iterable[Detection], tious: Sequence[float] = TIOUS
) -> np.ndarray:
    """AP of one class at each temporal IoU, as ActivityNet defines it.

    A detection, best score first, takes the free action that it overlaps most;
    it is a hit where their IoU reaches the threshold.

    Args:
        truth: Video to (G, 2) intervals, end exclusive.
        detections: With intervals.

    Returns:
        (len(tious),) AP; NaN where ``truth`` holds no action.
    """
    found = list(detections)
    return np.array([_ap(truth, found, temporal_iou, tiou - _ROUNDING) for tiou in tious])


def spotting_ap(truth: Mapping[str, np.ndarray], detections: Iterable[Detection], tolerance: int) -> float:
    """AP of one class for spotted frames (as in E2E-Spot, Hong et al., ECCV 2022).

    A detection, best score first, takes the nearest free action; it is a hit
    where they are at most ``tolerance`` frames apart.

    Args:
        truth: Video to (G,) frames.
        detections: With one frame each.
    """

    def nearness(frame: float, others: np.ndarray) -> np.ndarray:
        return -np.abs(np.asarray(others, np.float64) - frame)

    return _ap(truth, list(detections), nearness, -tolerance - _ROUNDING)


def _ap(truth: Mapping[str, np.ndarray], found: list[Detection], closeness: Callable, least: float) -> float:
    free = {video: np.ones(len(places), bool) for video, places in truth.items()}
    hits = np.zeros(len(found), bool)
    for rank, i in enumerate(np.argsort([-d.score for d in found], kind='stable')):
        video, place, _ = found[i]
        if video in truth and free[video].any():
            close = np.where(free[video], closeness(place, truth[video]), -np.inf)
            best = int(close.argmax())
            hits[rank] = close[best] >= least
            free[video][best] &= ~hits[rank]
    return interpolated_ap(hits, sum(map(len, truth.values())))


def _array(value: Any) -> np.ndarray:
    """A tensor of any device, or a sequence, as an array."""
    return value.cpu().numpy() if hasattr(value, 'cpu') else np.asarray(value)


@METRICS.register_module()
class TemporalAPMetric(BaseMetric):
    """AP of detected intervals, and of spotted frames, from scores of frames (paper 4.3).

    Scores of a frame in several windows of a video are averaged; intervals
    come from :func:`find_proposals`, spots from :func:`find_spots`.  Every AP
    is the mean over the classes that have an action.

    Required keys of a data sample (one window of one video):

        - video: Name of the video.
        - frame_inds: (T,) frame numbers.
        - frame_scores: (T,) or (T, C), one column a class, between 0 and 1.
        - gt_intervals: (G, 2) actions of the whole video, end exclusive.
        - gt_labels: (G,) their classes, 0 to C - 1.

    Gives ``AP@<tiou>``, their mean ``mAP``, and ``spotting_mAP@<tolerance>``;
    the frame to spot is the middle of the interval.

    Args:
        tious: Temporal IoU thresholds.
        tolerances: Frames by which a spot may miss; none by default.
        threshold, max_gap, min_frames: Of :func:`find_proposals`.
        spot_window: Of :func:`find_spots`.
        collect_device, prefix: As in mmengine's BaseMetric.

    Raises:
        UserError: no sample has an action, or a label has no column of scores.
    """

    default_prefix = 'detect'

    def __init__(
        self,
        tious: Sequence[float] = TIOUS,
        tolerances: Sequence[int] = (),
        threshold: float = 0.5,
        max_gap: int = 1,
        min_frames: int = 5,
        spot_window: int = 1,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.tious, self.tolerances = tuple(tious), tuple(tolerances)
        self.threshold, self.max_gap, self.min_frames = threshold, max_gap, min_frames
        self.spot_window = spot_window

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            inds, scores, intervals, labels = (
                _array(sample[key]) for key in ('frame_inds', 'frame_scores', 'gt_intervals', 'gt_labels')
            )
            scores = scores[:, None] if scores.ndim == 1 else scores
            if labels.size and labels.max() >= scores.shape[1]:
                raise UserError(
                    f'TemporalAPMetric: video {sample["video"]} has label {labels.max()}, scores have '
                    f'{scores.shape[1]} classes; num_classes of the model must fit classes.txt'
                )
            self.results.append((sample['video'], inds, scores, intervals.reshape(-1, 2), labels))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        windows: dict[str, list[Sequence[np.ndarray]]] = {}
        for video, *window in results:
            windows.setdefault(video, []).append(window)
        num_classes = results[0][2].shape[1]
        truth: list[dict] = [{} for _ in range(num_classes)]
        intervals: list[list[Detection]] = [[] for _ in range(num_classes)]
        spots: list[list[Detection]] = [[] for _ in range(num_classes)]
        for video, parts in windows.items():
            inds, scores = stitch_scores((inds, scores) for inds, scores, _, _ in parts)
            _, _, actions, labels = parts[0]
            for label in range(num_classes):
                truth[label][video] = actions[labels == label]
            for start, end, score, label in find_proposals(scores, self.threshold, self.max_gap, self.min_frames, inds):
                intervals[label].append(Detection(video, (start, end), score))
            for frame, score, label in find_spots(scores, window=self.spot_window, frame_inds=inds):
                spots[label].append(Detection(video, frame, score))
        present = [label for label in range(num_classes) if any(map(len, truth[label].values()))]
        if not present:
            raise UserError('TemporalAPMetric: no video has an action; actions.csv must label the split that is tested')
        aps = np.mean([ap_at_tiou(truth[label], intervals[label], self.tious) for label in present], axis=0)
        metrics = {f'AP@{tiou:g}': float(ap) for tiou, ap in zip(self.tious, aps, strict=True)}
        metrics['mAP'] = float(aps.mean())
        for tolerance in self.tolerances:
            middles = [{video: a.mean(axis=1) for video, a in truth[label].items()} for label in present]
            each = [spotting_ap(m, spots[label], tolerance) for m, label in zip(middles, present, strict=True)]
            metrics[f'spotting_mAP@{tolerance}'] = float(np.mean(each))
        return metrics
