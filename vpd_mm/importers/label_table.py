"""Labels of one's own: a CSV table with a row per action, or per video, becomes the annotations of a corpus."""

import csv
import difflib
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from ..corpus import Corpus, VideoInfo
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError, errors_name
from ..files import composed, open_text
from ..structures import Action, load_classes
from ..structures.action import SPLITS
from ..structures.label import spelling
from .labels import LabelSet, check_corpus, check_labels, write_labels
from .report import ImportReport

#: Start and end of an action; without these columns, or where both are empty, an action is the whole video.
INTERVALS = (('start_frame', 'end_frame'), ('start_sec', 'end_sec'))
NEEDED, OPTIONAL = ('video', 'label'), ('action_id', 'split', 'athlete')
#: Share of each class that is tested on, and share of the rest that validates.
TEST_SHARE, VAL_SHARE = 0.3, 0.4
#: Below so many athletes, or videos, a smaller unit is divided.
MIN_GROUPS = 3
#: An end so many seconds beyond that of the video is cut.
TOLERANCE_SEC = 0.5
#: Name of a count of the report.
ATHLETES_SHARED = 'athletes with actions in several splits'
#: ``LabelSet.divided`` in words.
DIVIDED = {
    'athlete': 'whole athletes were divided',
    'video': 'whole videos were divided',
    'action': 'the actions were divided one by one, as there are fewer than three videos',
}
#: Action id to the name of its group.
_Groups = Mapping[str, str]


@dataclass(frozen=True)
class LabelRow:
    """A row of a table: its line, the video as written, the label; '' and None where the table is silent."""

    line: int
    video: str
    label: str
    start: float | None = None
    end: float | None = None
    in_seconds: bool = False
    action_id: str = ''
    split: str = ''
    athlete: str = ''


def read_label_table(path: str | os.PathLike) -> list[LabelRow]:
    """Read a table of labels: the columns ``video`` and ``label``, in any order, separated by comma, semicolon or tab.

    Further columns: ``start_sec`` and ``end_sec``, or ``start_frame`` and ``end_frame`` (from 0, end exclusive);
    ``action_id``; ``split`` (of all rows or of none); ``athlete``, whose actions stay in one split.  A label is a name,
    or the number of a line of a ``classes.txt`` beside the table (actions.csv of a corpus).

    Raises:
        UserError: a column is missing or not known, or a value is not valid; the message names the line.
    """
    with open_text(path, missing='pass a CSV file with the columns video,label') as f:
        rows = parse_label_table(f, path)
    return _with_names(Path(path), rows)


def parse_label_table(file: IO[str], where: object) -> list[LabelRow]:
    """As :func:`read_label_table`, of an open text, beside which there is no ``classes.txt``; ``where`` is its name."""
    first = file.readline()
    file.seek(0)
    delimiter = max(',;\t', key=first.count)
    rows = []
    try:
        reader = csv.DictReader(file, delimiter=delimiter)
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        interval = _interval(where, names)
        for texts in reader:
            line = reader.line_num
            with errors_name(f'{where}:{line}'):
                if None in texts or None in texts.values():
                    raise UserError(f'needs {len(names)} values, as in the first line')
                values = {name: composed(text.strip()) for name, text in texts.items()}
                if any(values.values()):
                    rows.append(_row(line, values, interval))
    except csv.Error as e:
        raise UserError(f'{where}: no CSV ({e}); save it as CSV in UTF-8') from e
    if not rows:
        raise UserError(f'{where}: holds no row below its first line')
    if 0 < sum(not row.split for row in rows) < len(rows):
        line = next(row.line for row in rows if not row.split)
        raise UserError(f'{where}:{line}: has no split, other rows have one; give one to all rows or to none')
    _check_spelling(where, rows)
    return rows


