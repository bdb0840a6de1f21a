"""Label and id lists of the public releases, and a validation split where the authors define none."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..structures import Action
from .video_table import VideoMeta

FEW_SHOT_NAME = re.compile(r'^train_(\d+)_(\d+)\.ids\.txt$')
LOCALIZE_NAME = re.compile(r'^train\.localize\.(\d+)\.txt$')


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a text file, stripped.

    Raises:
        UserError: the file is missing or no text.
    """
    if not path.is_file():
        raise UserError(f'{path}: no such file; is this the folder of the annotations?')
    try:
        return [line.strip() for line in path.read_text(encoding='utf-8').splitlines() if line.strip()]
    except UnicodeDecodeError as e:
        raise UserError(f'{path}: not a text file ({e})') from e


def read_labels(path: Path) -> dict[str, str]:
    """Read ``id label`` lines, in the order of the file.

    Raises:
        UserError: a line has another form, or an id occurs twice.
    """
    labels: dict[str, str] = {}
    for i, line in enumerate(read_lines(path), 1):
        parts = line.split()
        if len(parts) != 2:
            raise UserError(f'{path}:{i}: needs "id label", found {line[:60]!r}')
        if parts[0] in labels:
            raise UserError(f'{path}:{i}: id {parts[0]} occurs twice')
        labels[parts[0]] = parts[1]
    return labels


def split_id(action_id: str, path: Path, form: str) -> list[str]:
    """Split ``a:b:c`` into its three parts.

    Raises:
        UserError: the id has another form.
    """
    parts = action_id.split(':')
    if len(parts) != 3 or not all(parts):
        raise UserError(f'{path}: id {action_id!r} is not of the form {form}')
    return parts


def check_interval(action_id: str, path: Path, videos: Mapping[str, VideoMeta]) -> tuple[str, int, int]:
    """Split ``<video>:<start>:<end>`` and check it against the table of videos.

    Raises:
        UserError: another form, an unknown video, or an interval past its end.
    """
    form = '<video>:<start>:<end>'
    video, *ends = split_id(action_id, path, form)
    if not all(end.isdigit() for end in ends):
        raise UserError(f'{path}: id {action_id!r} is not of the form {form}')
    if video not in videos:
        raise UserError(f'{path}: {action_id}: the video is not in the table; pass the --meta of this release')
    start, end = (int(end) for end in ends)
    if not start < end <= videos[video].num_frames:
        raise UserError(
            f'{path}: {action_id}: needs start < end <= {videos[video].num_frames}, the frames of the video'
        )
    return video, start, end


def read_few_shot(
    folder: Path, actions: Sequence[Action], others: Collection[str] | None = ()
) -> dict[tuple[int, int], list[str]]:
    """Read every ``train_<k>_<subset>.ids.txt``.

    Args:
        folder: Holds the lists.
        actions: Those of split 'train' may be in the lists.
        others: Further ids that may be in the lists and are left out (classes that the task does not have);
            None = any.

    Returns:
        (k, subset) to sorted action ids.

    Raises:
        UserError: a list names an id that is in neither.
    """
    train_ids = {action.action_id for action in actions if action.split == 'train'}
    lists: dict[tuple[int, int], list[str]] = {}
    for path, (k, subset) in _numbered(folder, FEW_SHOT_NAME):
        ids = set(read_lines(path))
        unknown = [] if others is None else sorted(ids - train_ids - set(others))
        if unknown:
            raise UserError(f'{path}: {unknown[0]} is not a training action; is the list of another release?')
        lists[k, subset] = sorted(ids & train_ids)
    return lists


def read_localize(folder: Path, videos: Collection[str], prefixes: Sequence[str] = ('',)) -> dict[int, list[str]]:
    """Read every ``train.localize.<i>.txt``: the training videos in one of several orders, whose first n are a subset.

    Args:
        folder: Holds the lists.
        videos: Videos of the corpus.
        prefixes: A line becomes one video for each (tennis: ``front__``, ``back__``).

    Raises:
        UserError: a list names an unknown video.
    """
    lists: dict[int, list[str]] = {}
    for path, (i,) in _numbered(folder, LOCALIZE_NAME):
        lists[i] = [prefix + line for line in read_lines(path) for prefix in prefixes]
        unknown = [video for video in lists[i] if video not in videos]
        if unknown:
            raise UserError(f'{path}: video {unknown[0]} is not in the table of videos; is it of another release?')
    return lists


def _numbered(folder: Path, pattern: re.Pattern) -> list[tuple[Path, tuple[int, ...]]]:
    if not folder.is_dir():
        raise UserError(f'{folder}: no such folder of id lists')
    matches = ((path, pattern.match(path.name)) for path in folder.iterdir())
    numbered = [(path, tuple(int(n) for n in match.groups())) for path, match in matches if match]
    return sorted(numbered, key=lambda item: item[1])


def add_validation(
    actions: Sequence[Action], share: float, rng: np.random.Generator, group: Callable[[Action], str]
) -> list[Action]:
    """Move about ``share`` of the training actions to the split 'val', whole groups at a time.

    Groups are visited in random order; one moves when its classes still need more than half of its actions.  Every
    class gives about its share and keeps training actions.

    Args:
        actions: Any splits; only 'train' changes.
        share: In [0, 1); 0 changes nothing.
        rng: Determines the order; the order of the actions has no effect.
        group: Name of the group that stays together, such as the source video.
    """
    if not 0 <= share < 1:
        raise UserError(f'validation share must lie in [0, 1), found {share}')
    groups: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        if action.split == 'train':
            groups[group(action)].append(action)
    left = Counter(action.label for members in groups.values() for action in members)
    wanted = {label: round(share * count) for label, count in left.items()}
    moved: set[str] = set()
    names = sorted(groups)
    for i in rng.permutation(len(names)):
        members = Counter(action.label for action in groups[names[i]])
        gain = sum(min(count, wanted[label]) for label, count in members.items())
        if 2 * gain <= members.total() or any(left[label] <= count for label, count in members.items()):
            continue
        moved.add(names[i])
        for label, count in members.items():
            wanted[label] = max(0, wanted[label] - count)
            left[label] -= count
    return [replace(a, split='val') if a.split == 'train' and group(a) in moved else a for a in actions]
