"""History of the labels: every change as a line of history.jsonl, from which the labels of any time follow."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from os import fstat
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import append, open_file, parse_json
from ..structures import Label

#: Source of an entry whose changes were made without the studio.
ELSEWHERE = 'elsewhere'
#: A label before and after; None: there was none, or it was deleted.
Change = tuple[Label | None, Label | None]


@dataclass(frozen=True)
class Labels:
    """All labels of a corpus: class names in their order, labels by id in the order of actions.csv."""

    classes: list[str] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)

    def changes_to(self, other: 'Labels') -> list[Change]:
        """Changes of labels that make ``other`` of these, whose classes are renamed already."""
        ids = dict.fromkeys([*self.labels, *other.labels])
        pairs = ((self.labels.get(i), other.labels.get(i)) for i in ids)
        return [(before, after) for before, after in pairs if before is not after and before != after]

    def with_classes(self, classes: list[str]) -> 'Labels':
        """Labels with other class names: each keeps its number where there is such a line."""
        new = {old: classes[i] for i, old in enumerate(self.classes[: len(classes)]) if old != classes[i]}
        labels = {i: _replace(label, new) for i, label in self.labels.items()} if new else self.labels
        return Labels(classes, labels)

    def with_changes(self, changes: Iterable[Change]) -> 'Labels':
        """Labels after changes; new ones come last."""
        state = Labels(self.classes, dict(self.labels))
        state.change(changes)
        return state

    def change(self, changes: Iterable[Change]) -> None:
        """Apply changes, in place."""
        for before, after in changes:
            if after is not None:
                self.labels[after.action_id] = after
            elif before is not None:
                self.labels.pop(before.action_id, None)


def _replace(label: Label, new: dict[str, str]) -> Label:
    return replace(label, label=new[label.label]) if label.label in new else label


@dataclass(frozen=True)
class Entry:
    """One line: when and by whom labels, and classes where these differ, were changed."""

    time: str
    source: str
    changes: list[Change]
    classes: tuple[list[str], list[str]] | None = None

    @classmethod
    def between(cls, old: Labels, new: Labels, source: str) -> 'Entry':
        """Make the entry that changes ``old`` to ``new``, now."""
        renamed = old.with_classes(new.classes)
        classes = None if old.classes == new.classes else (old.classes, new.classes)
        time = datetime.now(timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')
        return cls(time, source, renamed.changes_to(new), classes)

    @classmethod
    def parse(cls, line: bytes, where: str) -> 'Entry':
        """Read a line; raises UserError."""
        hint = 'a process was killed while writing it, or it was edited; it is left out'
        content = parse_json(line, where, hint)
        try:
            time, source, rows = content['time'], content['source'], content['changes']
            changes = [(_optional(row['before']), _optional(row['after'])) for row in rows]
            classes = content.get('classes')
            classes = None if classes is None else ([*classes['before']], [*classes['after']])
        except (AttributeError, KeyError, TypeError, UserError) as e:
            raise UserError(f'{where}: no entry ({e}); {hint}') from e
        return cls(str(time), str(source), changes, classes)

    def json(self) -> dict[str, Any]:
        """Content of the line."""
        rows = [
            {'before': before and asdict(before), 'after': after and asdict(after)} for before, after in self.changes
        ]
        content: dict[str, Any] = {'time': self.time, 'source': self.source, 'changes': rows}
        if self.classes is not None:
            content['classes'] = {'before': self.classes[0], 'after': self.classes[1]}
        return content

    def applied(self, state: Labels) -> Labels:
        """Labels after this entry; ``state`` may change."""
        state = state if self.classes is None else state.with_classes(self.classes[1])
        state.change(self.changes)
        return state

    def finished(self, state: Labels) -> Labels:
        """Labels in which the files that a killed process had not yet written are as after this entry.

        What was changed by others since is kept.
        """
        if self.classes is not None and state.classes == self.classes[0]:
            state = state.with_classes(self.classes[1])
        changes = [
            change
            for before, after in self.changes
            if (change := _finished(state.labels.get((after or before).action_id), before, after))  # type: ignore
        ]
        return state.with_changes(changes)


def _finished(now: Label | None, before: Label | None, after: Label | None) -> Change | None:
    if now == before:
        return now, after
    if now is None or after is None:
        return None
    before = before or replace(after, note='')  # the row may be written before the note
    old, was, new = (asdict(label) for label in (now, before, after))
    return now, Label(**{name: new[name] if old[name] == was[name] else old[name] for name in old})


def _optional(content: Any) -> Label | None:
    return None if content is None else Label.from_json(content)


def renames(entries: Iterable[Entry], classes: Sequence[str]) -> dict[str, str]:
    """Present names of ``classes``, since an entry last left just these.

    Only the studio renames: where others edited classes.txt, another name in a line may be another class.
    """
    names = dict(zip(classes, classes))
    for entry in entries:
        before, after = entry.classes or ([], [])
        if after == list(classes):
            names = dict(zip(classes, classes))
        elif entry.source != ELSEWHERE:
            new = {old: name for old, name in zip(before, after) if old not in after and name not in before}
            names = {name: new.get(now, now) for name, now in names.items()}
    return names


class History:
    """The file history.jsonl, which is only ever appended to; use it under the lock of the labels.

    An entry is written before the files of the labels are, without the end of its line; this follows when they are
    there.  So it is known which entry a killed process had not finished.

    Attributes:
        state: Labels after the last entry.
        pending: The last entry, while it is not finished.
        problems: A line for every entry that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self.state = Labels()
        self.pending: Entry | None = None
        self.problems: list[str] = []
        self.ids: set[str] = set()
        self._file, self._size, self._lines, self._torn = 0, 0, 0, False

    def update(self) -> None:
        """Read what was appended since the last call, by this process or others."""
        if not self.path.exists():
            return self._forget()
        with open_file(self.path) as f:
            status = fstat(f.fileno())
            if status.st_ino != self._file or status.st_size < self._size:
                self._forget()
            f.seek(self._size)
            text = f.read()
        self._file = status.st_ino
        *lines, rest = text.split(b'\n')
        for line in lines:
            self._read(line)
            self._size += len(line) + 1
        self.pending, self._torn = None, False
        if rest:
            try:
                self.pending = Entry.parse(rest, self._where())
            except UserError as e:
                self._torn = True
                if str(e) not in self.problems:
                    self.problems.append(str(e))

    def _where(self) -> str:
        return f'{self.path}:{self._lines + 1}'

    def _read(self, line: bytes) -> None:
        if line.strip():
            try:
                entry = Entry.parse(line, self._where())
            except UserError as e:
                if str(e) not in self.problems:
                    self.problems.append(str(e))
            else:
                self.state = entry.applied(self.state)
                self.ids |= {after.action_id for _, after in entry.changes if after}
        self._lines += 1

    def begin(self, entry: Entry) -> None:
        """Append an entry, durable before the files change."""
        line = json.dumps(entry.json(), ensure_ascii=False, separators=(',', ':')).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append(self.path, b'\n' + line if self._torn else line)

    def end(self) -> None:
        """Say that the files are as after the last entry."""
        with suppress(OSError):  # the entry stays pending, which changes nothing
            append(self.path, b'\n')
        self.update()

    def entries(self, last: int | None = None, containing: bytes = b'') -> Iterator[tuple[int, Entry]]:
        """Yield (number of the line, entry) of the ``last`` lines, or of all, without one that is not finished.

        Lines without the bytes ``containing`` are not parsed.
        """
        if not self.path.exists():
            return
        with open_file(self.path) as f:
            numbered = ((number, line) for number, line in enumerate(f, 1) if line.endswith(b'\n'))
            for number, line in numbered if last is None else deque(numbered, last):
                with suppress(UserError):  # is in problems
                    if line.strip() and containing in line:
                        yield number, Entry.parse(line, f'{self.path}:{number}')
