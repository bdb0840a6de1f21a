"""Decisions on predictions and the trainings in between: ``reviews.csv`` and ``trainings.csv`` of the studio."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.locks import file_lock
from ..errors import UserError
from ..structures.table_io import read_table, write_table
from .rejections import SAME_TIOU
from .segments import Segment, read_labels, segment_of
from .workspace import Workspace

DECISIONS = ('accept', 'correct', 'reject')
#: Longest time for one decision that counts as work, seconds: behind it lies a pause.
MAX_SECONDS = 120.0


@dataclass(frozen=True)
class Review:
    """A row of reviews.csv.

    Args:
        review_id: Number, from 1.
        made: Seconds since 1970.
        video, start_frame, end_frame: The prediction.
        predicted: Its class.
        decision: 'accept', 'correct' (another class) or 'reject' (no action).
        label: Class that the label got; '-' of a rejection.
        seconds: Of work, at most ``MAX_SECONDS``.
    """

    review_id: int
    made: float
    video: str
    start_frame: int
    end_frame: int
    predicted: str
    decision: str
    label: str
    seconds: float

    def __post_init__(self) -> None:
        if self.decision not in DECISIONS:
            raise UserError(f'decision must be one of {", ".join(DECISIONS)}, found {self.decision!r}')
        if not 0 <= self.seconds < float('inf'):
            raise UserError(f'seconds must be 0 or more, found {self.seconds}')

    @property
    def segment(self) -> Segment:
        return Segment(self.video, self.start_frame, self.end_frame)


@dataclass(frozen=True)
class Training:
    """A row of trainings.csv: a complete training, and its accuracy on left-out labels."""

    training_id: int
    made: float
    num_labels: int
    seconds: float
    accuracy: float
    n: int
    low: float
    high: float
    chance: float


class Reviews:
    """Both tables; any number of threads and processes may read and write them."""

    def __init__(self, workspace: Workspace) -> None:
        self.corpus = workspace.corpus
        self.path, self.trainings_path = (workspace.folder / name for name in ('reviews.csv', 'trainings.csv'))
        self._lock = workspace.folder / '.reviews.lock'

    def read(self) -> list[Review]:
        """All decisions, in order; UserError names a line that is not valid."""
        return [row for _, row in read_table(self.path, Review)] if self.path.exists() else []

    def trainings(self) -> list[Training]:
        """All trainings, in order."""
        return [row for _, row in read_table(self.trainings_path, Training)] if self.trainings_path.exists() else []

    def add(self, segment: Segment, predicted: str, decision: str, label: str, seconds: float) -> Review:
        """Record a decision."""
        with file_lock(self._lock, wait_sec=60, busy=f'{self.path}: locked for a minute'):
            rows, span = self.read(), (segment.video, segment.start_frame, segment.end_frame)
            seconds = round(min(seconds, MAX_SECONDS), 2)
            number = max((row.review_id for row in rows), default=0) + 1
            row = Review(number, round(time.time(), 3), *span, predicted, decision, label, seconds)
            write_table(self.path, Review, [*rows, row])
            return row

    def remove(self, review_id: int) -> None:
        """Take a decision back; UserError where there is none of this number."""
        with file_lock(self._lock, wait_sec=60, busy=f'{self.path}: locked for a minute'):
            rows = self.read()
            kept = [row for row in rows if row.review_id != review_id]
            if len(kept) == len(rows):
                raise UserError(f'{self.path}: no review {review_id}; it was taken back already')
            write_table(self.path, Review, kept)

    def add_training(self, made: float, num_labels: int, accuracy: Mapping[str, Any]) -> None:
        """Record a training with its accuracy (``learning.share_json``) and the work until then."""
        with file_lock(self._lock, wait_sec=60, busy=f'{self.trainings_path}: locked for a minute'):
            rows, seconds = self.trainings(), self.seconds()
            value, (low, high) = accuracy['value'], accuracy['interval']
            numbers = [round(number, 4) for number in (low, high, accuracy['chance'])]
            row = Training(len(rows) + 1, round(made, 3), num_labels, seconds, round(value, 4), accuracy['n'], *numbers)
            write_table(self.trainings_path, Training, [*rows, row])

    def seconds(self) -> float:
        """Seconds of work of all decisions."""
        return round(sum(row.seconds for row in self.read()), 2)

    def rejected(self) -> list[Segment]:
        """Predictions of which the last decision is 'reject', but for those that have got a label since."""
        last = {row.segment: row.decision for row in self.read()}
        rejected = [segment for segment, decision in last.items() if decision == 'reject']
        labels: dict[str, list[Segment]] = {}
        for action in read_labels(self.corpus)[1] if rejected else []:
            labels.setdefault(action.video, []).append(segment_of(action))
        return [segment for segment in rejected if not segment.overlaps_any(labels.get(segment.video, []), SAME_TIOU)]
