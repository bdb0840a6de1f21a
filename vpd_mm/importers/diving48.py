"""Diving48 (version 2), from the JSON files of its authors."""

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..structures import Action
from .id_lists import read_few_shot
from .json_io import frame_number, read_json, read_list, shape_error
from .labels import LabelSet
from .video_table import find_video_meta

VOCABULARY = 'Diving48_vocab.json'
SPLIT_FILES = {'train': 'Diving48_V2_train.json', 'test': 'Diving48_V2_test.json'}
_FORM = '{vid_name, label, start_frame, end_frame}'


def read_diving48(source: Path, meta: Path | None = None, few_shot: Path | None = None) -> LabelSet:
    """Read the vocabulary and both splits; every video is one action, as annotated, cut at the end of the video.

    Args:
        source: Holds the three JSON files.
        meta: ``diving48.video_meta.json``; by default in the source or its parent.
        few_shot: Folder ``diving48`` of the release; by default the source.

    Raises:
        UserError: a file is missing, or an entry is invalid.
    """
    classes = _read_classes(source / VOCABULARY)
    videos = find_video_meta(source, 'diving48', meta)
    actions = []
    num_missing = 0
    for split, name in SPLIT_FILES.items():
        path = source / name
        for i, entry in enumerate(read_list(path, f'a list of {_FORM}')):
            video, label, start, end = _entry(entry, f'{path}: entry {i}', len(classes))
            if video not in videos or start >= videos[video].num_frames:
                num_missing += 1
                continue
            actions.append(Action(video, video, start, min(end, videos[video].num_frames), label, split))
    return LabelSet(
        sport='diving',
        videos=videos,
        classes=classes,
        actions=actions,
        few_shot=read_few_shot(few_shot or source, actions, others=None),
        left_out={'dives without a video': num_missing},
        group=lambda action: action.video.rpartition('_')[0],
    )


def _read_classes(path: Path) -> list[str]:
    vocabulary = read_json(path)
    parts = vocabulary if isinstance(vocabulary, list) else []
    if not parts or not all(isinstance(p, list) and p and all(isinstance(word, str) for word in p) for p in parts):
        raise shape_error(str(path), 'a list of class names, each a list of its parts', vocabulary)
    return [' '.join(part) for part in parts]


def _entry(entry: Any, where: str, num_classes: int) -> tuple[str, int, int, int]:
    if not isinstance(entry, dict) or not isinstance(entry.get('vid_name'), str):
        raise shape_error(where, _FORM, entry)
    label, start, end = (
        frame_number(entry.get(field), f'{where}: {field}', None) for field in ('label', 'start_frame', 'end_frame')
    )
    if label >= num_classes:
        raise UserError(f'{where}: label {label} is not in {VOCABULARY}, which has {num_classes} classes')
    if start >= end:
        raise UserError(f'{where}: start_frame {start} must lie before end_frame {end}')
    return entry['vid_name'], label, start, end
