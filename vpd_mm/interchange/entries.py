"""Labels on their way between a corpus and a file of another program."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..corpus import VideoInfo
from ..errors import UserError, one_line
from ..files import parse_json
from ..structures import AthleteTrack, FrameTimes, Label, PoseSequence


@dataclass(frozen=True)
class LabelledVideo:
    """One athlete of one video file, and its labels in the order of their frames.

    Args:
        info: Row of videos.csv.
        athlete: Name in front of the file's, '' for the only athlete of a file.
        times: Times of its frames.
        labels: May be empty.
        track, poses: Boxes and poses in pixels of the frame, for formats that hold them; None where there are none.
    """

    info: VideoInfo
    athlete: str
    times: FrameTimes
    labels: tuple[Label, ...]
    track: AthleteTrack | None = None
    poses: PoseSequence | None = None

    @property
    def file_name(self) -> str:
        """Name of the video file with its ending; of a video without a file, its name."""
        return Path(self.info.path).name if self.info.path else self.info.file_name

    def seconds(self, frame: int, digits: int = 6) -> float:
        """Start of a frame, s, of which :func:`nearest_frame` gives the frame back.

        Raises:
            UserError: so many digits do not tell it from its neighbours.
        """
        seconds = round(float(self.times.seconds(frame)), digits)
        if nearest_frame(self.times, seconds) != frame:
            raise UserError(
                f'video {self.info.video}: the times of frame {frame} and its neighbours are the same to {digits} '
                'digits of a second; write the format csv, which counts frames'
            )
        return seconds

    def milliseconds(self, frame: int) -> int:
        """As :meth:`seconds`, in whole milliseconds."""
        return round(self.seconds(frame, digits=3) * 1000)


def by_file(videos: Iterable[LabelledVideo]) -> dict[str, list[LabelledVideo]]:
    """Athletes of each video file, by a name of the file that is unique."""
    files: dict[str, list[LabelledVideo]] = defaultdict(list)
    for video in videos:
        files[video.info.file].append(video)
    named: dict[str, list[LabelledVideo]] = {}
    for of_file in files.values():
        info = of_file[0].info
        named[info.video if info.file_name in named else info.file_name] = of_file
    return named


def nearest_frame(times: FrameTimes, seconds: float) -> int:
    """The frame whose start is nearest to a time."""
    return round(float(times.frames(seconds)))


@dataclass(frozen=True)
class Entry:
    """One label of a file, as the file gives it.

    Args:
        where: Its place in the file, for messages.
        video: Name, path or address of the video.
        label: Name of the class.
        start, end: Seconds, or frames (from 0, end exclusive); without ``end`` a moment.
        in_seconds: Unit of ``start`` and ``end``.
        rate: Frames a second at which the file counts frames; None: those of the video itself.
        athlete: '' where the file does not say.
        action_id: '' where the file has no ids that last.
        split: '' for that of the video.
    """

    where: str
    video: str
    label: str
    start: float
    end: float | None = None
    in_seconds: bool = True
    rate: float | None = None
    athlete: str = ''
    action_id: str = ''
    split: str = ''
    note: str = ''


@dataclass
class Reading:
    """Content of a file: its labels, why others were skipped, and boxes and poses by (video, athlete)."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    tracks: dict[tuple[str, str], AthleteTrack] = field(default_factory=dict)
    poses: dict[tuple[str, str], PoseSequence] = field(default_factory=dict)

    @contextmanager
    def attempt(self, where: str) -> Iterator[None]:
        """Turn a UserError inside into a skipped entry, so that the next one is read."""
        try:
            yield
        except UserError as e:
            self.skip(where, str(e))

    def skip(self, where: str, reason: str) -> None:
        self.skipped.append(one_line(f'{where}: {reason}'))


@dataclass(frozen=True)
class Source:
    """A file that is read.

    Args:
        name: Its name, for messages.
        data: Its content.
        path: Where it lies, of a file that the user named; None for an upload, beside which nothing is looked up.
    """

    name: str
    data: bytes
    path: Path | None = None

    @property
    def stem(self) -> str:
        return Path(self.name).stem

    @cached_property
    def text(self) -> str:
        """Content as text in UTF-8, without a byte order mark; UserError where it is none."""
        try:
            return self.data.decode('utf-8-sig')
        except UnicodeDecodeError as e:
            byte = f'byte 0x{e.object[e.start]:02x}'
            raise UserError(f'{self.name}: not in UTF-8 ({byte}); save it as UTF-8') from e

    def json(self) -> Any:
        """Content as JSON; raises UserError."""
        return parse_json(self.data.removeprefix(b'\xef\xbb\xbf'), self.name, 'export it again')
