"""Labels of a corpus, as they are changed in the browser: actions.csv, classes.txt, notes and their history.

The labels are in ``annotations/actions.csv`` and ``annotations/classes.txt`` and nowhere else; other programs may write
these files at any time, under :meth:`vpd_mm.corpus.Corpus.lock_labels` or, as a text editor, without it.
"""

import difflib
import hashlib
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..corpus import Corpus, VideoInfo
from ..errors import UserError, errors_name, listed
from ..files import atomic_write, composed, read_bytes, remove_unfinished
from ..structures import Action, load_actions, load_classes, load_splits
from ..structures.action import SPLITS
from ..structures.label import FORMULA, MAX_CLASS, is_class_name, spelling
from ..structures.table_io import read_table, table_text
from .history import ELSEWHERE, Change, Entry, History, Label, Labels
from .workspace import UnknownVideo

#: Longest note, characters.
MAX_NOTE = 10_000
#: Characters that no note has: of control, but for line breaks and tabs, and halves of others.
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]')


class LabelConflict(UserError):
    """A label is not as it was when it was read; ``current`` is what is stored, None where it was deleted."""

    def __init__(self, message: str, current: Label | None) -> None:
        super().__init__(message)
        self.current = current


@dataclass(frozen=True)
class Note:
    """A row of notes.csv."""

    action_id: str
    note: str


@dataclass(frozen=True)
class Snapshot:
    """Labels as on disk.

    Args:
        version: Changes with every change of the labels.
        state: Classes and labels.
        problems: A line for each line of the files that is not valid; nothing is written while there are some.
    """

    version: str
    state: Labels
    problems: list[str]
    notes: dict[str, str]


