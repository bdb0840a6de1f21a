"""Pairs of segments that the user has said are not alike: ``<corpus>/studio/rejections.csv``."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..engine.locks import file_lock
from ..structures.table_io import read_table, write_table
from .segments import Segment
from .workspace import Workspace

#: Least intersection over union at which a segment counts as the one that was rejected.
SAME_TIOU = 0.5


@dataclass(frozen=True)
class Rejection:
    """A row: the segment ``match_*`` is not of the kind of the query; end exclusive."""

    rejection_id: int
    video: str
    start_frame: int
    end_frame: int
    match_video: str
    match_start_frame: int
    match_end_frame: int

    @property
    def query(self) -> Segment:
        return Segment(self.video, self.start_frame, self.end_frame)

    @property
    def match(self) -> Segment:
        return Segment(self.match_video, self.match_start_frame, self.match_end_frame)


class Rejections:
    """The table; any number of threads and processes may read and write it."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.folder / 'rejections.csv'
        self._lock = workspace.folder / '.rejections.lock'

    def read(self) -> list[Rejection]:
        """All rows; UserError names a line that is not valid."""
        return [row for _, row in read_table(self.path, Rejection)] if self.path.exists() else []

    def of(self, query: Segment) -> list[Segment]:
        """The segments that were rejected for a query, or for one that is nearly the same interval."""
        return [row.match for row in self.read() if row.query.tiou(query) >= SAME_TIOU]

    def add(self, query: Segment, match: Segment) -> int:
        """Remember a pair; returns the number of pairs."""
        with self._locked():
            rows = self.read()
            if not any(row.query == query and row.match == match for row in rows):
                number = max((row.rejection_id for row in rows), default=0) + 1
                values = (query.video, query.start_frame, query.end_frame)
                rows.append(Rejection(number, *values, match.video, match.start_frame, match.end_frame))
                write_table(self.path, Rejection, rows)
            return len(rows)

    def remove(self, query: Segment, match: Segment) -> int:
        """Forget the rows by which :meth:`of` leaves ``match`` out; returns the number of pairs that remain."""
        with self._locked():
            rows = self.read()
            kept = [r for r in rows if r.query.tiou(query) < SAME_TIOU or r.match.tiou(match) < SAME_TIOU]
            if len(kept) < len(rows):
                write_table(self.path, Rejection, kept)
            return len(kept)

    def _locked(self) -> AbstractContextManager[None]:
        return file_lock(self._lock, wait_sec=60, busy=f'{self.path}: locked for a minute')
