"""Diving48 (version 2), from its authors' JSON files."""

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..structures import Action
from .json_io import frame_number, read_json, shape_error
from .labels import LabelSet
from .splits import read_few_shot
from .video_table import find_video_meta

VOCABULARY = 'Diving48_vocab.json'
SPLIT_FILES = {'train': 'Diving48_V2_train.json', 'test': 'Diving48_V2_test.json'}


def read_diving48(source: Path, meta: Path | None = None, few_shot: Path | None = None) -> LabelSet:
    """Read the vocabulary and both splits; every video is one action, as annotated, cut at the video's end.

    Args:
        source: Holds the three JSON files.
        meta: ``diving48.video_meta.json``; by default beside or above the source.
        few_shot: The release's ``diving48`` folder; by default the source.

    Raises:
        UserError: a file is missing, or an entry is off.
    """
    classes = _read_classes(source / VOCABULARY)
    videos = find_video_meta(source, 'diving48', meta)
    actions = []
    gone = 0
    for split, name in SPLIT_FILES.items():
        path = source / name
        entries = read_json(path)
        if not isinstance(entries, list):
            raise shape_error(str(path), 'a list of {vid_name, label, start_frame, end_frame}', entries)
        for i, entry in enumerate(entries):
            video, label, start, end = _entry(entry, f'{path}: entry {i}', len(classes))
            if video not in videos or start >= videos[video].num_frames:
                gone += 1
                continue
            actions.append(Action(video, video, start, min(end, videos[video].num_frames), label, split))
    train_ids = {a.action_id for a in actions if a.split == 'train'}
    return LabelSet(
        sport='diving',
        videos=videos,
        classes=classes,
        actions=actions,
        few_shot=read_few_shot(few_shot or source, train_ids, others=None),
        left_out={'dives without a video': gone},
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
        raise shape_error(where, '{vid_name, label, start_frame, end_frame}', entry)
    label, start, end = (
        frame_number(entry.get(field), f'{where}: {field}', None) for field in ('label', 'start_frame', 'end_frame')
    )
    if label >= num_classes:
        raise UserError(f'{where}: label {label} is not in {VOCABULARY}, which has {num_classes} classes')
    if start >= end:
        raise UserError(f'{where}: start_frame {start} must lie before end_frame {end}')
    return entry['vid_name'], label, start, end
