"""Tracking of one athlete with a weak detector: the best path through all detections of a shot."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import concatenate
from .athlete_tracker import ShotTracker, suggest
from .camera_cuts import CUT_THRESHOLD
from .track_gaps import fill_gaps

#: Number of detections per frame that a path may use, best scores first.
CANDIDATES = 14
#: Least IoU of a detection that is averaged into a box; score of the smoothed box in that average.
_OVERLAP, _SMOOTHED_SCORE = 0.3, 0.2
#: Least color similarity of further paths of a shot, relative to the first path.
_SIMILAR = 0.7

#: Levels per channel of the color histograms, and their number of bins.
LEVELS = 4
NUM_COLOURS = LEVELS**3
#: Sample points of the colors, in box sides from the center: a grid in a disk, so that most are on the person.
_POINTS = np.array([(x, y) for y in np.linspace(-0.35, 0.35, 12) for x in np.linspace(-0.35, 0.35, 12)])
_POINTS = _POINTS[np.hypot(*_POINTS.T) <= 0.36]


@dataclass(frozen=True)
class PathRules:
    """Weights of the path score, which is a sum over the boxes of the path.

    Args:
        confidence: Weight of the detection score.
        size: Weight of the square root of the box area relative to the frame height.
        centrality: Weight of the closeness to the frame center, because cameras follow the athlete.
        overlap: Weight of the IoU with the previous box of the path; doubled if colors are used.
        colours: Weight of the similarity to the colors along the best path without colors; needs the frames.
        skip: Cost of each skipped frame; doubled if colors are used.
        least: Smallest median detection score along a path; a shot without such a path has no athlete.  The default
            fits the packed detector, well below its scores on validation videos of its sport.
    """

    confidence: float = 1.5
    size: float = 1.0
    centrality: float = 3.0
    overlap: float = 1.0
    colours: float = 7.0
    skip: float = 0.3
    least: float = 0.4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, (int, float)) or not 0 <= value < np.inf:
                raise UserError(f'PathRules: {name}: numbers must be 0 or more, got {value!r}')


class PathTracker(ShotTracker):
    """Track one athlete per shot by dynamic programming over the whole shot (Viterbi).

    Alternative to :class:`~vpd_mm.athlete.athlete_tracker.AthleteTracker` for a detector that misses people or sees
    parts of them.  A path uses at most one detection per frame and may skip frames; longer gaps separate two paths.
    If frames are given, a second pass prefers the colors of the first path.  Boxes are then averaged with overlapping
    detections and a smoothed course, so boxes of half a person or of two people are corrected.  Needs 1.5 KB per
    frame, and 4 KB per frame of a shot at its end.

    Args:
        fps, frame_size: Frames per second and (width, height), px.
        max_gap_seconds: Longest gap within a path; gaps are interpolated linearly.
        smooth_seconds: Window in which the course of the boxes is fitted by a parabola.
        rules: Weights.
        cut_threshold: Argument of :func:`~vpd_mm.athlete.camera_cuts.mark_cuts`, which finds the cuts.
        every: The detector runs on every n-th frame only; frames between are filled like gaps.

    Raises UserError: an argument is out of range.
    """

    def __init__(
        self,
        fps: float,
        frame_size: tuple[int, int],
        max_gap_seconds: float = 0.5,
        smooth_seconds: float = 0.5,
        rules: PathRules | None = None,
        cut_threshold: float = CUT_THRESHOLD,
        every: int = 1,
    ) -> None:
        super().__init__(fps, frame_size, max_gap_seconds, cut_threshold)
        if not 0 <= smooth_seconds < np.inf:
            raise UserError(f'PathTracker: smooth_seconds must be 0 or more, got {smooth_seconds}')
        if not 1 <= every <= max(self.max_gap, 1):
            raise UserError(
                f'rule every={every}: must be a whole number from 1 to {max(self.max_gap, 1)}, '
                f'the frames of max_gap_seconds={max_gap_seconds:g} at {fps:g} frames per second'
            )
        self.every = every
        self.rules = rules or PathRules()
        self.window = round(smooth_seconds * fps) // 2 * 2 + 1
        self._tracks: list[AthleteTrack] = []
        self._best_path = 0.0
        self._detections: dict[int, np.ndarray] = {}
        self._colours: dict[int, np.ndarray] = {}

    def finish(self) -> list[AthleteTrack]:
        """End the video and return one track, or an empty list if no shot has an athlete."""
        self._end_shot()
        return [concatenate(self._tracks)] if self._tracks else []

    def explain(self) -> str:
        what = 'the best median score along a path'
        return suggest(what, self._best_path, 'least', self.rules.least).replace('--track', '--track method=path')

    def _add(self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None) -> None:
        best = detections[np.argsort(-detections[:, 4], kind='stable')[:CANDIDATES]]
        self._detections[frame_ind] = best
        if frame_rgb is not None:
            self._colours[frame_ind] = colour_counts(frame_rgb, best)

    def _end_shot(self) -> None:
        detections, colours = self._detections, self._colours
        similarity = None
        path = best_path(detections, self.frame_size, self.max_gap, self.rules, every=self.every)
        if path and self.rules.colours and len(colours) == len(detections):
            shares = median_colours(np.stack([colours[frame][row] for frame, row in path.items()]))
            similarity = {frame: colour_similarity(counts, shares) for frame, counts in colours.items()}
        self._tracks += [self._to_track(path) for path in self._paths(similarity)]
        self._detections, self._colours = {}, {}

    def _paths(self, similarity: dict[int, np.ndarray] | None) -> list[dict[int, int]]:
        """Return the best path of the shot, then of the rest before and after it, if confident and similar enough."""
        rules, bonus = self.rules, None
        if similarity:
            rules = replace(rules, overlap=2 * rules.overlap, skip=2 * rules.skip)
            bonus = {frame: rules.colours * values for frame, values in similarity.items()}
        detections, frames = self._detections, list(self._detections)
        kept, spans, min_similarity = [], [(0, len(frames))], 0.0
        while spans:
            start, end = spans.pop()
            part = {frame: detections[frame] for frame in frames[start:end]}
            path = best_path(part, self.frame_size, self.max_gap, rules, bonus, self.every)
            if not path:
                continue
            score = np.median([detections[frame][row, 4] for frame, row in path.items()])
            self._best_path = max(self._best_path, float(score))
            similar = float(np.median([similarity[frame][row] for frame, row in path.items()])) if similarity else 1.0
            min_similarity = min_similarity or _SIMILAR * similar
            if score >= self.rules.least and similar >= min_similarity:
                kept.append(path)
            spans += [(start, bisect_left(frames, min(path))), (bisect_right(frames, max(path)), end)]
        return sorted(kept, key=min)

    def _to_track(self, path: dict[int, int]) -> AthleteTrack:
        """Average the boxes of a path with the detections around them and smooth them."""
        frames = np.array(sorted(path), np.int64)
        chosen = np.stack([self._detections[f][path[f]] for f in frames.tolist()])
        boxes = np.stack([_fuse(self._detections[f], box) for f, box in zip(frames.tolist(), chosen[:, :4])])
        track = fill_gaps(AthleteTrack(frames, boxes, chosen[:, 4].clip(0, 1)), self.max_gap)
        boxes = _smooth(track.boxes, self.window)
        for i in np.flatnonzero(np.isin(track.frame_inds, frames)):
            smoothed = np.append(boxes[i], np.float32(_SMOOTHED_SCORE))
            boxes[i] = _fuse(np.vstack([smoothed, self._detections[int(track.frame_inds[i])]]), boxes[i])
        return replace(track, boxes=_median_of_three(boxes))


def best_path(
    detections: dict[int, np.ndarray],
    frame_size: tuple[int, int],
    max_gap: int,
    rules: PathRules,
    bonus: dict[int, np.ndarray] | None = None,
    every: int = 1,
) -> dict[int, int]:
    """Return the path with the highest sum: frame to row of the detection; empty without detections.

    The value of a box is its weighted sum minus the median over the frames of the best box's value.

    Args:
        detections: Frame, in increasing order, to (N, 5) detections; N may be 0.
        max_gap: Largest number of consecutive frames that a path may skip.
        bonus: Frame to an additional value (N,) of each detection.
        every: Interval of the detector; skipping the frames between is free.
    """
    from supervision import box_iou_batch

    values = {frame: _value(boxes, frame_size, rules) for frame, boxes in detections.items() if len(boxes)}
    if bonus is not None:
        values = {frame: value + bonus[frame] for frame, value in values.items()}
    # Without this baseline, skipping a frame would cost more than a wrong person.
    baseline = np.median([value.max() for value in values.values()]) if values else 0.0
    sums: dict[int, np.ndarray] = {}
    previous: dict[int, list[tuple[int, int]]] = {}
    for frame, value in values.items():
        boxes, value = detections[frame], value - baseline
        sums[frame], previous[frame] = value.copy(), [(-1, -1)] * len(boxes)
        for earlier in range(frame - 1, frame - max_gap - 2, -1):
            if earlier not in sums:
                continue
            steps = (
                sums[earlier]
                + rules.overlap * box_iou_batch(boxes[:, :4], detections[earlier][:, :4])
                - rules.skip * ((frame - earlier - 1) // every)
            )
            rows = steps.argmax(axis=1)
            better = steps[np.arange(len(boxes)), rows] + value
            for i in np.flatnonzero(better > sums[frame]):
                sums[frame][i], previous[frame][i] = better[i], (earlier, int(rows[i]))
    path: dict[int, int] = {}
    if sums:
        frame = max(sums, key=lambda f: sums[f].max())
        row = int(sums[frame].argmax())
        while frame >= 0:
            path[frame] = row
            frame, row = previous[frame][row]
    return path


def _value(boxes: np.ndarray, frame_size: tuple[int, int], rules: PathRules) -> np.ndarray:
    """Return the value (N,) of each detection by itself."""
    middle = np.array(frame_size) / 2
    sizes = np.sqrt(_sizes(boxes).prod(axis=1)) / frame_size[1]
    off_center = np.hypot(*(_sums(boxes) / 2 - middle).T) / np.hypot(*middle)
    return rules.confidence * boxes[:, 4] + rules.size * sizes + rules.centrality * (1 - off_center).clip(0)


def _fuse(detections: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Average the (N, 5) detections that overlap with ``box`` (4,), which is one of them, by overlap, score and area.

    Larger boxes get more weight because partial detections are too small.
    """
    from supervision import box_iou_batch

    overlaps = np.maximum(box_iou_batch(box[None], detections[:, :4])[0] - _OVERLAP, 0)
    weights = overlaps * (detections[:, 4] + 1e-9) * _sizes(detections).prod(axis=1)
    return np.average(detections[:, :4], axis=0, weights=weights)


