"""Online athlete tracking: a final choice in every frame."""

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack
from .athlete_choice import score_people
from .athlete_tracker import INTERPOLATED, AthleteTracker


class OnlineTracker(AthleteTracker):
    """Track one athlete with constant memory and a result for every frame.

    Everyone in view is scored by ``rules`` over the last ``memory_seconds`` of the shot (``AthleteTracker``: over the
    whole shot).  The best person is the athlete until lost for longer than ``max_gap_seconds``, until a cut, or until
    another person's score is higher by more than ``switch_margin``.

    Further differences from ``AthleteTracker``: a person has no box in the first frame (ByteTrack confirms at the
    second); in a gap the last box is held with half its score; tracklets are not joined; ``min_seconds`` is not used.

    Args:
        fps: Frames per second.
        frame_size: (width, height), px.
        memory_seconds: See above.
        switch_margin: Difference of scores, which lie in [0, 1].
        options: ``max_gap_seconds``, ``rules``, ``high_score``, ``min_iou``, ``cut_threshold`` of ``AthleteTracker``.

    Raises:
        UserError: an argument is out of range, or ``num_athletes`` is not 1.
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
                f'OnlineTracker follows one athlete, with memory_seconds > 0 and switch_margin >= 0; got '
                f'{self.num_athletes}, {memory_seconds}, {switch_margin}'
            )
        self.memory = max(round(memory_seconds * fps), 2)
        self.switch_margin = switch_margin
        self._athlete: int | None = None

    def choose(
        self, frame_ind: int, detections: np.ndarray, frame_rgb: np.ndarray | None = None
    ) -> tuple[np.ndarray, float] | None:
        """Add the next frame (see ``update``) and return box (4,) float32 xyxy px and score, or None."""
        self.update(frame_ind, detections, frame_rgb)
        self._forget(frame_ind)
        if not self._pieces:
            self._athlete = None
            return None
        people = list(self._pieces)
        shot_frames = min(frame_ind + 1 - (self._shot_start or 0), self.memory)
        tracklets = [self._pieces[person].tracklet() for person in people]
        scores = dict(zip(people, score_people(tracklets, shot_frames, self.frame_size, self.rules)))
        in_view = [p for p in people if self._pieces[p].frame_inds[-1] == frame_ind]
        best = max(in_view, key=lambda p: scores[p], default=None)
        current = self._athlete if self._athlete in scores else None
        if best is not None and (current is None or scores[best] > scores[current] + self.switch_margin):
            current = best
        if current is not None and scores[current] < self.rules.min_score:
            current = None
        self._athlete = current
        if current is None:
            return None
        box, score = self._pieces[current].last()
        return box, score if current in in_view else INTERPOLATED * score

    def finish(self) -> list[AthleteTrack]:
        """Return no tracks: :meth:`choose` has returned all boxes."""
        self._end_shot()
        return []

    def _forget(self, frame_ind: int) -> None:
        for person, piece in list(self._pieces.items()):
            if frame_ind - piece.frame_inds[-1] > self.max_gap:
                del self._pieces[person]
            else:
                piece.trim(frame_ind - self.memory)

    def _end_shot(self) -> None:
        self._byte_track.reset()
        self._pieces, self._first_sights = {}, {}
        self._shot_start, self._athlete = None, None
