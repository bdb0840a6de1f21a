"""Tables and lists of the public releases; a missing file or an invalid line or value raises UserError."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..corpus import VideoInfo
from ..errors import UserError, errors_name
from ..files import list_folder
from ..structures import Action, read_lines
from .json_io import brief, read_json, shape_error
from .pickle_data import read_pickle_data

#: Fields of a video table; tuples have this order.
META_FIELDS = ('fps', 'num_frames', 'width', 'height')


def read_video_meta(path: str | os.PathLike) -> dict[str, VideoInfo]:
    """Read ``<sport>.video_meta.json`` ({video: {fps, num_frames, width, height}}) or the release's ``.pkl`` of it."""
    path = Path(path)
    table = read_pickle_data(path) if path.suffix == '.pkl' else read_json(path)
    if not isinstance(table, dict):
        raise UserError(f'{path}: needs {{video: {{{", ".join(META_FIELDS)}}}}}, found {type(table).__name__}')
    if not all(isinstance(video, str) for video in table):
        raise UserError(f'{path}: names of videos must be texts')
    return {video: parse_video_meta(video, entry, f'{path}: {video}') for video, entry in table.items()}


def parse_video_meta(video: str, entry: Any, where: str) -> VideoInfo:
    """Return the row of a video without a file; ``entry`` is a dict, or a tuple in the order of ``META_FIELDS``."""
    values = dict(zip(META_FIELDS, entry, strict=False)) if isinstance(entry, tuple) else entry
    if not isinstance(values, dict):
        raise shape_error(where, ', '.join(META_FIELDS), entry)
    for field in META_FIELDS:
        value = values.get(field)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1 << 53:
            raise UserError(f'{where}: {field} must be a positive number, found {brief(value)}')
    with errors_name(where):
        return VideoInfo(video, '', float(values['fps']), *(int(values[field]) for field in META_FIELDS[1:]))


def find_video_meta(source: Path, sport: str, path: str | os.PathLike | None) -> dict[str, VideoInfo]:
    """Read ``path``, or by default ``<sport>.video_meta.json|pkl`` in the source or its parent."""
    names = [f'{sport}.video_meta.json', f'{sport}.video_meta.pkl']
    candidates = [folder / name for folder in (source, source.resolve().parent) for name in names]
    path = path or next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UserError(f'{source}: neither here nor one folder up is {" or ".join(names)}; pass --meta FILE')
    return read_video_meta(path)


def read_labels(path: Path, known: Collection[str] = ()) -> dict[str, str]:
    """Read ``id label`` lines, in the order of the file; an id occurs once, a label is one of ``known``, if given."""
    labels: dict[str, str] = {}
    for i, line in enumerate(read_lines(path), 1):
        parts = line.split()
        if len(parts) != 2:
            raise UserError(f'{path}:{i}: needs "id label", found {line!r}')
        action_id, label = parts
        if action_id in labels:
            raise UserError(f'{path}:{i}: id {action_id} occurs twice')
        if known and label not in known:
            raise UserError(f'{path}:{i}: {action_id} has label {label!r}, known are {", ".join(known)}')
        labels[action_id] = label
    return labels


def split_id(action_id: str, pattern: str, form: str, path: Path) -> tuple[str, ...]:
    """Return the groups of ``pattern``, which the whole id must match; ``form`` describes it in the error."""
    match = re.fullmatch(pattern, action_id)
    if match is None:
        raise UserError(f'{path}: id {action_id!r} is not of the form {form}')
    return match.groups()


def read_few_shot(
    folder: Path, actions: Sequence[Action], others: Collection[str] | None = ()
) -> dict[tuple[int, int], list[str]]:
    """Read every ``train_<k>_<subset>.ids.txt``: (k, subset) to sorted ids of training actions.

    Ids of ``others`` (classes that the task does not have; None = any) are left out; any other id, and a list without a
    training action, raises UserError.
    """
    train_ids = {action.action_id for action in actions if action.split == 'train'}
    lists: dict[tuple[int, int], list[str]] = {}
    for path, (k, subset) in _numbered(folder, r'train_([0-9]{1,6})_([0-9]{1,6})\.ids\.txt'):
        ids = set(read_lines(path))
        unknown = [] if others is None else sorted(ids - train_ids - set(others))
        if unknown:
            raise UserError(f'{path}: {unknown[0]} is not a training action; is the list of another release?')
        if not ids & train_ids:
            raise UserError(f'{path}: no id is a training action of the labels; is it the list of another data set?')
        lists[k, subset] = sorted(ids & train_ids)
    return lists


def read_localize(folder: Path, videos: Collection[str], prefixes: Sequence[str] = ('',)) -> dict[int, list[str]]:
    """Read every ``train.localize.<i>.txt``: the training videos in one of several orders, whose first n are a subset.

    A line becomes one video for each of ``prefixes``; all must be in ``videos``.
    """
    lists: dict[int, list[str]] = {}
    for path, (i,) in _numbered(folder, r'train\.localize\.([0-9]{1,6})\.txt'):
        lists[i] = [prefix + line for line in read_lines(path) for prefix in prefixes]
        unknown = [video for video in lists[i] if video not in videos]
        if unknown:
            raise UserError(f'{path}: video {unknown[0]} is not in the table of videos; is it of another release?')
    return lists


def _numbered(folder: Path, pattern: str) -> Iterator[tuple[Path, list[int]]]:
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder of id lists')
    for path in list_folder(folder):
        if match := re.fullmatch(pattern, path.name):
            yield path, [int(number) for number in match.groups()]