class LabelStore:
    """Read and change the labels of a corpus; any number of threads and processes may do so at once.

    Every change is atomic and durable when its method returns, is compared with what is on disk then, and is an entry
    of ``studio/history.jsonl``; so are changes that others made to the files, when the store next reads them.

    Args:
        corpus: The corpus; its files are made by the first label or class.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.notes_path = corpus.root / 'studio' / 'notes.csv'
        self._history = History(corpus.root / 'studio' / 'history.jsonl')
        self._paths = (corpus.classes_path, self.notes_path, corpus.actions_path)
        self._mutex = threading.Lock()
        self._known: Snapshot | None = None

    def read(self) -> Snapshot:
        """Read the labels of all videos; where the corpus can be written, changes made by others enter the history."""
        known = self._known
        if known is not None and known.version == self._version():
            return known
        try:
            with self._locked():
                return self._synced()
        except OSError:  # no permission or no space to write: the labels can be read nevertheless
            return self._load()

    def labels(self, video: str = '') -> tuple[Snapshot, list[Label]]:
        """Read the labels of one video, by start; of all with ''.  Raises UnknownVideo."""
        if video:
            video = composed(video)
            self._info(video)
        snapshot = self.read()
        labels = [label for label in snapshot.state.labels.values() if video in ('', label.video)]
        return snapshot, sorted(labels, key=lambda label: (label.video, label.start_frame, label.end_frame))

    def change(
        self, changes: Sequence[Any], source: str = 'studio', new_classes: Sequence[str] = ()
    ) -> tuple[str, list[Label | None]]:
        """Make changes, all or none.

        Args:
            changes: ``{'before': label or None, 'after': label or None}`` in JSON (:class:`Label`): None before adds,
                None after deletes.  Fields that ``after`` lacks are those of ``before``; a new label needs none of
                ``action_id``, ``split`` and ``note``.
            source: Who makes them, for the history.
            new_classes: Classes that are added before.

        Returns:
            The version, and the labels after the changes, in their order; None for deleted ones.

        Raises:
            LabelConflict: a stored label is not as ``before``, or a new one has the id of another.
            UserError: a value is not valid, or a file cannot be read or written.
        """
        if not isinstance(changes, list | tuple) or not changes:
            raise UserError('changes must be a list of {"before": label or null, "after": label or null}, not empty')
        with self._writing() as (now, commit):
            new, made = now.state.with_changes([]), list[Label | None]()
            for name in new_classes:
                new = replace(new, classes=[*new.classes, _class_name(name, new.classes)])
            rules = _Rules(self.corpus, new, self._history.ids)
            for i, content in enumerate(changes):
                before, after = rules.check(content, f'changes[{i}]' if len(changes) > 1 else 'label')
                new.change([(before, after)])
                made.append(after)
            return commit(new, source), made

    def add_class(self, name: str) -> tuple[str, list[str]]:
        """Add a class, which gets the next number; returns the version and the classes.  Raises UserError."""
        with self._writing() as (now, commit):
            classes = [*now.state.classes, _class_name(name, now.state.classes)]
            return commit(replace(now.state, classes=classes), 'studio'), classes

    def rename_class(self, name: str, new: str) -> tuple[str, list[str]]:
        """Rename a class, which keeps its number and labels; returns the version and the classes.  Raises UserError."""
        with self._writing() as (now, commit):
            old, classes = composed(name), now.state.classes
            if old not in classes:
                raise UserError(f'{self.corpus.classes_path}: no class {old!r}; {_nearest(old, classes)}')
            others = [other for other in classes if other != old]
            classes = [_class_name(new, others) if other == old else other for other in classes]
            return commit(now.state.with_classes(classes), 'studio'), classes

    def history(self, limit: int = 100) -> list[tuple[int, Entry]]:
        """The last entries with their numbers, the newest first."""
        self.read()
        return list(self._history.entries(limit))[::-1]

    def notices(self) -> list[str]:
        """Lines that the user should know: entries of the history that cannot be read, labels without effect."""
        notices = list(self._history.problems)
        if self.corpus.detect_path.exists():
            what = 'detection of one class learns from this file, not from the labels made here'
            notices.append(f'{self.corpus.detect_path}: {what}')
        return notices

    def at(self, entry: int) -> Labels:
        """Labels as they were after entry ``entry`` of the history.  Raises UserError."""
        state = Labels()
        for number, content in self._history.entries():
            state = content.applied(state)
            if number == entry:
                return state
        raise UserError(f'{self._history.path}: no entry {entry}')

    def restore(self, entry: int) -> tuple[str, int]:
        """Make the labels what they were after an entry of the history, as a change that can be taken back likewise.

        Classes have the names and numbers that they had then; those added since stay.

        Returns:
            The version and the number of labels that changed.

        Raises:
            UserError: there is no such entry, or a file cannot be read or written.
        """
        with self._writing() as (now, commit):
            then = self.at(entry)
            added = [name for name in now.state.classes[len(then.classes) :] if name not in then.classes]
            new = Labels([*then.classes, *added], then.labels)
            changed = len(now.state.with_classes(new.classes).changes_to(new))
            return commit(new, f'restored {entry}'), changed

    def divide(self, seed: int = 0) -> tuple[str, dict[str, int], str]:
        """Divide all labels anew into train, val and test, as an import of labels without a split does.

        About 30 % of each class become 'test' and 40 % of the rest 'val'; labels of one video file stay together where
        there are three files or more.  Videos of splits.csv keep their split.

        Returns:
            The version, the number of labels of each split, and what was kept together.

        Raises:
            UserError: the corpus is that of a public data set, which has its splits; the labels do not suffice for a
                training and a test; or a file cannot be read or written.
        """
        from ..importers.label_table import DIVIDED, split_problem, with_splits  # takes seconds
        from ..importers.labels import LabelSet

        if self.corpus.dataset:
            raise UserError(f'{self.corpus.root}: has the splits of {self.corpus.dataset}, which are not divided again')
        with self._writing() as (now, commit):
            labels, videos, fixed = now.state.labels, self.corpus.videos(), load_splits(self.corpus.splits_path)
            actions = [a for a in _actions(now.state) if a.video not in fixed]
            files = {a.action_id: videos[a.video].file if a.video in videos else a.video for a in actions}
            free = [replace(action, split='train') for action in actions]
            divided = LabelSet(self.corpus.sport, videos, now.state.classes, free)
            divided = with_splits(divided, {'video': files}, seed)
            splits = {a.action_id: fixed.get(a.video, a.split) for a in [*_actions(now.state), *divided.actions]}
            new = replace(now.state, labels={i: replace(x, split=splits[i]) for i, x in labels.items()})
            if problem := split_problem(replace(divided, actions=_actions(new))):
                raise UserError(f'{self.corpus.actions_path}: {problem}')
            counts = Counter(splits.values())
            version = commit(new, 'divided')
        return version, {split: counts[split] for split in SPLITS}, DIVIDED[divided.divided]

    def _info(self, video: str) -> VideoInfo:
        videos = self.corpus.videos()
        if video not in videos:
            raise UnknownVideo(_no_video(self.corpus, video, videos))
        return videos[video]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._mutex, self.corpus.lock_labels():
            yield

    @contextmanager
    def _writing(self) -> Iterator[tuple[Snapshot, Callable[[Labels, str], str]]]:
        """Lock and read; gives the labels and a function that writes others and returns the version."""
        try:
            with self._locked():
                now = self._synced()
                if now.problems:
                    raise UserError(f'{now.problems[0]}; correct the file: it is not written while a line is not valid')
                yield now, lambda new, source: self._commit(now, new, source)
        except OSError as e:
            where = e.filename or self.corpus.root
            raise UserError(f'{where}: cannot be written ({e.strerror or e}); nothing was changed') from e

    def _version(self) -> str:
        return _digest([_content(path) for path in self._paths])

    def _load(self) -> Snapshot:
        """Read the files."""
        version = self._version()
        if self._known is not None and self._known.version == version:
            return self._known
        problems: list[str] = []
        classes, actions, notes = list[str](), list[Action](), dict[str, str]()

        def note_error(error: UserError) -> None:
            problems.append(str(error))

        try:
            if self.corpus.classes_path.exists():
                classes = load_classes(self.corpus.classes_path)
            if self.corpus.actions_path.exists():
                actions = load_actions(self.corpus.actions_path, len(classes), all_videos=True, on_error=note_error)
            if self.notes_path.exists():
                notes = {row.action_id: row.note for _, row in read_table(self.notes_path, Note, '', note_error)}
        except UserError as e:
            problems.append(str(e))
        labels = {
            a.action_id: Label(
                a.action_id, a.video, a.start_frame, a.end_frame, classes[a.label], a.split, notes.get(a.action_id, '')
            )
            for a in actions
        }
        self._known = Snapshot(version, Labels(classes, labels), problems, notes)
        return self._known

    def _synced(self) -> Snapshot:
        """Read files and history under the lock; finish what a killed process began, record what others changed."""
        self._history.update()
        now = self._load()
        if now.problems:
            return now
        if self._history.pending is not None:
            finished = self._history.pending.finished(now.state)
            if finished != now.state:
                with self._staged(now, finished):
                    pass
            self._history.end()
            now = self._load()
        if self._history.state != now.state:
            self._history.begin(Entry.between(self._history.state, now.state, ELSEWHERE))
            self._history.end()
        self._history.state = now.state.with_changes([])  # equal, and of the same objects, which compare faster
        return now

    def _commit(self, now: Snapshot, new: Labels, source: str) -> str:
        """Write the files that differ, and the entry before they are seen."""
        if new != now.state:
            with self._staged(now, new):
                self._history.begin(Entry.between(now.state, new, source))
            self._history.end()
        return self._load().version

    @contextmanager
    def _staged(self, now: Snapshot, new: Labels) -> Iterator[None]:
        """Write the files that differ beside the old ones; they take their places at the end of the block."""
        for path in self._paths:
            remove_unfinished(path)
        known = {*now.state.labels, *new.labels}
        notes = {i: note for i, note in now.notes.items() if i not in known}
        notes |= {label.action_id: label.note for label in new.labels.values() if label.note}
        actions = _actions(new)
        tables = [
            ''.join(f'{name}\n' for name in new.classes),
            table_text(Note, (Note(*row) for row in notes.items())) if notes or self.notes_path.exists() else '',
            table_text(Action, actions) if actions or self.corpus.actions_path.exists() else '',
        ]
        contents = [text.encode() for text in tables]
        with ExitStack() as stack:
            for path, content in zip(self._paths, contents, strict=True):
                if content != _content(path):
                    file = stack.enter_context(atomic_write(path))
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            yield
        self._known = Snapshot(_digest(contents), new, [], notes)


def _content(path: Path) -> bytes:
    return read_bytes(path) if path.exists() else b''


def _digest(contents: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(b'%d ' % len(content) + content)
    return digest.hexdigest()[:16]


def _actions(state: Labels) -> list[Action]:
    numbers = {name: i for i, name in enumerate(state.classes)}
    return [_action(label, numbers[label.label]) for label in state.labels.values()]


@lru_cache(maxsize=1 << 17)  # the checks of an Action take longer than the rest of a change
def _action(label: Label, number: int) -> Action:
    return Action(label.action_id, label.video, label.start_frame, label.end_frame, number, label.split)


class _Rules:
    """Checks of changes to the labels of a corpus, whose ``state`` the caller changes in between."""

    def __init__(self, corpus: Corpus, state: Labels, used_ids: Collection[str]) -> None:
        self.corpus, self.state, self.used_ids = corpus, state, used_ids
        self.videos = corpus.videos()
        self.splits: dict[str, str] = load_splits(corpus.splits_path)
        self._next_numbers = Counter(label.video for label in state.labels.values())

    def check(self, content: Any, where: str) -> Change:
        """Check one change in JSON against what is stored; raises LabelConflict, and UserError with ``where``."""
        with errors_name(where):
            if not isinstance(content, dict) or content.keys() != {'before', 'after'}:
                raise UserError('needs before and after, each a label or null')
            if content['before'] is None and content['after'] is None:
                raise UserError('before and after are both null')
            with errors_name('before'):
                before = None if content['before'] is None else _label(content['before'])
        if before is not None and (current := self.state.labels.get(before.action_id)) != before:
            what = 'was deleted' if current is None else 'was changed'
            raise LabelConflict(f'label {before.action_id} {what} elsewhere since it was read', current)
        if content['after'] is None:
            return before, None
        with errors_name(where):
            given = asdict(before) if before is not None else {'action_id': '', 'split': ''}
            after = content['after']
            label = self._completed(_label({**given, **after} if isinstance(after, dict) else after))
            if before is not None and label.action_id != before.action_id:
                raise UserError(f'action_id must stay {before.action_id!r}, found {label.action_id!r}')
        if before is None and (current := self.state.labels.get(label.action_id)) is not None:
            raise LabelConflict(f'label {label.action_id} is there already', current)
        return before, label

    def _completed(self, label: Label) -> Label:
        """Check a label and give it an id and a split where it has none; raises UserError."""
        info = self.videos.get(label.video)
        if info is None:
            raise UserError(_no_video(self.corpus, label.video, self.videos))
        if label.label not in self.state.classes:
            raise UserError(f'no class {label.label!r}; {_nearest(label.label, self.state.classes)}')
        split = label.split or self.split_of(label.video)
        label = replace(label, split=split, action_id=label.action_id or self.new_id(label.video))
        Action(label.action_id, label.video, label.start_frame, label.end_frame, 0, label.split)
        if label.end_frame > info.num_frames:
            raise UserError(f'end_frame {label.end_frame} is beyond the {info.num_frames} frames of {label.video}')
        return label

    def split_of(self, video: str) -> str:
        """Split of a new label: of its video in splits.csv, or that of most labels of the video, or of its file."""
        if video not in self.splits:
            self.splits[video] = self._usual_split(video)
        return self.splits[video]

    def _usual_split(self, video: str) -> str:
        same_file = {name for name, info in self.videos.items() if info.file == self.videos[video].file}
        for videos in ({video}, same_file):
            if counts := Counter(x.split for x in self.state.labels.values() if x.video in videos):
                return counts.most_common(1)[0][0]
        return 'train'

    def new_id(self, video: str) -> str:
        """An id that no label has or had: ``<video>:<number>``."""
        while True:
            action_id = f'{video}:{self._next_numbers[video]}'
            self._next_numbers[video] += 1
            if action_id not in self.state.labels and action_id not in self.used_ids:
                return action_id


def _label(content: Any) -> Label:
    """Check a label in JSON, and bring its texts into the form in which they are stored; raises UserError."""
    label = Label.from_json(content)
    video, action_id = composed(label.video), composed(label.action_id)
    return replace(label, action_id=action_id, video=video, label=composed(label.label), note=_note(label.note))


def _note(text: str) -> str:
    text = composed(text.replace('\r\n', '\n').replace('\r', '\n'))
    if invalid := _CONTROL.search(text):
        raise UserError(f'note: must be text with no control character but line breaks and tabs, found {invalid[0]!r}')
    if len(text) > MAX_NOTE:
        raise UserError(f'note: at most {MAX_NOTE} characters, found {len(text)}')
    return text


def _class_name(name: Any, others: Sequence[str]) -> str:
    """Check the name of a class; raises UserError."""
    if not isinstance(name, str):
        raise UserError(f'class name must be text, found {str(name)[:100]!r}')
    name = composed(name)
    if not is_class_name(name):
        first = ' '.join(FORMULA)
        rule = f'must be printable, with no space at its ends, 1 to {MAX_CLASS} characters, the first none of {first}'
        raise UserError(f'class name {rule}; found {name[: 2 * MAX_CLASS]!r}')
    if same := [other for other in others if spelling(other) == spelling(name)]:
        raise UserError(f'class {name!r}: there is {same[0]!r} already')
    return name


def _nearest(name: str, known: Sequence[str]) -> str:
    if not known:
        return 'there is none yet; add one first'
    near = difflib.get_close_matches(name, known, 1)
    return f'did you mean {near[0]!r}?' if near else f'there are {listed(known)}'


def _no_video(corpus: Corpus, video: str, videos: Mapping[str, VideoInfo]) -> str:
    return f'{corpus.videos_path}: no video {video!r}; {_nearest(video, list(videos))}'
