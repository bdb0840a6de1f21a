"""Follow one athlete by the best path through all detections of a shot, for weak detectors."""

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import Tracklet
from .athlete_tracker import fill_gaps, to_track, usable_detections
from .box_colours import NUM_COLOURS, colour_counts, likeness, usual_colours
from .camera_cuts import CutFinder

#: Detections of a frame that a path may go through, the surest ones.
CANDIDATES = 14
#: IoU from which on a detection has a say in a box; what the course of the path says counts as one of this score.
_OVERLAP, _COURSE = 0.3, 0.2
#: Part of the best path's likeness to its own colours that other paths of a shot must have.
_SAME = 0.7


@dataclass(frozen=True)
class PathRules:
    """What makes a path good: the sum over its boxes of these weights times numbers from 0 to 1.

    Args:
        confidence: Weight of the detector's score.
        size: Weight of the square root of the box's area, relative to the frame's height (more than 1 is possible).
        centrality: Weight of the closeness to the middle of the frame: a camera follows the athlete.
        overlap: Weight of the IoU with the path's box before; twice as much where colours count.
        colours: Weight of the likeness to the colours along the best path without it; needs the frames.
        skip: Cost of each frame that is left out; twice as much where colours count: somebody who is known by them is
            followed through more.
        least: No weight: a shot has nobody when the median score along its path is below this.  Set for the packed
            detector, well below what it is on val films of its sport.
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


class PathTracker:
    """Like :class:`~vpd_mm.athlete.athlete_tracker.AthleteTracker`, for one athlete a shot.

    ByteTrack follows everybody and loses whom the detector loses or sees in halves; here the whole shot decides
    (Viterbi): a path goes through one detection a frame and may leave out frames; longer gaps lie between two paths.
    Where the frames are given, a second path keeps to the colours of the first, who are an athlete's most of the time.
    The smooth course of the path decides how much each detection of a frame has to say in its box: halves, and boxes
    around two people, do not last.  It ends with :meth:`finish` only; memory is 1.2 KB a frame, and at the end of a
    shot 3.5 KB a frame of it.

    Args:
        fps: Frames a second.
        frame_size: (width, height) of the frames, px.
        max_gap_seconds: How long a path may go undetected; the frames between are filled linearly.
        smooth_seconds: In which the course of the boxes is a parabola, as that of bodies in the air.
        rules: Weights.
        cut_threshold: See :class:`~vpd_mm.athlete.camera_cuts.CutFinder`.
        every: The detector needs to look at every so many frames only; those between are filled like gaps.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        fps: float,
        frame_size: tuple[int, int],
        max_gap_seconds: float = 0.5,
        smooth_seconds: float = 0.5,
        rules: PathRules | None = None,
        cut_threshold: float = 0.1,
        every: int = 1,
    ) -> None:
        seconds_ok = 0 <= max_gap_seconds < np.inf and 0 <= smooth_seconds < np.inf
        if not fps > 0 or min(frame_size) < 1 or not seconds_ok:
            raise UserError(
                'PathTracker: fps and frame_size must be positive, max_gap_seconds and smooth_seconds not negative, '
                f'got {fps}, {frame_size}, {max_gap_seconds}, {smooth_seconds}'
            )
        if not isinstance(every, int) or not 1 <= every <= max(round(max_gap_seconds * fps), 1):
            raise UserError(
                f'PathTracker: every must be a whole number from 1 to the {round(max_gap_seconds * fps)} frames of '
                f'max_gap_seconds={max_gap_seconds}, got {every}'
            )
        self.frame_size = frame_size
        self.every = every
        self.rules = rules or PathRules()
        self.max_gap = round(max_gap_seconds * fps)
        self.window = round(smooth_seconds * fps) // 2 * 2 + 1
        self._cuts = CutFinder(cut_threshold)
        self._frames, self._counts, self._values = array('q'), array('q'), array('f')
        self._colours = bytearray()
        self._shots: list[Tracklet] = []
        self._last: int | None = None

    def update(self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None = None) -> None:
        """Take the next frame; arguments and errors as ``AthleteTracker.update``."""
        detections = usable_detections(detections, frame_ind, self._last, self.frame_size)
        if frame_rgb is not None and self._cuts.update(frame_rgb):
            self._end_shot()
        self._last = frame_ind
        surest = detections[np.argsort(-detections[:, 4], kind='stable')[:CANDIDATES]]
        self._frames.append(frame_ind)
        self._counts.append(len(surest))
        self._values.extend(surest.ravel().tolist())
        if frame_rgb is not None:
            self._colours += colour_counts(frame_rgb, surest).tobytes()

    def finish(self) -> list[AthleteTrack]:
        """End the video: one track, or an empty list where nobody was found."""
        self._end_shot()
        return [to_track(self._shots)] if self._shots else []

    def _end_shot(self) -> None:
        if not len(self._frames):
            return
        values = np.array(self._values, np.float32).reshape(-1, 5)
        found = dict(zip(self._frames, np.split(values, np.cumsum(self._counts)[:-1]), strict=True))
        alike = None
        path = best_path(found, self.frame_size, self.max_gap, self.rules, every=self.every)
        if path and self.rules.colours and len(self._colours) == NUM_COLOURS * len(values):
            counts = np.frombuffer(bytes(self._colours), np.uint8).reshape(-1, NUM_COLOURS)
            colours = dict(zip(self._frames, np.split(counts, np.cumsum(self._counts)[:-1]), strict=True))
            usual = usual_colours(np.stack([colours[f][row] for f, row in path.items()]))
            alike = {f: likeness(rows, usual) for f, rows in colours.items()}
        self._shots += [self._person(found, path) for path in self._paths(found, alike)]
        self._frames, self._counts, self._values = array('q'), array('q'), array('f')
        self._colours = bytearray()

    def _paths(self, found: dict[int, np.ndarray], alike: dict[int, np.ndarray] | None) -> list[dict[int, int]]:
        """The best path, and the best ones before and after it of somebody who is as sure and has the colours."""
        rules, more = self.rules, None
        if alike:
            rules = replace(rules, overlap=2 * rules.overlap, skip=2 * rules.skip)
            more = {f: rules.colours * rows for f, rows in alike.items()}
        frames = sorted(found)
        kept, spans, as_first = [], [(0, len(frames))], 0.0
        while spans:
            start, end = spans.pop()
            part = {f: found[f] for f in frames[start:end]}
            path = best_path(part, self.frame_size, self.max_gap, rules, more, self.every)
            if not path:
                continue
            score = np.median([found[f][row, 4] for f, row in path.items()])
            same = float(np.median([alike[f][row] for f, row in path.items()])) if alike else 1.0
            as_first = as_first or _SAME * same
            if score >= self.rules.least and same >= as_first:
                kept.append(path)
            spans += [(start, bisect_left(frames, min(path))), (bisect_right(frames, max(path)), end)]
        return sorted(kept, key=min)

    def _person(self, found: dict[int, np.ndarray], path: dict[int, int]) -> Tracklet:
        frames = np.array(sorted(path), np.int64)
        boxes = np.stack([_fused(found[f], found[f][path[f], :4]) for f in frames.tolist()])
        scores = np.array([found[f][path[f], 4] for f in frames.tolist()], np.float32)
        person = fill_gaps(Tracklet(frames, boxes, scores.clip(0, 1)), self.max_gap)
        boxes = _smooth(person.boxes, self.window)
        for i in np.flatnonzero(np.isin(person.frame_inds, frames)):
            course = np.append(boxes[i], np.float32(_COURSE))
            boxes[i] = _fused(np.vstack([course, found[int(person.frame_inds[i])]]), boxes[i])
        return Tracklet(person.frame_inds, _steady(boxes), person.scores)


