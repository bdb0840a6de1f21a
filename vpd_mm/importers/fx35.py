"""FX35: the 35 floor exercise elements of FineGym99, from the files of FineGym."""

import math
import re
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..structures import Action, read_lines
from .json_io import numbers, read_json
from .labels import LabelSet
from .release_lists import find_video_meta, read_few_shot, read_labels

CATEGORIES = 'gym99_categories.txt'
ANNOTATIONS = 'finegym_annotation_info_v1.1.json'
#: The validation elements of FineGym are the test set of the paper.
SPLIT_FILES = {'train': 'gym99_train_element_v1.1.txt', 'test': 'gym99_val_element.txt'}
_CATEGORY = re.compile(r'^Clabel:\s*(\d{1,9})\s*;\s*set:\s*\d+\s*;\s*Glabel:\s*\d+\s*;\s*\((\w+)\)\s*(.+)$')


def read_fx35(source: Path, meta: Path | None = None, few_shot: Path | None = None) -> LabelSet:
    """Read the annotations of FineGym and keep the floor exercise.

    A video is one routine, ``<video>_E_<a>_<b>``; an action is the first interval of the element, from
    floor(start * fps) to ceil(end * fps), end exclusive, cut at the end of the routine; recognition adds the 0.25 s
    before it (paper).  Elements of routines that are not in the table of videos are left out and counted.

    Args:
        source: Holds the four files of FineGym.
        meta: ``fx.video_meta.json``; by default in the source or its parent.
        few_shot: Folder ``finegym99`` of the release; by default the source.
    """
    categories = _read_categories(source / CATEGORIES)
    floor = sorted(c for c, (event, _) in categories.items() if event == 'FX')
    videos = find_video_meta(source, 'fx', meta)
    annotations = read_json(source / ANNOTATIONS)
    actions = []
    num_missing = 0
    for split, name in SPLIT_FILES.items():
        path = source / name
        for action_id, text in read_labels(path).items():
            label = int(text) if re.fullmatch(r'[0-9]{1,9}', text) else -1
            if label not in categories:
                raise UserError(f'{path}: {action_id} has label {text!r}, not in {CATEGORIES}')
            if label not in floor:
                continue
            routine, _, element = action_id.rpartition('_A_')
            start = end = 0
            if routine in videos:
                info = videos[routine]
                start_sec, end_sec = _timestamps(annotations, routine, f'A_{element}', source / ANNOTATIONS)
                start, end = math.floor(start_sec * info.fps), min(math.ceil(end_sec * info.fps), info.num_frames)
            if start < end:
                actions.append(Action(action_id, routine, start, end, floor.index(label), split))
            else:
                num_missing += 1
    return LabelSet(
        sport='floor_exercise',
        dataset='fx35',
        videos=videos,
        classes=[categories[c][1] for c in floor],
        actions=actions,
        few_shot=read_few_shot(few_shot or source, actions, others=None),
        other_counts={'elements without a video': num_missing},
        group=lambda action: action.video.rpartition('_E_')[0],
    )


def _read_categories(path: Path) -> dict[int, tuple[str, str]]:
    """Return Clabel to (event, name)."""
    categories: dict[int, tuple[str, str]] = {}
    for i, line in enumerate(read_lines(path), 1):
        match = _CATEGORY.match(line)
        if match is None:
            raise UserError(f'{path}:{i}: needs "Clabel: i; set: j; Glabel: k; (FX) name", found {line!r}')
        categories[int(match[1])] = (match[2], ' '.join(match[3].split()))
    return categories


def _timestamps(annotations: Any, routine: str, element: str, path: Path) -> tuple[float, float]:
    """Return the first interval of the element, in seconds of the routine."""
    video, _, event = routine.rpartition('_E_')
    try:
        interval = annotations[video][f'E_{event}']['segments'][element]['timestamps'][0]
    except (LookupError, TypeError) as e:
        raise UserError(f'{path}: has no timestamps of {routine}_{element}; is it of another version?') from e
    start, end = numbers(interval, f'{path}: {routine}_{element}', '[start, end] in seconds', 2).tolist()
    if not 0 <= start < end:
        raise UserError(f'{path}: {routine}_{element} lasts from {start} to {end}; needs seconds, 0 <= start < end')
    return start, end