def _interval(path: object, names: Sequence[str]) -> tuple[str, str] | None:
    """The columns of start and end; UserError where columns are missing, not known, or there twice."""
    known = [*NEEDED, *INTERVALS[0], *INTERVALS[1], *OPTIONAL]
    missing = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in known]
    if missing or unknown or len(set(names)) < len(names):
        what = f'has no column {missing[0]}' if missing else f'unknown column {unknown[0]!r}' if unknown else 'twice'
        actual = ','.join(names[:10])
        raise UserError(f'{path}:1: {what}; video,label are needed, of {",".join(known)}; found {actual}')
    given = [pair for pair in INTERVALS if set(pair) & set(names)]
    if len(given) > 1 or (given and not set(given[0]) <= set(names)):
        raise UserError(f'{path}:1: needs start and end either in frames or in seconds; found {",".join(names)}')
    return given[0] if given else None


def _row(line: int, values: Mapping[str, str], interval: tuple[str, str] | None) -> LabelRow:
    for name in NEEDED:
        if not values[name]:
            raise UserError(f'{name} is empty')
    if (split := values.get('split')) and split not in SPLITS:
        raise UserError(f'split must be one of {", ".join(SPLITS)}, found {split!r}')
    span: dict = {}
    if interval and any(values[name] for name in interval):
        in_seconds = interval == INTERVALS[1]
        start, end = (_number(name, values[name], in_seconds) for name in interval)
        if not 0 <= start < end:
            raise UserError(f'needs 0 <= {interval[0]} < {interval[1]}, found {start:g} and {end:g}')
        span = {'start': start, 'end': end, 'in_seconds': in_seconds}
    span |= {name: values[name] for name in OPTIONAL if name in values}
    return LabelRow(line, values['video'], values['label'], **span)


def _number(name: str, text: str, in_seconds: bool) -> float:
    """A number of seconds, also with a decimal comma, or a whole number of frames."""
    try:
        value = float(text.replace(',', '.')) if in_seconds else int(text)
        if not math.isfinite(value):
            raise ValueError(text)
    except (ValueError, OverflowError) as e:
        raise UserError(f'{name} must be {"seconds, such as 2.5" if in_seconds else "a frame"}, found {text!r}') from e
    return value


def _check_spelling(path: object, rows: Sequence[LabelRow]) -> None:
    """Raise UserError where two labels differ in case or spaces alone: they would be two classes."""
    spelled: dict[str, LabelRow] = {}
    for row in rows:
        other = spelled.setdefault(spelling(row.label), row)
        if other.label != row.label:
            raise UserError(
                f'{path}:{row.line}: label {row.label!r} is {other.label!r} on line {other.line}; write both the same'
            )


def _with_names(path: Path, rows: list[LabelRow]) -> list[LabelRow]:
    """Replace numbers by the lines of a ``classes.txt`` beside the table."""
    beside = path.with_name('classes.txt')
    if not beside.is_file() or not all(row.label.isdigit() for row in rows):
        return rows
    classes = load_classes(beside)
    for row in rows:
        if int(row.label) >= len(classes):
            raise UserError(f'{path}:{row.line}: label {row.label} is not in {beside}, which has {len(classes)} lines')
    return [replace(row, label=classes[int(row.label)]) for row in rows]


