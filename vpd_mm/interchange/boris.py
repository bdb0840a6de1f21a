"""BORIS: projects (.boris), and exported events in the tables of current and of former versions.

An observation is one video file, its subjects are the athletes.  A state event is a pair START, STOP of one behavior
and one subject; a point event is a moment.  Where an observation plays several files one after another, its times run
on: they are taken back to each file by the lengths that BORIS notes.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import UserError
from ..files import MARK
from ..structures import Label
from .entries import Entry, LabelledVideo, Reading, Source, by_file
from .fields import dict_of, list_of, name_of, number_of, text_of
from .videos import KnownNames

#: Columns of the table of events of BORIS 8 and later; former versions lack some of them.
COLUMNS = (
    *('Observation id', 'Observation date', 'Description', 'Observation duration', 'Observation type', 'Source'),
    *('Time offset (s)', 'Media duration (s)', 'FPS', 'Subject', 'Behavior', 'Behavioral category', 'Behavior type'),
    *('Time', 'Media file name', 'Image index', 'Image file path', 'Comment'),
)
#: Columns with the name of the video, the best one first.
_MEDIA = ('media file name', 'media file path', 'media file')
_NO_SUBJECT = 'No focal subject'
#: Behaviors have one key each.
_KEYS = '123456789abcdefghijklmnopqrstuvwxyz'


class _Event(NamedTuple):
    """One event: its place, video, subject, behavior, 'START', 'STOP' or 'POINT', time in that video (s), comment."""

    where: str
    video: str
    subject: str
    behavior: str
    kind: str
    time: float
    comment: str


def read(source: Source, known: KnownNames) -> Reading:
    """Read a project or a table of events; raises UserError where it is neither."""
    reading = Reading()
    if source.text.lstrip()[:1] == '{':
        _pair(_project_events(source, reading), reading)
    else:
        _read_table(source, reading)
    return reading


def _pair(events: Iterable[_Event], reading: Reading) -> None:
    """Make state events of starts and stops."""
    started: dict[tuple[str, str, str], list[_Event]] = defaultdict(list)
    for event in events:
        key = event.video, event.subject, event.behavior
        if event.kind == 'POINT':
            reading.entries.append(_entry(event, None, event.comment))
        elif event.kind == 'START':
            started[key].append(event)
        elif started[key]:
            start = started[key].pop(0)
            reading.entries.append(_entry(start, event.time, start.comment or event.comment))
        else:
            reading.skip(event.where, f'{event.behavior} stops without a start')
    for waiting in started.values():
        for event in waiting:
            reading.skip(event.where, f'{event.behavior} starts without a stop')


def _entry(event: _Event, end: float | None, note: str) -> Entry:
    return Entry(event.where, event.video, event.behavior, event.time, end, athlete=event.subject, note=note)


def _read_table(source: Source, reading: Reading) -> None:
    header, rows = _table(source)
    events = []
    files: dict[str, set[str]] = defaultdict(set)
    for _, row in rows:
        files[row.get('observation id', '')].add(_media(row))
    for line, row in rows:
        where = f'line {line}'
        with reading.attempt(where):
            video = name_of(_media(row), 'the media file')
            behavior = name_of(row['behavior'], 'Behavior')
            subject = _subject(row.get('subject', ''))
            comment = text_of(row.get('comment') or row.get('comment start'))
            if number_of(row.get('time offset (s)') or 0, 'Time offset (s)'):
                raise UserError('its observation has a time offset; set it to 0 in BORIS and export again')
            before = _before(row, video, len(files[row.get('observation id', '')]))
            if 'time' in header:
                kind = (row.get('behavior type') or row.get('status') or 'POINT').upper()
                time = number_of(row['time'], 'Time') - before
                if kind not in ('START', 'STOP', 'POINT'):
                    raise UserError(f'the type of an event must be START, STOP or POINT, found {kind[:80]!r}')
                events.append(_Event(where, video, subject, behavior, kind, time, comment))
                continue
            start = number_of(row['start (s)'], 'Start (s)') - before
            stop = row.get('stop (s)', '')
            point = row.get('behavior type', '').upper() == 'POINT' or stop in ('', 'NA', 'nan')
            end = None if point else number_of(stop, 'Stop (s)') - before
            reading.entries.append(Entry(where, video, behavior, start, end, athlete=subject, note=comment))
    _pair(events, reading)


def _table(source: Source) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Names of the columns in lower case, and the rows below, by line; what stands above the names is passed over."""
    text = source.text
    line = next((line for line in text.splitlines() if 'Behavior' in line and ('Time' in line or 'Start' in line)), '')
    delimiter = max('\t,;', key=line.count)
    header: list[str] = []
    rows = []
    try:
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
        for cells in reader:
            names = [cell.strip().lower() for cell in cells]
            if header and any(names):
                cells = [cell.strip() for cell in cells]
                rows.append((reader.line_num, dict(zip(header, cells + [''] * len(header)))))
            elif not header and 'behavior' in names and ('time' in names or 'start (s)' in names):
                header = names
    except csv.Error as e:
        raise UserError(f'{source.name}: no table ({e}); export the events as TSV or CSV') from e
    if not header or not any(name in header for name in _MEDIA):
        raise UserError(
            f'{source.name}: no events of BORIS: needs the columns Behavior, Time (or Start (s)) and Media file name; '
            'export them as TSV or CSV, or pass the project (.boris)'
        )
    return header, rows


