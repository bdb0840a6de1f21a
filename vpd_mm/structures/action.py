"""Labelled actions and class names: actions.csv and classes.txt."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import UserError
from ..files import check_video_name, composed, read_text, write_lines
from .sequences import MAX_FRAMES
from .table_io import read_lines, read_table, write_table

#: Splits that training, validation and test read by default.
SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Action:
    """One labelled interval of one video; raises UserError where a value is invalid.

    Args:
        action_id: Unique in its file; no comma, quote or line break.
        video: Name of the video as in videos.csv.
        start_frame: First frame, counted from 0.
        end_frame: One past the last frame.
        label: Index of the class: the line of classes.txt, from 0.
        split: 'train', 'val' or 'test'.
    """

    action_id: str
    video: str
    start_frame: int
    end_frame: int
    label: int
    split: str

    def __post_init__(self) -> None:
        _check_texts(self, 'action_id', 'video', 'split')
        check_video_name(self.video)
        if not 0 <= self.start_frame < self.end_frame <= MAX_FRAMES:
            span = f'{self.start_frame}..{self.end_frame}'
            raise UserError(
                f'Action {self.action_id}: needs 0 <= start_frame < end_frame (exclusive) <= {MAX_FRAMES}, found {span}'
            )
        if self.label < 0:
            raise UserError(f'Action {self.action_id}: label must be 0 or more, found {self.label}')

    @property
    def num_frames(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True)
class VideoSplit:
    """Split of a video, a row of splits.csv; needed for videos without an action."""

    video: str
    split: str

    def __post_init__(self) -> None:
        _check_texts(self, 'video', 'split')
        check_video_name(self.video)


def _check_texts(row: object, *names: str) -> None:
    """Compose the texts of a row (NFC); UserError where one is not valid."""
    for field in names:
        value = composed(getattr(row, field))
        object.__setattr__(row, field, value)
        if not value or any(c in value for c in ',"') or not value.isprintable() or value != value.strip():
            rule = 'must be non-empty and printable, no comma or quote, no space at its ends'
            raise UserError(f'{type(row).__name__}: {field} {rule}; found {value!r}')
        if field == 'split' and value not in SPLITS:
            raise UserError(f'{type(row).__name__}: split must be one of {", ".join(SPLITS)}, found {value!r}')


def left_out_videos(corpus: str | os.PathLike) -> set[str]:
    """Read the videos that no step uses: annotations/left_out.txt, one name a line; empty where it does not exist."""
    path = Path(corpus) / 'annotations' / 'left_out.txt'
    return set(read_lines(path)) if path.exists() else set()


def load_splits(path: str | os.PathLike) -> dict[str, str]:
    """Read splits.csv: video to split, without those left out; empty where it does not exist."""
    rows = read_table(Path(path), VideoSplit) if Path(path).exists() else ()
    left_out = left_out_videos(Path(path).parent / '..')
    return {row.video: row.split for _, row in rows if row.video not in left_out}


def save_actions(path: str | os.PathLike, actions: Iterable[Action]) -> None:
    """Write actions.csv."""
    write_table(path, Action, actions)


def load_actions(
    path: str | os.PathLike,
    num_classes: int | None = None,
    all_videos: bool = False,
    on_error: Callable[[UserError], None] | None = None,
) -> list[Action]:
    """Read actions.csv, without the actions of videos that are left out of the corpus.

    Args:
        path: The file, in the folder ``annotations`` of a corpus.
        num_classes: Number of classes; a label from there on is an error.
        all_videos: Read those of videos that are left out, too.
        on_error: Called with the error of every invalid line, which is passed over; None: the first one is raised.

    Raises:
        UserError: the file is missing, or a line is invalid and ``on_error`` is None.
    """
    columns = ','.join(field.name for field in fields(Action))
    left_out = set[str]() if all_videos else left_out_videos(Path(path).parent / '..')
    actions = []
    for line, action in read_table(Path(path), Action, f'a corpus keeps its actions there ({columns})', on_error):
        if num_classes is not None and action.label >= num_classes:
            problem = f'label {action.label} is not in classes.txt, which has {num_classes} classes'
            error = UserError(f'{path}:{line}: {problem}')
            if on_error is None:
                raise error
            on_error(error)
        elif action.video not in left_out:
            actions.append(action)
    return actions


def save_classes(path: str | os.PathLike, classes: Sequence[str]) -> None:
    """Write classes.txt; the line number (from 0) is the label."""
    if len(set(classes)) != len(classes) or any(not c.isprintable() or not c or c != c.strip() for c in classes):
        raise UserError(f'{path}: class names must be unique, non-empty, printable and stripped, found {list(classes)}')
    write_lines(path, classes)


def load_classes(path: str | os.PathLike) -> list[str]:
    """Read classes.txt; a missing file, an empty name or one that occurs twice raises UserError."""
    text = read_text(path, missing='a corpus keeps its class names there, one a line')
    classes: dict[str, None] = {}
    for i, line in enumerate(text.splitlines()):
        name = composed(line.strip())
        if not name or not name.isprintable() or name in classes:
            raise UserError(f'{path}:{i + 1}: class name {name!r} is empty, not printable or a duplicate')
        classes[name] = None
    return list(classes)