def import_label_table(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    seed: int = 0,
    overwrite: bool = False,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Write actions.csv and classes.txt of a corpus from a table (:func:`read_label_table`).

    Without a column ``split``, about 30 % of each class become 'test' and 40 % of the rest 'val', all actions of an
    athlete (with that column), or of a video file, in one split.  No split stays empty if that is possible, and a class
    keeps a training action.  Below ``MIN_GROUPS`` athletes videos are divided, below so many videos the actions one by
    one.  The notes of the report say what was divided, and what the splits do not allow.  Actions of videos that could
    not be prepared are left out and counted.

    Args:
        source: The table.
        out: An existing corpus.
        seed: Of the split.
        overwrite: Replace other actions of the corpus.
        on_progress: Called with (done, total) rows.

    Raises:
        UserError: the table is not valid, names an unknown video or a time beyond its end, or the corpus has other
            actions, without ``overwrite``; nothing is written.
    """
    rows, corpus = read_label_table(source), Corpus.open(out)
    with corpus.lock(), corpus.lock_labels():
        labels = label_set(source, rows, corpus, seed)
        check_labels(labels)
        if not overwrite:
            check_corpus(corpus, labels)
        write_labels(corpus, labels)
    on_progress(len(rows), len(rows))
    notes = [f'no column split: {DIVIDED[labels.divided]}'] if labels.divided else []
    problem = split_problem(labels)
    return ImportReport(labels.counts(), notes=[*notes, *([f'warning: {problem}'] if problem else [])])


def label_set(source: str | os.PathLike, rows: Sequence[LabelRow], corpus: Corpus, seed: int = 0) -> LabelSet:
    """The labels of a table for the videos of a corpus, with their splits; raises UserError."""
    videos, failed = corpus.videos(), corpus.failures()
    classes = sorted({row.label for row in rows}, key=lambda name: (name.isdigit() and int(name), name))
    actions: dict[str, Action] = {}
    files: dict[str, str] = {}
    athletes: dict[str, str] = {}
    left_out = 0
    for row in rows:
        with errors_name(f'{source}:{row.line}'):
            name = find_video(row.video, videos, failed)
            if name not in videos:
                left_out += 1
                continue
            start, end = _frames(row, videos[name], corpus)
            action_id = row.action_id or f'{name}:{start}:{end}'
            if action_id in actions:
                raise UserError(f'action {action_id} is there twice')
            label = classes.index(row.label)
            actions[action_id] = Action(action_id, name, start, end, label, row.split or 'train')
            files[action_id] = videos[name].file
            athletes[action_id] = row.athlete or videos[name].file
    more = {'actions left out: video not prepared': left_out}
    labels = LabelSet(corpus.sport, videos, classes, list(actions.values()), other_counts=more)
    if not rows[0].split:
        labels = with_splits(labels, _units(rows, athletes, files), seed)
    splits: dict[str, set[str]] = {}
    for action in labels.actions:
        splits.setdefault(athletes[action.action_id], set()).add(action.split)
    more[ATHLETES_SHARED] = sum(len(of) > 1 for of in splits.values()) if any(row.athlete for row in rows) else 0
    return labels


def check_splits(
    source: str | os.PathLike, rows: Sequence[LabelRow], names: Collection[str] = (), seed: int = 0
) -> None:
    """Raise UserError where the splits of a table, as they will be, do not allow a training and a test.

    ``names`` are those of the video files; another name is that of an athlete of a file, ``<athlete>__<file>``.
    """
    classes = sorted({row.label for row in rows})
    actions = [Action(str(i), 'v', 0, 1, classes.index(row.label), row.split or 'train') for i, row in enumerate(rows)]
    labels = LabelSet('', {}, classes, actions)
    if not rows[0].split:
        stems = [row.video if row.video in names else Path(row.video).stem for row in rows]
        files = {str(i): stem if stem in names else stem.partition('__')[2] or stem for i, stem in enumerate(stems)}
        athletes = {str(i): row.athlete or files[str(i)] for i, row in enumerate(rows)}
        labels = with_splits(labels, _units(rows, athletes, files), seed)
    if problem := split_problem(labels):
        raise UserError(f'{source}: {problem}')


def _units(rows: Sequence[LabelRow], athletes: _Groups, files: _Groups) -> dict[str, _Groups]:
    """The units of a split by name, the largest first; athletes only with that column."""
    return ({'athlete': athletes} if any(row.athlete for row in rows) else {}) | {'video': files}


def split_problem(labels: LabelSet) -> str:
    """Reason why the splits do not allow a training and a test, and what to do; '' where they do."""
    labels_of = {split: {a.label for a in labels.actions if a.split == split} for split in SPLITS}
    missing = [split for split in SPLITS if not labels_of[split]]
    if not missing and labels_of['train'] & labels_of['test']:
        return ''
    text = f'no action is {missing[0]}' if missing else 'no class has actions in both train and test'
    hint = {
        '': 'correct the column split, or leave it out',
        'athlete': 'label more athletes, or leave out the column athlete to divide videos',
        'video': 'label three or more videos of each class',
        'action': 'label three or more actions of each class',
    }
    divided = f'{DIVIDED[labels.divided]}: ' if labels.divided else ''
    return f'{text}; {divided}{hint[labels.divided]}'


def find_video(text: str, videos: Mapping[str, VideoInfo], failed: Mapping[str, str]) -> str:
    """The name of a video of the corpus, or of ``failed``, from a name, a file name or a path; raises UserError."""
    for name in (text, Path(text).name, Path(text).stem):
        if name in videos or name in failed:
            return name
        if athletes := [info.video for info in videos.values() if info.path and info.file_name == name]:
            if len(athletes) > 1:
                raise UserError(f'video {text!r} shows several athletes; name one of {", ".join(athletes)}')
            return athletes[0]
    similar = difflib.get_close_matches(Path(text).stem, [*videos, *failed], 1)
    hint = f'did you mean {similar[0]!r}' if similar else f'the corpus has {", ".join(list(videos)[:5])}'
    raise UserError(f'video {text!r}: not in the corpus; {hint}')


def _frames(row: LabelRow, info: VideoInfo, corpus: Corpus) -> tuple[int, int]:
    """First frame and end (exclusive) of a row."""
    if row.start is None or row.end is None:
        return 0, info.num_frames
    start, end = row.start, row.end
    if row.in_seconds:
        times = corpus.times(info)
        length = float(times.seconds(info.num_frames))
        if start >= length or end > length + TOLERANCE_SEC:
            raise UserError(f'{start:g} s to {end:g} s leaves video {info.video}, which is {length:.2f} s long')
        start = math.floor(times.frames(start) + 1e-6)
        return start, min(max(math.ceil(times.frames(end) - 1e-6), start + 1), info.num_frames)
    if end > info.num_frames:
        raise UserError(f'end_frame {end:g} is beyond the {info.num_frames} frames of {info.video}')
    return int(start), int(end)


def with_splits(labels: LabelSet, units: Mapping[str, _Groups], seed: int) -> LabelSet:
    """Give splits to actions of the split 'train' (:func:`import_label_table`).

    ``units``: name of a unit, the largest first, to action id to its group.
    """
    units = {**units, 'action': {action.action_id: action.action_id for action in labels.actions}}
    divided = next((unit for unit, of in units.items() if len(set(of.values())) >= MIN_GROUPS), 'action')
    groups = units[divided]
    labels = replace(labels, group=lambda action: groups[action.action_id], divided=divided)
    labels = labels.with_validation(TEST_SHARE, seed, 'test').with_validation(VAL_SHARE, seed)
    tested = sorted({groups[action.action_id] for action in labels.actions if action.split == 'test'})
    if len(tested) > 1 and not any(action.split == 'val' for action in labels.actions):  # two groups a class
        moved = tested[1::2]
        labels = replace(
            labels, actions=[replace(a, split='val') if groups[a.action_id] in moved else a for a in labels.actions]
        )
    for split in ('test', 'val'):
        if not any(action.split == split for action in labels.actions):
            labels = _with_one_group(labels, groups, split)
    return labels


def _with_one_group(labels: LabelSet, groups: _Groups, split: str) -> LabelSet:
    """Move a group to an empty split: one that leaves most classes in train, and then shares most classes with it."""
    split_of = {groups[action.action_id]: action.split for action in labels.actions}
    sizes = Counter(split_of.values())

    def value(group: str) -> tuple[int, int, int]:
        own = [action.label for action in labels.actions if groups[action.action_id] == group]
        left = {a.label for a in labels.actions if a.split == 'train' and groups[a.action_id] != group}
        return len(left), len(left & set(own)), -len(own)

    candidates = sorted(group for group, of in split_of.items() if sizes[of] > 1)
    moved = max(candidates, key=value, default=None)
    actions = [replace(a, split=split) if groups[a.action_id] == moved else a for a in labels.actions]
    return replace(labels, actions=actions)