def _smooth(boxes: np.ndarray, length: int) -> np.ndarray:
    """Fit parabolas over ``length`` frames to the centers and log sizes of (T, 4) boxes."""
    from scipy.signal import savgol_filter

    length = min(length, (len(boxes) - 1) // 2 * 2 + 1)
    if length <= 3:
        return boxes.copy()
    centers, sizes = savgol_filter(np.stack([_sums(boxes), np.log(_sizes(boxes))]), length, 2, axis=1)
    return _boxes(centers, np.exp(sizes))


def _median_of_three(boxes: np.ndarray) -> np.ndarray:
    """Filter centers and sizes of (T, 4) boxes by the median over three frames."""
    from scipy.ndimage import median_filter

    return _boxes(*median_filter(np.stack([_sums(boxes), _sizes(boxes)]), size=(1, 3, 1), mode='nearest'))


def _sums(boxes: np.ndarray) -> np.ndarray:
    """Return twice the centers (N, 2)."""
    return boxes[:, :2] + boxes[:, 2:4]


def _sizes(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2:4] - boxes[:, :2]


def _boxes(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([sums - sizes, sums + sizes], axis=1) / 2


def colour_counts(frame_rgb: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Count the colors at sample points in the middle of each box: (N, 64) uint8, equal row sums.

    ``boxes`` are (N, 4) or wider, xyxy px; points outside the frame take the color of its edge.
    """
    height, width = frame_rgb.shape[:2]
    points = (_sums(boxes) / 2)[:, None] + _sizes(boxes)[:, None] * _POINTS
    x, y = points.astype(int).clip(0, (width - 1, height - 1)).transpose(2, 0, 1)
    codes = (frame_rgb[y, x] // (256 // LEVELS)).astype(int) @ (LEVELS**2, LEVELS, 1)
    rows = codes + NUM_COLOURS * np.arange(len(boxes))[:, None]
    counts = np.bincount(rows.ravel(), minlength=NUM_COLOURS * len(boxes))
    return counts.reshape(len(boxes), NUM_COLOURS).astype(np.uint8)


def median_colours(counts: np.ndarray) -> np.ndarray:
    """Return the shares (64,) of the median of (T, 64) counts, which ignores short occlusions."""
    middle = np.median(counts, axis=0)
    return middle / max(middle.sum(), 1)


def colour_similarity(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the histogram intersection (N,) in [0, 1] of counts (N, 64) and shares (64,)."""
    return np.minimum(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), shares).sum(axis=1)
