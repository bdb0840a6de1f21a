"""Athlete tracking: ByteTrack within a shot, then a choice of the athletes by rules."""

import math
from abc import ABC, abstractmethod
from array import array

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import ChoiceRules, concatenate, join_tracks, score_people
from .camera_cuts import CUT_THRESHOLD
from .square_cropper import usable_boxes
from .track_gaps import INTERPOLATED, fill_gaps


def athlete_names(num_athletes: int) -> tuple[str, ...]:
    """Return the names of the tracks of :meth:`AthleteTracker.finish`, in order."""
    few = {1: ('',), 2: ('front', 'back')}
    return few.get(num_athletes) or tuple(f'athlete{i + 1}' for i in range(num_athletes))


class ShotTracker(ABC):
    """Base of the trackers: checks the detections of each frame and splits the video at camera cuts.

    Subclasses add the usable detections of a frame to the current shot, and end the shot.
    """

    def __init__(self, fps: float, frame_size: tuple[int, int], max_gap_seconds: float, cut_threshold: float) -> None:
        if not fps > 0 or min(frame_size) < 1 or not 0 <= max_gap_seconds < np.inf:
            raise UserError(
                f'{type(self).__name__}: fps and frame_size must be positive, max_gap_seconds not negative, '
                f'got {fps}, {frame_size}, {max_gap_seconds}'
            )
        self.fps, self.frame_size = fps, frame_size
        self.max_gap = round(max_gap_seconds * fps)
        self.cut_threshold = cut_threshold
        #: Best score of a usable detection; 0 without any.
        self.best_score = 0.0
        self._last = -1

    def update(
        self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None = None, cut: bool = False
    ) -> None:
        """Add the next frame.

        Args:
            frame_ind: Larger than the previous one; skipped frames count as frames without detections.
            detections: (N, 5) float32 x1, y1, x2, y2, score; N may be 0.  Boxes that are NaN, empty or outside the
                frame are ignored.
            frame_rgb: (H, W, 3) uint8, for trackers that compare colors.
            cut: A shot begins with this frame (:func:`mark_cuts`).
        """
        detections = np.asarray(detections, np.float32)
        name = type(self).__name__
        if frame_ind <= self._last:
            raise UserError(f'{name}: frame {frame_ind} after frame {self._last}; frames must come in order')
        if detections.ndim != 2 or detections.shape[1] != 5:
            raise UserError(f'{name}: detections must be (n, 5), got {detections.shape} in frame {frame_ind}')
        usable = usable_boxes(detections[:, :4], self.frame_size) & np.isfinite(detections[:, 4])
        self.best_score = max(self.best_score, *detections[usable, 4].tolist(), 0.0)
        if cut:
            self._end_shot()
        self._add(frame_ind, detections[usable], frame_rgb)
        self._last = frame_ind

    @abstractmethod
    def _add(self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None) -> None:
        """Add the usable detections of a frame."""

    @abstractmethod
    def _end_shot(self) -> None:
        """Finish the tracks before a camera cut."""

    @abstractmethod
    def explain(self) -> str:
        """Say why a video without an athlete has none: the best value seen, the limit, and the option to try."""


