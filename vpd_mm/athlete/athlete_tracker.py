"""Athlete tracking: ByteTrack within a shot, then a choice of the athletes by rules."""

from array import array
from bisect import bisect_right

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import ChoiceRules, Tracklet, choose_athletes
from .camera_cuts import CutFinder

#: Score of an interpolated box, relative to the lower score of its neighbors.
INTERPOLATED = 0.5


def athlete_names(num_athletes: int) -> tuple[str, ...]:
    """Return the names of the tracks of :meth:`AthleteTracker.finish`, in order.

    '' for one athlete, 'front' and 'back' for two, else 'athlete1', 'athlete2' ...
    """
    if num_athletes == 1:
        return ('',)
    return ('front', 'back') if num_athletes == 2 else tuple(f'athlete{i + 1}' for i in range(num_athletes))


class AthleteTracker:
    """Turn detections into one track per athlete, keeping only boxes in memory.

    ByteTrack (Zhang et al., ECCV 2022; Roboflow's ``trackers``) associates the detections of a shot; tracklets of one
    person are joined and the athletes are chosen by ``rules``.  A camera cut ends the shot; an athlete's track
    continues with the person chosen in the next shot.  Several athletes are ordered by depth: in every shot the one
    whose feet are lowest in the image comes first (see :func:`athlete_names`).  In a shot with fewer people each
    gets the athlete with the nearest foot height in the complete shots.

    Gaps up to ``max_gap_seconds`` within a shot are interpolated linearly, with half the lower score of the neighbors.

    Args:
        fps: Frames per second.
        frame_size: (width, height) of the frames, px.
        num_athletes: Athletes per shot.
        min_seconds: Shortest presence of an athlete in a shot.
        max_gap_seconds: Longest gap in the detections of one tracklet.
        rules: Weights of the choice.
        high_score: Detections at or above this score are associated first and start tracks; lower ones only continue
            tracks, so detect with a low ``score_thr`` (0.1).
        min_iou: Smallest IoU of a detection and the predicted box.
        cut_threshold: See :class:`~vpd_mm.athlete.camera_cuts.CutFinder`.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        fps: float,
        frame_size: tuple[int, int],
        num_athletes: int = 1,
        min_seconds: float = 0.3,
        max_gap_seconds: float = 0.5,
        rules: ChoiceRules | None = None,
        high_score: float = 0.5,
        min_iou: float = 0.3,
        cut_threshold: float = 0.1,
    ) -> None:
        from trackers import ByteTrackTracker

        if not fps > 0 or min(frame_size) < 1 or num_athletes < 1:
            raise UserError(
                f'AthleteTracker: fps, frame_size and num_athletes must be positive, '
                f'got {fps}, {frame_size}, {num_athletes}'
            )
        self.fps = fps
        self.frame_size = frame_size
        self.num_athletes = num_athletes
        self.rules = rules or ChoiceRules()
        self.min_frames = max(round(min_seconds * fps), 1)
        self.max_gap = round(max_gap_seconds * fps)
        # At frame_rate 30 the buffer is a number of frames; it includes the frame in which the person reappears.
        self._byte_track = ByteTrackTracker(
            lost_track_buffer=self.max_gap + 1,
            frame_rate=30.0,
            track_activation_threshold=high_score,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=high_score,
        )
        self._cuts = CutFinder(cut_threshold)
        self._pieces: dict[int, _Piece] = {}
        self._first_sights: dict[object, tuple] = {}
        self._shots: list[list[Tracklet]] = []
        self._shot_start: int | None = None
        self._last: int | None = None

    def update(self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None = None) -> None:
        """Add the next frame.

        Args:
            frame_ind: Larger than the previous one; skipped frames count as frames without detections.
            detections: (N, 5) float32 x1, y1, x2, y2, score; N may be 0.  Boxes that are NaN, empty or outside the
                frame are ignored.
            frame_rgb: (H, W, 3) uint8, needed to detect cuts.

        Raises:
            UserError: the frame index does not grow, or the shape is wrong.
        """
        detections = usable_detections(detections, frame_ind, self._last, self.frame_size)
        if frame_rgb is not None and self._cuts.update(frame_rgb):
            self._end_shot()
        if self._shot_start is None:
            self._shot_start = frame_ind
        elif self._last is not None:
            for skipped in range(self._last + 1, frame_ind)[: self.max_gap + 2]:
                self._associate(skipped, np.zeros((0, 5), np.float32))
        self._last = frame_ind
        self._associate(frame_ind, detections)

    def finish(self) -> list[AthleteTrack]:
        """End the video and return one track per athlete, in the order of :func:`athlete_names`.

        An athlete without boxes has an empty track.  The list is empty if no shot has an athlete.
        """
        self._end_shot()
        shots = [shot for shot in self._shots if shot]
        if not shots:
            return []
        athletes: list[list[Tracklet]] = [[] for _ in range(self.num_athletes)]
        for shot, slots in zip(shots, self._slots(shots), strict=True):
            for tracklet, slot in zip(shot, slots, strict=True):
                athletes[slot].append(tracklet)
        return [to_track(tracklets) for tracklets in athletes]

    def _associate(self, frame_ind: int, detections: np.ndarray) -> None:
        import supervision as sv

        tracked = self._byte_track.update(sv.Detections(xyxy=detections[:, :4], confidence=detections[:, 4]))
        number = {tracklet.tracker_id: tracklet for tracklet in self._byte_track.tracks}
        if len(tracked):
            for box, score, person in zip(tracked.xyxy, tracked.confidence, tracked.tracker_id, strict=True):
                if person >= 0:
                    if person not in self._pieces:
                        self._pieces[person] = _Piece()
                        self._pieces[person].add(*self._first_sights[number[person]])
                    self._pieces[person].add(frame_ind, box, score)
        # ByteTrack assigns an id at the second detection; keep the first one until then.
        self._first_sights = {
            tracklet: (frame_ind, *_nearest(detections, tracklet.get_state_bbox()))
            for tracklet in self._byte_track.tracks
            if tracklet.tracker_id == -1
        }

    def _end_shot(self) -> None:
        if self._shot_start is not None and self._last is not None:
            shot = [fill_gaps(piece.tracklet(), self.max_gap) for piece in self._pieces.values()]
            frames = self._last + 1 - self._shot_start
            chosen = choose_athletes(
                shot, self.num_athletes, frames, self.frame_size, self.fps, self.rules, self.min_frames
            )
            chosen = [fill_gaps(person, self.max_gap) for person in chosen]
            self._shots.append(sorted(chosen, key=_feet, reverse=True))
        self._byte_track.reset()
        self._pieces, self._first_sights = {}, {}
        self._shot_start = None

    def _slots(self, shots: list[list[Tracklet]]) -> list[list[int]]:
        """Assign the people of each shot to athletes: by depth, or by the mean foot heights of the complete shots."""
        from scipy.optimize import linear_sum_assignment

        complete = [[_feet(person) for person in shot] for shot in shots if len(shot) == self.num_athletes]
        mean = np.mean(complete, axis=0) if complete else None
        slots = []
        for shot in shots:
            if len(shot) == self.num_athletes or mean is None:
                slots.append(list(range(len(shot))))
            else:
                cost = np.abs(np.subtract.outer([_feet(person) for person in shot], mean))
                slots.append(linear_sum_assignment(cost)[1].tolist())
        return slots


def usable_detections(
    detections: np.ndarray, frame_ind: int, last: int | None, frame_size: tuple[int, int]
) -> np.ndarray:
    """Keep those of (N, 5) detections that are finite, not empty and touch the frame.

    Raises:
        UserError: the frame index does not exceed ``last``, or the shape is wrong.
    """
    detections = np.asarray(detections, np.float32)
    if last is not None and frame_ind <= last:
        raise UserError(f'AthleteTracker: frame {frame_ind} after frame {last}; frames must come in order')
    if detections.ndim != 2 or detections.shape[1] != 5:
        raise UserError(f'AthleteTracker: detections must be (n, 5), got {detections.shape} in frame {frame_ind}')
    boxes = detections[:, :4]
    with np.errstate(invalid='ignore'):
        inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < np.array(frame_size)).all(axis=1)
        usable = np.isfinite(detections).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & inside
    return detections[usable]


class _Piece:
    """Growing tracklet of 28 bytes per box, for videos of several hours."""

    def __init__(self) -> None:
        self.frame_inds, self.values = array('q'), array('f')

    def add(self, frame_ind: int, box: np.ndarray, score: float) -> None:
        self.frame_inds.append(int(frame_ind))
        self.values.extend((*box.tolist(), float(score)))

    def last(self) -> tuple[np.ndarray, float]:
        return np.array(self.values[-5:-1], np.float32), min(max(self.values[-1], 0.0), 1.0)

    def trim(self, after: int) -> None:
        """Drop the boxes up to frame ``after``, except the last box."""
        old = min(bisect_right(self.frame_inds, after), len(self.frame_inds) - 1)
        del self.frame_inds[:old], self.values[: 5 * old]

    def tracklet(self) -> Tracklet:
        values = np.array(self.values, np.float32).reshape(-1, 5)
        return Tracklet(np.array(self.frame_inds, np.int64), values[:, :4], np.clip(values[:, 4], 0, 1))


def _nearest(detections: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, float]:
    best = detections[np.abs(detections[:, :4] - box).sum(axis=1).argmin()]
    return best[:4], float(best[4])


def _feet(person: Tracklet) -> float:
    return float(np.median(person.boxes[:, 3]))


def fill_gaps(tracklet: Tracklet, max_gap: int) -> Tracklet:
    """Interpolate gaps of at most ``max_gap`` frames."""
    known = tracklet.frame_inds
    steps = np.diff(known)
    short = (steps > 1) & (steps <= max_gap + 1)
    if not short.any():
        return tracklet
    missing = np.concatenate([np.arange(a + 1, a + n) for a, n in zip(known[:-1][short], steps[short], strict=True)])
    boxes = np.column_stack([np.interp(missing, known, column) for column in tracklet.boxes.T])
    after = np.searchsorted(known, missing)
    scores = INTERPOLATED * np.minimum(tracklet.scores[after - 1], tracklet.scores[after])
    filled = Tracklet(missing, boxes.astype(np.float32), scores.astype(np.float32))
    whole = Tracklet.concatenate([tracklet, filled])
    order = np.argsort(whole.frame_inds)
    return Tracklet(whole.frame_inds[order], whole.boxes[order], whole.scores[order])


def to_track(tracklets: list[Tracklet]) -> AthleteTrack:
    """Concatenate the tracklets of one athlete, which may be none."""
    if not tracklets:
        return AthleteTrack(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    whole = Tracklet.concatenate(tracklets)
    return AthleteTrack(whole.frame_inds, whole.boxes, whole.scores)
