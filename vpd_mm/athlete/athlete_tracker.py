"""Follow the athlete through a video: ByteTrack within a shot, rules to choose, cuts to end."""

from array import array
from bisect import bisect_right

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import ChoiceRules, Tracklet, choose_athletes
from .camera_cuts import CutFinder

#: Score of an interpolated box, as a part of the lower score of its neighbours.
INTERPOLATED = 0.5


def athlete_names(num_athletes: int) -> tuple[str, ...]:
    """Names of the tracks that :meth:`AthleteTracker.finish` returns, in order.

    '' for one athlete, 'front' and 'back' for two, else 'athlete1', 'athlete2' ...
    """
    if num_athletes == 1:
        return ('',)
    return ('front', 'back') if num_athletes == 2 else tuple(f'athlete{i + 1}' for i in range(num_athletes))


class AthleteTracker:
    """Turn detections into one track an athlete, with memory only for the boxes.

    Within a shot detections are associated by ByteTrack (Zhang et al., ECCV
    2022; Roboflow's ``trackers``), pieces of one person are joined and the
    athletes chosen by ``rules``.  A camera cut ends the shot and all its
    tracks; the athletes' tracks go on with those chosen in the next shot.
    Several athletes are told apart by depth: in every shot the one whose feet
    are lowest in the image is first (see :func:`athlete_names`); a shot with
    fewer people fills the places whose feet are nearest in other shots.

    Gaps up to ``max_gap_seconds`` within a shot are filled linearly (score:
    half the lower of the neighbours); longer ones stay gaps.

    Args:
        fps: Frames a second.
        frame_size: (width, height) of the frames, px.
        num_athletes: Athletes a shot.
        min_seconds: Who is seen for a shorter time in a shot is no athlete.
        max_gap_seconds: How long a person may go undetected and be the same.
        rules: Weights of the choice.
        high_score: Detections at or above are associated first and start
            tracks; those below only continue them.  ``detect`` with a low
            ``score_thr`` (0.1) makes use of it.
        min_iou: Least overlap of a detection with the predicted box.
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
        # A frame rate of 30 makes lost_track_buffer a number of frames; it counts the frame of the return, too.
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
        """Take the next frame.

        Args:
            frame_ind: Larger than the last one; skipped frames count as frames
                without detections.
            detections: (n, 5) float32 x1, y1, x2, y2, score; n may be 0.  NaN,
                boxes without area and boxes outside the frame are ignored.
            frame_rgb: (H, W, 3) uint8; without it cuts go unnoticed.

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
        """End the video.

        Returns:
            One track an athlete, in the order of :func:`athlete_names`; an
            athlete never seen has an empty one.  Empty list: nobody was found.
        """
        self._end_shot()
        shots = [shot for shot in self._shots if shot]
        if not shots:
            return []
        places: list[list[Tracklet]] = [[] for _ in range(self.num_athletes)]
        for shot, slots in zip(shots, self._slots(shots), strict=True):
            for tracklet, slot in zip(shot, slots, strict=True):
                places[slot].append(tracklet)
        return [to_track(tracklets) for tracklets in places]

    def _associate(self, frame_ind: int, detections: np.ndarray) -> None:
        import supervision as sv

        found = self._byte_track.update(sv.Detections(xyxy=detections[:, :4], confidence=detections[:, 4]))
        number = {tracklet.tracker_id: tracklet for tracklet in self._byte_track.tracks}
        if len(found):
            for box, score, person in zip(found.xyxy, found.confidence, found.tracker_id, strict=True):
                if person >= 0:
                    if person not in self._pieces:
                        self._pieces[person] = _Piece()
                        self._pieces[person].add(*self._first_sights[number[person]])
                    self._pieces[person].add(frame_ind, box, score)
        # ByteTrack names a person at the second sight; the first one is kept here until then.
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
        """The place of each chosen person: by depth, and in incomplete shots by the feet of the complete ones."""
        full = [[_feet(person) for person in shot] for shot in shots if len(shot) == self.num_athletes]
        usual = np.mean(full, axis=0) if full else None
        slots = []
        for shot in shots:
            if len(shot) == self.num_athletes or usual is None:
                slots.append(list(range(len(shot))))
            else:
                slots.append(_assign([_feet(person) for person in shot], usual))
        return slots


def usable_detections(
    detections: np.ndarray, frame_ind: int, last: int | None, frame_size: tuple[int, int]
) -> np.ndarray:
    """Those of (n, 5) detections that are finite, have an area and touch the frame.

    Raises:
        UserError: the frame index does not grow beyond ``last``, or the shape is wrong.
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
    """A tracklet that grows: 28 bytes a box, since a video may be hours long."""

    def __init__(self) -> None:
        self.frame_inds, self.values = array('q'), array('f')

    def add(self, frame_ind: int, box: np.ndarray, score: float) -> None:
        self.frame_inds.append(int(frame_ind))
        self.values.extend((*box.tolist(), float(score)))

    def last(self) -> tuple[np.ndarray, float]:
        return np.array(self.values[-5:-1], np.float32), min(max(self.values[-1], 0.0), 1.0)

    def trim(self, after: int) -> None:
        """Forget what was seen up to frame ``after``, but for the last box."""
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


def _assign(feet: list[float], usual: np.ndarray) -> list[int]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(np.subtract.outer(feet, usual)))[1].tolist()


def fill_gaps(tracklet: Tracklet, max_gap: int) -> Tracklet:
    """Interpolate where at most ``max_gap`` frames are missing."""
    known = tracklet.frame_inds
    steps = np.diff(known)
    short = (steps > 1) & (steps <= max_gap + 1)
    if not short.any():
        return tracklet
    missing = np.concatenate([np.arange(a + 1, a + n) for a, n in zip(known[:-1][short], steps[short], strict=True)])
    boxes = np.column_stack([np.interp(missing, known, column) for column in tracklet.boxes.T])
    after = np.searchsorted(known, missing)
    scores = INTERPOLATED * np.minimum(tracklet.scores[after - 1], tracklet.scores[after])
    frame_inds = np.concatenate([known, missing])
    order = np.argsort(frame_inds)
    return Tracklet(
        frame_inds[order],
        np.concatenate([tracklet.boxes, boxes]).astype(np.float32)[order],
        np.concatenate([tracklet.scores, scores]).astype(np.float32)[order],
    )


def to_track(tracklets: list[Tracklet]) -> AthleteTrack:
    if not tracklets:
        return AthleteTrack(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    whole = Tracklet.concatenate(tracklets)
    return AthleteTrack(whole.frame_inds, whole.boxes, whole.scores)