def _media(row: Mapping[str, str]) -> str:
    return next((row[name] for name in _MEDIA if row.get(name)), '')


def _subject(text: Any) -> str:
    subject = name_of(text, 'Subject', empty=True)
    return '' if subject == _NO_SUBJECT else subject


def _before(row: Mapping[str, str], video: str, num_files: int) -> float:
    """Length of the files that an observation plays before one, s; UserError where a table does not say."""
    if num_files <= 1:
        return 0.0
    first_player = row.get('source', '').partition('|')[0].partition(':')[2]
    lengths = row.get('media duration (s)', '').partition('|')[0].split(';')
    return _offset(first_player.split(';'), lengths, video)


def _offset(files: Sequence[str], lengths: Sequence[Any], video: str) -> float:
    base = [name.replace('\\', '/').rpartition('/')[2] for name in files]
    name = video.replace('\\', '/').rpartition('/')[2]
    if name not in base or len(lengths) != len(files):
        raise UserError('its observation plays several files and does not say how long each is; pass the project')
    return sum(number_of(length, 'Media duration (s)') for length in lengths[: base.index(name)])


def _project_events(source: Source, reading: Reading) -> Iterator[_Event]:
    """Yield the events of all observations of media, in time."""
    content = dict_of(source.json(), 'the file')
    observations = dict_of(content.get('observations'), 'observations')
    states = set()
    for behavior in dict_of(content.get('behaviors_conf', {}), 'behaviors_conf').values():
        if isinstance(behavior, dict) and str(behavior.get('type', '')).lower().startswith('state'):
            states.add(text_of(behavior.get('code')))
    for name, item in observations.items():
        with reading.attempt(f'observation {name}'):
            item = dict_of(item, 'an observation')
            if item.get('type') != 'MEDIA':
                raise UserError('is not of a media file')
            if number_of(item.get('time offset') or 0, 'time offset'):
                raise UserError('has a time offset; set it to 0 in BORIS')
            files = list_of(dict_of(item.get('file'), 'file').get('1'), 'file 1')
            files = [name_of(file, 'a media file') for file in files]
            if not files:
                raise UserError('names no media file')
            info = item.get('media_info')
            known_lengths = info.get('length', {}) if isinstance(info, dict) else {}
            lengths = [known_lengths.get(file) for file in files] if isinstance(known_lengths, dict) else []
            ends = _ends(files, lengths)
            running: dict[tuple[str, str], bool] = defaultdict(bool)
            events = list_of(item.get('events', []), 'events')
            for number, event in enumerate(events, 1):
                where = f'event {number} of observation {name}'
                with reading.attempt(where):
                    event = list_of(event, 'an event')
                    if len(event) < 3:
                        raise UserError(f'an event must be [time, subject, code, ...], found {len(event)} values')
                    time, subject = number_of(event[0], 'time'), _subject(event[1])
                    code = name_of(event[2], 'code')
                    at = next((i for i, end in enumerate(ends) if time < end), len(files) - 1)
                    kind = 'POINT'
                    if code in states:
                        kind = 'STOP' if running[subject, code] else 'START'
                        running[subject, code] = kind == 'START'
                    comment = text_of(event[4]) if len(event) > 4 else ''
                    before = ends[at - 1] if at else 0.0
                    yield _Event(where, files[at], subject, code, kind, time - before, comment)