class AthleteTracker(ShotTracker):
    """Turn detections into one track per athlete, keeping only boxes in memory.

    ByteTrack (Zhang et al., ECCV 2022; Roboflow's ``trackers``) associates the detections of a shot; tracks of one
    person are joined and the athletes are chosen by ``rules``.  A camera cut ends the shot; an athlete's track
    continues with the person chosen in the next shot.  Several athletes are ordered by depth: in every shot the one
    whose feet are lowest in the image comes first (see :func:`athlete_names`).  In a shot with fewer people each
    gets the athlete with the nearest foot height in the complete shots.

    Gaps up to ``max_gap_seconds`` within a shot are interpolated linearly, with half the lower score of the neighbors.

    Args:
        fps, frame_size: Frames per second and (width, height), px.
        num_athletes: Athletes per shot.
        min_seconds, max_gap_seconds: Shortest presence of an athlete in a shot, and longest gap in one track.
        rules: Weights of the choice.
        high_score: Detections at or above this score are associated first and start tracks; lower ones only continue
            tracks, so detect with a low ``score_thr`` (0.1).
        min_iou: Smallest IoU of a detection and the predicted box.
        cut_threshold: Argument of :func:`~vpd_mm.athlete.camera_cuts.mark_cuts`, which finds the cuts.

    Raises UserError: an argument is out of range.
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
        cut_threshold: float = CUT_THRESHOLD,
    ) -> None:
        from trackers import ByteTrackTracker

        super().__init__(fps, frame_size, max_gap_seconds, cut_threshold)
        if num_athletes < 1:
            raise UserError(f'AthleteTracker: num_athletes must be positive, got {num_athletes}')
        self.num_athletes = num_athletes
        self.rules = rules or ChoiceRules()
        self.min_frames = max(round(min_seconds * fps), 1)
        # At frame_rate 30 the buffer is a number of frames; it includes the frame in which the person reappears.
        self._byte_track = ByteTrackTracker(
            lost_track_buffer=self.max_gap + 1,
            frame_rate=30.0,
            track_activation_threshold=high_score,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=high_score,
        )
        # Of each person rows of frame, box and score, flat: an hour of video has a million boxes.
        self._people: dict[int, array] = {}
        self._first_detections: dict[object, tuple] = {}
        self._shot_start: int | None = None
        self._shots: list[list[AthleteTrack]] = []
        self._high_score, self._min_iou = high_score, min_iou
        #: Frames of the longest track, and score of the best person, of all shots.
        self._longest, self._best_person = 0, 0.0

    def finish(self) -> list[AthleteTrack]:
        """End the video and return one track per athlete, in the order of :func:`athlete_names`.

        An athlete without boxes has an empty track.  The list is empty if no shot has an athlete.
        """
        from scipy.optimize import linear_sum_assignment

        self._end_shot()
        shots = [shot for shot in self._shots if shot]
        complete = [[_feet(person) for person in shot] for shot in shots if len(shot) == self.num_athletes]
        athletes: list[list[AthleteTrack]] = [[] for _ in range(self.num_athletes)]
        for shot in shots:
            slots = range(len(shot))
            if complete and len(shot) < self.num_athletes:
                cost = np.abs(np.subtract.outer([_feet(person) for person in shot], np.mean(complete, axis=0)))
                slots = linear_sum_assignment(cost)[1]
            for track, slot in zip(shot, slots, strict=True):
                athletes[slot].append(track)
        return [concatenate(tracks) for tracks in athletes] if shots else []

    def explain(self) -> str:
        if self.best_score < self._high_score:
            return suggest('the best score of a detection', self.best_score, 'high_score', self._high_score)
        if not self._longest:
            return f'no detection continues in another frame with min_iou={self._min_iou:g}; try --track min_iou=0.1'
        if self._longest < self.min_frames:
            seconds, limit = self._longest / self.fps, self.min_frames / self.fps
            return suggest('the longest track, in seconds,', seconds, 'min_seconds', limit)
        return suggest('the best score of a person', self._best_person, 'min_score', self.rules.min_score)

    def _add(self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None) -> None:
        if self._shot_start is None:
            self._shot_start = frame_ind
            self._last = frame_ind - 1
        for skipped in range(self._last + 1, frame_ind)[: self.max_gap + 2]:
            self._associate(skipped, np.zeros((0, 5), np.float32))
        self._associate(frame_ind, detections)

    def _associate(self, frame_ind: int, detections: np.ndarray) -> None:
        import supervision as sv

        tracked = self._byte_track.update(sv.Detections(xyxy=detections[:, :4], confidence=detections[:, 4]))
        number = {track.tracker_id: track for track in self._byte_track.tracks}
        for box, _, score, _, person, _ in tracked:
            if person is not None and person >= 0:
                if person not in self._people:
                    self._people[person] = array('d', self._first_detections[number[person]])
                self._people[person].extend((frame_ind, *box, score))
        # ByteTrack assigns an id at the second detection; keep the first one until then.
        self._first_detections = {}
        for track in self._byte_track.tracks:
            if track.tracker_id == -1:
                distances = np.abs(detections[:, :4] - track.get_state_bbox()).sum(axis=1)
                self._first_detections[track] = (frame_ind, *detections[distances.argmin()])

    def _end_shot(self) -> None:
        if self._shot_start is not None:
            tracks = [fill_gaps(_to_track(rows), self.max_gap) for rows in self._people.values()]
            joined = join_tracks(tracks, self.fps, self.rules)
            people = [p for p in joined if len(p) >= self.min_frames]
            scores = score_people(people, self._last + 1 - self._shot_start, self.frame_size, self.rules)
            self._longest = max([self._longest, *map(len, joined)])
            self._best_person = max([self._best_person, *scores.tolist()])
            best = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= self.rules.min_score]
            chosen = [fill_gaps(people[i], self.max_gap) for i in best[: self.num_athletes]]
            self._shots.append(sorted(chosen, key=_feet, reverse=True))
        self._reset()

    def _reset(self) -> None:
        self._byte_track.reset()
        self._people, self._first_detections = {}, {}
        self._shot_start = None


class OnlineTracker(AthleteTracker):
    """Track one athlete with constant memory and a result for every frame.

    Everyone in view is scored by ``rules`` over the last ``memory_seconds`` of the shot (``AthleteTracker``: over the
    whole shot).  The best person is the athlete until lost for longer than ``max_gap_seconds``, until a cut, or until
    another person's score is higher by more than ``switch_margin``, scores being in [0, 1].

    Further differences from ``AthleteTracker``: a person has no box in the first frame (ByteTrack confirms at the
    second); in a gap the last box is held with half its score; tracks are not joined; ``min_seconds`` is not used.
    Raises UserError: an argument is out of range, or ``num_athletes`` is not 1.
    """

    def __init__(
        self,
        fps: float,
        frame_size: tuple[int, int],
        memory_seconds: float = 2.0,
        switch_margin: float = 0.1,
        **options,
    ) -> None:
        super().__init__(fps, frame_size, **options)
        if self.num_athletes != 1 or not memory_seconds > 0 or switch_margin < 0:
            raise UserError(
                'OnlineTracker follows one athlete, with memory_seconds > 0 and switch_margin >= 0; got '
                f'{self.num_athletes}, {memory_seconds}, {switch_margin}'
            )
        self.memory = max(round(memory_seconds * fps), 2)
        self.switch_margin = switch_margin
        self._athlete: int | None = None

    def choose(
        self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None = None, cut: bool = False
    ) -> tuple[np.ndarray, float] | None:
        """Add the next frame (see ``update``) and return box (4,) float32 xyxy px and score, or None."""
        self.update(frame_ind, detections, frame_rgb, cut)
        people = {}
        for person, rows in list(self._people.items()):
            frames = rows[::6]
            if frame_ind - frames[-1] > self.max_gap:
                del self._people[person]
                continue
            old = sum(frame <= frame_ind - self.memory for frame in frames[:-1])
            del rows[: 6 * old]
            people[person] = _to_track(rows)
        shot_frames = min(frame_ind + 1 - (self._shot_start or 0), self.memory)
        scores = dict(zip(people, score_people(list(people.values()), shot_frames, self.frame_size, self.rules)))
        in_view = [person for person, track in people.items() if track.frame_inds[-1] == frame_ind]
        best = max(in_view, key=scores.__getitem__, default=None)
        current = self._athlete if self._athlete in scores else None
        if best is not None and (current is None or scores[best] > scores[current] + self.switch_margin):
            current = best
        if current is not None and scores[current] < self.rules.min_score:
            current = None
        self._athlete = current
        if current is None:
            return None
        box, score = people[current].boxes[-1], float(people[current].scores[-1])
        return box, score if current in in_view else INTERPOLATED * score

    def _end_shot(self) -> None:
        self._reset()
        self._athlete = None


def suggest(what: str, seen: float, name: str, limit: float) -> str:
    """Say which value was seen, the limit of rule ``name`` above it, and the option to try."""
    step = 10 if seen > 0.1 else 100
    lower = max(math.ceil(seen * step) - 1, 0) / step
    return f'{what} is {seen:.2f}, below {name}={limit:g}; try --track {name}={lower:g}'


def _to_track(rows: array) -> AthleteTrack:
    values = np.array(rows).reshape(-1, 6)
    scores = values[:, 5].clip(0, 1).astype(np.float32)
    return AthleteTrack(values[:, 0].astype(np.int64), values[:, 1:5].astype(np.float32), scores)


def _feet(person: AthleteTrack) -> float:
    return float(np.median(person.boxes[:, 3]))
