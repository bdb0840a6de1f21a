"""Report of a prepare run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.table import Table

from ..corpus.consistency import crops_differ
from ..errors import counted, one_line
from ..files import list_folder
from ..structures import AthleteTrack, PoseSequence
from .readiness import CHECKS, confident_frames

_MAX_ROWS = 40


@dataclass
class VideoReport:
    """Frame counts of one athlete of one video.

    Args:
        video, num_frames: Name and frames of the video.
        tracked, crops: Frames with a box, and with a stored crop.
        posed, confident: Frames with a pose, and with a mean joint score (13 joints) of at least 0.5; None without a
            pose set.
        num_bytes: Size of the stored crops.
        decoded: Frames decoded in this run; 0 = the video was complete.
        notes, failures: Remarks, and errors, one line each; a video with errors is not complete.
    """

    video: str
    num_frames: int = 0
    tracked: int = 0
    crops: int = 0
    posed: int | None = None
    confident: int | None = None
    num_bytes: int = 0
    decoded: int = 0
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.video = one_line(self.video)

    def count(self, track: AthleteTrack, poses: PoseSequence | None) -> None:
        """Fill in the counts of a track and its poses."""
        self.tracked = len(track)
        if poses is not None:
            self.posed = len(poses)
            self.confident = int(confident_frames(poses).sum())

    def note_gaps(self, track: AthleteTrack, crops: np.ndarray) -> None:
        """Note a coverage below the limits of inspect, and crops, given by their frames, that are not of the track."""
        pairs = {'tracked': (self.tracked, self.num_frames), 'confident': (self.confident or 0, self.tracked)}
        if self.posed is None:
            del pairs['confident']
        checks = [check for check in CHECKS if check.name in pairs and not check.passes(*pairs[check.name])]
        self.notes += [f'! {check.text(*pairs[check.name])}' for check in checks]
        if text := crops_differ(track.frame_inds, crops):
            self.notes.append(f'! {text}; pass --redo {self.video}')

    @property
    def is_marked(self) -> bool:
        """True where a note says that a limit is not met."""
        return any(note.startswith('!') for note in self.notes)

    def line(self) -> str:
        """One line for the log."""
        if self.failures:
            return f'{self.video}: FAILED: {"; ".join(self.failures)}'
        counts = f'{self.num_frames} frames, {self.tracked} tracked, {self.crops} crops'
        if self.posed is not None:
            counts += f', {self.posed} poses ({self.confident} confident)'
        state = '' if self.decoded else ' (nothing to do)'
        return '; '.join([f'{self.video}: {counts}, {self.num_bytes / 1e6:.1f} MB{state}', *self.notes])


@dataclass
class PrepareReport:
    """Result of :func:`build_corpus`: one report per video, the size of the shards, the time."""

    videos: list[VideoReport]
    disk_bytes: int
    seconds: float

    @property
    def failures(self) -> list[tuple[str, str]]:
        """(video, line) of every error."""
        return [(report.video, line) for report in self.videos for line in report.failures]


def disk_bytes(directory: Path) -> int:
    """Size on disk of the files of ``directory`` (sparse files count what they use)."""
    sizes = (path.stat() for path in list_folder(directory) if path.is_file())
    return sum(size.st_blocks * 512 if hasattr(size, 'st_blocks') else size.st_size for size in sizes)


def report_table(reports: Sequence[VideoReport], title: str) -> Table:
    """Make a table with one row per video (the first 40) and the sum."""
    shares = 'tracked: share of the frames; poses, confident: shares of the tracked frames; !: below or beyond a limit'
    table = Table(title=title, title_justify='left', caption=shares, caption_justify='left')
    table.add_column('video', min_width=10)
    for column in ('frames', 'crops', 'tracked', 'poses', 'confident', 'MB'):
        table.add_column(column, justify='right', no_wrap=True)
    table.add_column('state')
    total = VideoReport(counted(len(reports), 'video'))
    for i, report in enumerate(reports):
        for name in ('num_frames', 'tracked', 'crops', 'posed', 'confident', 'num_bytes'):
            if (count := getattr(report, name)) is not None:
                setattr(total, name, (getattr(total, name) or 0) + count)
        if i < _MAX_ROWS:
            done = 'done' if report.decoded else 'skipped'
            state = 'failed' if report.failures else '; '.join(report.notes) or done
            table.add_row(*_cells(report), state, style='red' if report.failures else None)
    if len(reports) > _MAX_ROWS:
        table.add_row(f'... {len(reports) - _MAX_ROWS} more')
    table.add_section()
    table.add_row(*_cells(total), summary(reports))
    return table


def summary(reports: Sequence[VideoReport]) -> str:
    """Say how many videos failed or are marked."""
    failed = sum(bool(r.failures) for r in reports)
    marked = sum(r.is_marked for r in reports)
    counts = {'failed': failed, 'marked (!)': marked}
    return ', '.join(f'{number} {what}' for what, number in counts.items() if number) or 'no errors'


def _cells(report: VideoReport) -> list[str]:
    shares = [
        '-' if count is None else f'{count / max(total, 1):.1%}'
        for count, total in (
            (report.tracked, report.num_frames),
            (report.posed, report.tracked),
            (report.confident, report.tracked),
        )
    ]
    return [report.video, str(report.num_frames), str(report.crops), *shares, f'{report.num_bytes / 1e6:.1f}']
