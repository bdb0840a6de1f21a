"""What a prepare run did, for people."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..structures import AthleteTrack, PoseSequence

#: Nose and COCO 5..16: the joints that the method uses.
VPD_JOINTS = (0, *range(5, 17))

#: A frame is a training target from this mean joint score on (paper, section 3.2).
CONFIDENT = 0.5

_MAX_ROWS = 40


@dataclass
class VideoReport:
    """Counts of frames of one athlete of one video.

    Args:
        video: Its name.
        num_frames: Of the video.
        tracked: With a box.
        crops: With a stored crop.
        posed: With a pose; None without a pose set.
        confident: With a mean joint score (13 joints) of at least 0.5.
        num_bytes: Of the stored crops.
        decoded: Frames decoded in this run; 0 = all was there.
        notes: What a person should know.
        failures: One line each; the video is not complete.
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

    def count(self, track: AthleteTrack, poses: PoseSequence | None) -> None:
        """Fill in the counts of a track and its poses."""
        self.tracked = len(track)
        if poses is not None:
            self.posed = len(poses)
            self.confident = int((frame_confidence(poses) >= CONFIDENT).sum())

    def line(self) -> str:
        """One line for the log."""
        if self.failures:
            return f'{self.video}: FAILED: {"; ".join(self.failures)}'
        done = f'{self.num_frames} frames, {self.tracked} tracked, {self.crops} crops'
        if self.posed is not None:
            done += f', {self.posed} poses ({self.confident} confident)'
        state = '' if self.decoded else ' (all there before)'
        return f'{self.video}: {done}, {self.num_bytes / 1e6:.1f} MB{state}' + ''.join(f'; {n}' for n in self.notes)


@dataclass
class PrepareReport:
    """What :func:`build_corpus` returns: one report a video, and what the shards take on disk."""

    videos: list[VideoReport]
    disk_bytes: int
    seconds: float

    @property
    def failures(self) -> list[tuple[str, str]]:
        """(video, line) of everything that went wrong."""
        return [(report.video, line) for report in self.videos for line in report.failures]


def frame_confidence(poses: PoseSequence) -> np.ndarray:
    """(T,) mean score of the 13 joints that the method uses."""
    return poses.scores[:, VPD_JOINTS].mean(axis=1)


def disk_bytes(directory: Path) -> int:
    """Bytes that the files of ``directory`` take on disk (sparse files count what they use)."""
    return sum(p.stat().st_blocks * 512 for p in directory.glob('*') if p.is_file())


def report_table(reports: Iterable[VideoReport], title: str) -> Table:
    """The closing table: a row a video (the first 40), and the sum; shares are of all frames."""
    reports = list(reports)
    table = Table(title=title, title_justify='left')
    table.add_column('video', overflow='fold', min_width=10)
    for column in ('frames', 'crops', 'tracked', 'poses', 'confident', 'MB'):
        table.add_column(column, justify='right', no_wrap=True)
    table.add_column('state', overflow='fold')
    for report in reports[:_MAX_ROWS]:
        table.add_row(*_cells(report), _state(report), style='red' if report.failures else None)
    if len(reports) > _MAX_ROWS:
        table.add_row(f'... {len(reports) - _MAX_ROWS} more')
    table.add_section()
    failed = sum(bool(r.failures) for r in reports)
    table.add_row(*_cells(_sum(reports)), f'{failed} failed' if failed else 'all well')
    return table


def _sum(reports: list[VideoReport]) -> VideoReport:
    total = VideoReport(f'{len(reports)} videos')
    for field_name in ('num_frames', 'tracked', 'crops', 'num_bytes'):
        setattr(total, field_name, sum(getattr(r, field_name) for r in reports))
    if any(r.posed is not None for r in reports):
        total.posed = sum(r.posed or 0 for r in reports)
        total.confident = sum(r.confident or 0 for r in reports)
    return total


def _cells(report: VideoReport) -> list[str]:
    def share(count: int | None) -> str:
        return '-' if count is None else f'{count / max(report.num_frames, 1):.1%}'

    shares = [share(report.tracked), share(report.posed), share(report.confident)]
    return [report.video, str(report.num_frames), str(report.crops), *shares, f'{report.num_bytes / 1e6:.1f}']


def _state(report: VideoReport) -> str:
    if report.failures:
        return 'failed'
    return '; '.join(report.notes) or ('done' if report.decoded else 'there before')


class ProgressDisplay:
    """Bars for every video in work and for the whole: frames/s and time left; nothing without a terminal."""

    def __init__(self, console: Console, num_videos: int) -> None:
        columns = (
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[rate]}'),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._whole = self._progress.add_task('videos', total=num_videos, rate='')
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> 'ProgressDisplay':
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def frames(self, video: str, done: int, total: int) -> None:
        """``done`` of ``total`` frames of ``video`` are through."""
        if video not in self._bars:
            self._bars[video] = self._progress.add_task(video, total=total, rate='')
        bar = self._bars[video]
        task = next(t for t in self._progress.tasks if t.id == bar)
        self._progress.update(bar, completed=done, total=total, rate=f'{task.speed or 0:.0f} frames/s')

    def finished(self, video: str, reports: list[VideoReport]) -> None:
        """``video`` is through; say what came of it."""
        if video in self._bars:
            self._progress.remove_task(self._bars.pop(video))
        self._progress.advance(self._whole)
        for report in reports:
            style = 'red' if report.failures else None
            self._progress.console.print(report.line(), style=style, markup=False, highlight=False, soft_wrap=True)
