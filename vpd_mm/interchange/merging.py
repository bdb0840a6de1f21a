"""Labels of a file are merged into those of a corpus: added, unchanged, in conflict or skipped; nothing is lost."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..corpus import Corpus, VideoInfo
from ..corpus.stale_files import digest
from ..errors import UserError, counted, errors_name, listed, one_line
from ..structures import FrameTimes, Label
from ..structures.action import SPLITS
from ..structures.label import FORMULA, MAX_CLASS, is_class_name, spelling
from .entries import Entry, Reading, Source, nearest_frame
from .formats import Format
from .videos import KnownNames

#: Length of the action that a moment stands for, s; the moment is in its middle.
POINT_SEC = 1.0
#: Seconds by which a label may begin before its video or end after it; it is cut.
TOLERANCE_SEC = 0.5
#: A rate that a file gives for its frames is that of the video up to this share.
_SAME_RATE = 0.005
#: Name of the pose set that a file with skeletons becomes.
POSE_SET = 'cvat'


class Store(Protocol):
    """Labels of a corpus that can be changed (:class:`vpd_mm.studio.labels.LabelStore`)."""

    corpus: Corpus

    def labels(self, video: str = '') -> tuple[Any, Sequence[Label]]: ...

    def change(self, changes: Sequence[Any], source: str = 'studio', new_classes: Sequence[str] = ()) -> Any: ...


@dataclass
class MergeReport:
    """Result of an import.

    Args:
        added, unchanged: Labels that are new, and that the corpus had already.
        new_classes: Classes that were added.
        conflicts: A line for each label that overlaps another one of the corpus, or has the id of another one.
        skipped: A line for each label, box or pose of the file that was not used, with the reason.
        notes: Further lines.
    """

    added: int = 0
    unchanged: int = 0
    new_classes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def merge_files(
    store: Store,
    form: Format,
    sources: Sequence[Source],
    *,
    video: str = '',
    new_classes: bool = False,
    point_sec: float = POINT_SEC,
) -> MergeReport:
    """Add the labels of files to a corpus, as one change; nothing of the corpus is changed or deleted.

    A label is unchanged where the corpus has it with the same video, frames and class, and in conflict where it
    overlaps another label of the same video in the corpus, or has the id of another label: it is not added.  Times
    become the nearest frames.  Boxes and poses are written for videos that have none (poses as the set ``cvat``).

    Args:
        store: Labels of the corpus.
        form: Format of the files.
        sources: The files.
        video: The video that the files are about, instead of the one that they name.
        new_classes: Add classes that the corpus does not have; without, their labels are skipped.
        point_sec: Length of the action that a moment becomes, s.

    Raises:
        UserError: a file is not of this format, or the corpus has invalid labels; nothing is added.
    """
    if not 0 < point_sec <= 3600:
        raise UserError(f'the length of a moment must be above 0, at most 3600 s; found {point_sec:g}')
    known = KnownNames(store.corpus)
    if video and not known.videos_named(video):
        known.find(video)
    readings = [(source, _read(form, source, known)) for source in sources]
    merger = _Merger(store, known, point_sec, new_classes)
    for source, reading in readings:
        merger.add_labels(reading, video, f'{source.name}: ' if len(readings) > 1 else '')
    needed = {name for *_, name in merger.added}
    merger.report.new_classes = [name for name in merger.report.new_classes if name in needed]
    if merger.added:
        names = ', '.join(source.name for source in sources)
        what = f'imported {form.name} {names}'[:200]
        store.change(list(merger.added.values()), what, merger.report.new_classes)
    for source, reading in readings:
        merger.add_sequences(reading, video, source.name)
    return merger.finish()


def _read(form: Format, source: Source, known: KnownNames) -> Reading:
    """Read a file; raises UserError with its name."""
    if form.read is None:
        raise UserError(f'{form.title} is written, not read')
    if len(source.data) > form.max_bytes:
        size = len(source.data)
        raise UserError(f'{source.name}: has {size} bytes; of {form.title} at most {form.max_bytes} are read')
    try:
        return form.read(source, known)
    except UserError as e:
        where = '' if str(e).startswith((source.name, str(source.path))) else f'{source.name}: '
        raise UserError(f'{where}{e}; is it a file of {form.title}?') from e


class _Merger:
    """One import.

    Attributes:
        report: What has happened so far.
        added: New labels, as changes for the store, by what they are.
    """

    def __init__(self, store: Store, known: KnownNames, point_sec: float, new_classes: bool) -> None:
        self.corpus, self.known, self.point_sec, self.new_classes = store.corpus, known, point_sec, new_classes
        self.report = MergeReport()
        self.added: dict[tuple[str, int, int, str], dict[str, Any]] = {}
        self._classes = {spelling(name): name for name in known.classes}
        self._unknown: dict[str, int] = {}
        self._times: dict[str, FrameTimes] = {}
        self._ids: dict[str, Label] = {}
        self._new_ids: set[str] = set()
        self._stored: dict[str, list[Label]] = {}
        for label in store.labels()[1]:
            self._ids[label.action_id] = label
            self._stored.setdefault(label.video, []).append(label)

    def add_labels(self, reading: Reading, video: str, prefix: str) -> None:
        """Sort the labels of a file into those that are added and others; ``prefix`` begins the lines about them."""
        report = self.report
        report.skipped += [one_line(f'{prefix}{line}') for line in reading.skipped]
        for entry in reading.entries:
            try:
                info = self.known.find(video or entry.video, entry.athlete)
                start, end = self.frames(entry, info)
            except UserError as e:
                report.skipped.append(one_line(f'{prefix}{entry.where}: {e}'))
                continue
            name = self._class_of(entry.label)
            if name is None:
                continue
            problem = self.conflict(entry, info.video, start, end, name)
            key = info.video, start, end, name
            if problem is None:
                report.unchanged += 1
            elif problem:
                report.conflicts.append(one_line(f'{prefix}{entry.where}: {problem}'))
            elif key in self.added:
                report.skipped.append(one_line(f'{prefix}{entry.where}: {name} {start}..{end} is there twice'))
            else:
                label: dict[str, Any] = {'video': info.video, 'start_frame': start, 'end_frame': end, 'label': name}
                used = entry.action_id in self._ids or entry.action_id in self._new_ids
                if _usable_id(entry.action_id) and not used:
                    label['action_id'] = entry.action_id
                    self._new_ids.add(entry.action_id)
                label |= {'split': entry.split} if entry.split in SPLITS else {}
                label |= {'note': entry.note} if entry.note else {}
                self.added[key] = {'before': None, 'after': label}

    def _class_of(self, label: str) -> str | None:
        """Name of the class of a label as the corpus spells it; None where it has none and gets none."""
        name = self._classes.get(spelling(label))
        if name is None and self.new_classes and is_class_name(label):
            name = self._classes[spelling(label)] = label
            self.report.new_classes.append(name)
        if name is None:
            self._unknown[label] = self._unknown.get(label, 0) + 1
        return name

    def finish(self) -> MergeReport:
        """The report, with the classes that are not known."""
        have = listed(self.known.classes) or 'none'
        for name, count in self._unknown.items():
            which = f'which the corpus does not have (it has {have})'
            rule = f'name it as a class can be named: 1 to {MAX_CLASS} printable characters, no formula'
            hint = rule if self.new_classes else 'add it, or import with --new-classes'
            self.report.skipped.append(one_line(f'{counted(count, "label")} of class {name!r}, {which}; {hint}'))
        self.report.added = len(self.added)
        return self.report

    def frames(self, entry: Entry, info: VideoInfo) -> tuple[int, int]:
        """First frame and end (exclusive) of an entry; raises UserError where it is not in the video."""
        if info.video not in self._times:
            self._times[info.video] = self.corpus.times(info)
        times = self._times[info.video]
        start, end = entry.start, entry.end
        same = entry.rate is None or (times.edges is None and abs(entry.rate / info.fps - 1) <= _SAME_RATE)
        if not entry.in_seconds and same:
            if end is None:
                if not 0 <= start < info.num_frames:
                    raise UserError(f'frame {start:g} is not in video {info.video}, which has {info.num_frames}')
                start = float(times.seconds(start))
            elif start == int(start) and end == int(end):
                if not 0 <= start < end:
                    raise UserError(f'needs 0 <= start < end, found frames {start:g} to {end:g}')
                if end > info.num_frames:
                    raise UserError(f'frame {end - 1:g} is beyond the {info.num_frames} of video {info.video}')
                return int(start), int(end)
            else:
                raise UserError(f'frames must be whole numbers, found {start:g} and {end:g}')
        elif not entry.in_seconds:
            rate = entry.rate or info.fps
            start, end = start / rate, None if end is None else end / rate
        length = float(times.seconds(info.num_frames))
        if end is None:
            if not -TOLERANCE_SEC <= start <= length + TOLERANCE_SEC:
                raise UserError(f'{start:g} s is not in video {info.video}, which is {length:.2f} s long')
            middle = min(max(start, 0.0), length)
            start, end = max(0.0, middle - self.point_sec / 2), min(length, middle + self.point_sec / 2)
        if start > end:
            raise UserError(f'needs start <= end, found {start:g} s to {end:g} s')
        if start < -TOLERANCE_SEC or start >= length or end > length + TOLERANCE_SEC:
            raise UserError(f'{start:g} s to {end:g} s leaves video {info.video}, which is {length:.2f} s long')
        first = min(max(nearest_frame(times, start), 0), info.num_frames - 1)
        return first, min(max(nearest_frame(times, end), first + 1), info.num_frames)

    def conflict(self, entry: Entry, video: str, start: int, end: int, name: str) -> str | None:
        """Reason why a label cannot be added, '' where it can, None where the corpus has it."""
        stored = self._stored.get(video, [])
        if any((x.start_frame, x.end_frame, x.label) == (start, end, name) for x in stored):
            return None
        same_id = self._ids.get(entry.action_id) if entry.action_id else None
        if same_id is not None:
            return f'{name} {start}..{end} of {video} has the id of {_words(same_id)}'
        for other in stored:
            if other.start_frame < end and start < other.end_frame:
                return f'{name} {start}..{end} of {video} overlaps {_words(other)}'
        return ''

    def add_sequences(self, reading: Reading, video: str, file: str) -> None:
        """Write boxes and poses of videos that have none."""
        parts: tuple[tuple[str, Mapping], ...] = (('boxes', reading.tracks), ('poses', reading.poses))
        for what, sequences in parts:
            for (named, athlete), sequence in sequences.items():
                try:
                    with errors_name(f'{what} of {named}'):
                        info = self.known.find(video or named, athlete)
                        track = what == 'boxes'
                        path = self.corpus.track_path(info.video)
                        path = path if track else self.corpus.pose_path(POSE_SET, info.video)
                        if path.exists():
                            raise UserError(f'the corpus has {what} of {info.video} already ({path})')
                        if len(sequence) and sequence.frame_inds[-1] >= info.num_frames:
                            raise UserError(f'frame {sequence.frame_inds[-1]} is beyond the {info.num_frames} frames')
                        content = {name: zlib.crc32(array.tobytes()) for name, array in vars(sequence).items()}
                        sequence.save(path, {'imported': file, 'inputs': {'labels': digest(content)}})
                        self.report.notes.append(f'{what} of {info.video}: {path}')
                except UserError as e:
                    self.report.skipped.append(str(e))


def _words(label: Label) -> str:
    where = f'{label.label} {label.start_frame}..{label.end_frame}'
    return f'{where} of {label.video} ({label.action_id}) in the corpus'


def _usable_id(action_id: str) -> bool:
    """True for an id that an action of a corpus may have."""
    return (
        0 < len(action_id) <= 200
        and not any(c in action_id for c in ',"')
        and action_id.isprintable()
        and action_id == action_id.strip()
        and action_id[0] not in FORMULA
    )