def best_path(
    found: dict[int, np.ndarray],
    frame_size: tuple[int, int],
    max_gap: int,
    rules: PathRules,
    more: dict[int, np.ndarray] | None = None,
    every: int = 1,
) -> dict[int, int]:
    """The path of the highest sum.

    A box is worth what its weights say, less the median over the frames of what the best box is worth.

    Args:
        found: Detections (n, 5) of each frame, n may be 0.
        frame_size: (width, height), px.
        max_gap: Frames in a row that a path may leave out.
        rules: Weights.
        more: What else each detection (n,) of each frame is worth.
        every: The detector looked at every so many frames; to leave out the others costs nothing.

    Returns:
        Row of the detection in each frame of the path; empty without detections.
    """
    from supervision import box_iou_batch

    worths = {frame: _worth(found[frame], frame_size, rules) for frame in sorted(found) if len(found[frame])}
    if more is not None:
        worths = {frame: worth + more[frame] for frame, worth in worths.items()}
    # Against the usual best one, or a frame left out would cost more than a wrong person.
    usual = np.median([worth.max() for worth in worths.values()]) if worths else 0.0
    sums: dict[int, np.ndarray] = {}
    before: dict[int, list[tuple[int, int]]] = {}
    for frame, worth in worths.items():
        boxes, worth = found[frame], worth - usual
        sums[frame], before[frame] = worth.copy(), [(-1, -1)] * len(boxes)
        for earlier in range(frame - 1, frame - max_gap - 2, -1):
            if earlier not in sums:
                continue
            steps = (
                sums[earlier]
                + rules.overlap * box_iou_batch(boxes[:, :4], found[earlier][:, :4])
                - rules.skip * ((frame - earlier - 1) // every)
            )
            rows = steps.argmax(axis=1)
            better = steps[np.arange(len(boxes)), rows] + worth
            for i in np.flatnonzero(better > sums[frame]):
                sums[frame][i], before[frame][i] = better[i], (earlier, int(rows[i]))
    path: dict[int, int] = {}
    if sums:
        frame = max(sums, key=lambda f: sums[f].max())
        row = int(sums[frame].argmax())
        while frame >= 0:
            path[frame] = row
            frame, row = before[frame][row]
    return path


def _worth(boxes: np.ndarray, frame_size: tuple[int, int], rules: PathRules) -> np.ndarray:
    """(n,) of each detection on its own."""
    middle = np.array(frame_size) / 2
    sizes = np.sqrt((boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)) / frame_size[1]
    off_centre = np.hypot(*((boxes[:, :2] + boxes[:, 2:4]) / 2 - middle).T) / np.hypot(*middle)
    return rules.confidence * boxes[:, 4] + rules.size * sizes + rules.centrality * (1 - off_centre).clip(0)


def _fused(boxes: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(4,): mean of those of the detections (n, 5) that overlap with ``near`` (4,), which is one of them.

    Sure and large boxes count more (halves are too small), and the more, the more they overlap.
    """
    from supervision import box_iou_batch

    areas = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)
    overlaps = np.maximum(box_iou_batch(near[None], boxes[:, :4])[0] - _OVERLAP, 0)
    weights = overlaps * (boxes[:, 4] + 1e-9) * areas
    return np.average(boxes[:, :4], axis=0, weights=weights)


def _smooth(boxes: np.ndarray, length: int) -> np.ndarray:
    """(T, 4): parabolas fitted to ``length`` frames at a time, to middles and to logarithms of sizes."""
    from scipy.signal import savgol_filter

    length = min(length, (len(boxes) - 1) // 2 * 2 + 1)
    if length <= 3:
        return boxes.copy()
    shapes = np.concatenate([boxes[:, :2] + boxes[:, 2:], np.log(boxes[:, 2:] - boxes[:, :2])], axis=1)
    middles, sizes = np.split(savgol_filter(shapes, length, 2, axis=0), 2, axis=1)
    return np.concatenate([middles - np.exp(sizes), middles + np.exp(sizes)], axis=1) / 2


def _steady(boxes: np.ndarray) -> np.ndarray:
    """(T, 4): medians of middles and sizes over three frames."""
    from scipy.ndimage import median_filter

    shapes = np.concatenate([boxes[:, :2] + boxes[:, 2:], boxes[:, 2:] - boxes[:, :2]], axis=1)
    middles, sizes = np.split(median_filter(shapes, size=(3, 1), mode='nearest'), 2, axis=1)
    return np.concatenate([middles - sizes, middles + sizes], axis=1) / 2