def _ends(files: Sequence[str], lengths: Sequence[Any]) -> list[float]:
    """Times at which the files of an observation end, s; that of the last one does not matter."""
    if len(files) == 1:
        return [float('inf')]
    ends, total = [], 0.0
    for file, length in zip(files, lengths):
        if length is None:
            raise UserError(f'plays several files, and does not say how long {file} is')
        total += number_of(length, 'length')
        ends.append(total)
    return ends


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write a project with an observation for each video file; raises UserError where actions of a class overlap."""
    observations: dict[str, Any] = {}
    behaviors, subjects = {}, {}
    for i, name in enumerate(classes):
        key = _KEYS[i] if i < len(_KEYS) else ''
        fields = {'type': 'State event', 'key': key, 'code': name, 'description': '', 'color': '', 'category': ''}
        behaviors[str(i)] = {**fields, 'modifiers': '', 'excluded': '', 'coding map': ''}
    for i, athlete in enumerate(sorted({video.athlete for video in videos} - {''})):
        subjects[str(i)] = {'key': '', 'name': athlete, 'description': ''}
    for name, of_file in by_file(videos).items():
        video = of_file[0]
        path = video.info.path or video.file_name
        length = round(float(video.times.seconds(video.info.num_frames)), 3)
        events = [[time, athlete, label.label, '', label.note] for time, _, athlete, label in _events(of_file)]
        info = {'length': {path: length}, 'fps': {path: video.info.fps}, 'hasVideo': {path: True}}
        observations[name] = {
            'file': {'1': [path], **{str(player): [] for player in range(2, 9)}},
            'type': 'MEDIA',
            'date': '1970-01-01T00:00:00',
            'description': '',
            'time offset': 0.0,
            'events': events,
            'observation time interval': [0, 0],
            'independent_variables': {},
            'visualize_spectrogram': False,
            'visualize_waveform': False,
            'close_behaviors_between_videos': False,
            'media_info': {**info, 'hasAudio': {path: False}, 'offset': {'1': 0.0}},
        }
    content = {
        'time_format': 'hh:mm:ss',
        'project_date': '1970-01-01T00:00:00',
        'project_name': 'vpd_mm',
        'project_description': MARK,
        'project_format_version': '7.0',
        'subjects_conf': subjects,
        'behaviors_conf': behaviors,
        'observations': observations,
        'behavioral_categories': [],
        'independent_variables': {},
        'coding_map': {},
        'behaviors_coding_map': [],
        'converters': {},
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def write_events(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write a table of events of BORIS 8, separated by tabs; raises UserError where actions of a class overlap."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter='\t', lineterminator='\n')
    writer.writerow(COLUMNS)
    for name, of_file in by_file(videos).items():
        video = of_file[0]
        path = video.info.path or video.file_name
        length = f'{float(video.times.seconds(video.info.num_frames)):.3f}'
        about = (name, '1970-01-01 00:00:00', '', length, 'Media file(s)', f'player #1:{path}', '0.0', length)
        for time, kind, athlete, label in _events(of_file):
            event = (athlete or _NO_SUBJECT, label.label, '', kind, f'{time:.3f}', video.file_name)
            frame = label.start_frame if kind == 'START' else label.end_frame
            writer.writerow((*about, f'{video.info.fps:.3f}', *event, frame, 'NA', label.note))
    return text.getvalue().encode()


def _events(of_file: Iterable[LabelledVideo]) -> list[tuple[float, str, str, Label]]:
    """Starts and stops of the athletes of a file in time: (seconds, START or STOP, athlete, label)."""
    events = []
    for video in of_file:
        ends: dict[str, int] = {}
        for label in video.labels:
            if label.start_frame < ends.get(label.label, 0):
                raise UserError(
                    f'video {video.info.video}: two {label.label!r} overlap at frame {label.start_frame}, which BORIS '
                    'cannot hold; write another format'
                )
            ends[label.label] = label.end_frame
            events.append((video.seconds(label.start_frame, 3), 'START', video.athlete, label))
            events.append((video.seconds(label.end_frame, 3), 'STOP', video.athlete, label))
    return sorted(events, key=lambda event: (event[0], event[1] == 'START'))
