"""Diving48 (version 2), from the JSON files of its authors."""

from pathlib import Path

from ..errors import UserError
from ..structures import Action
from .json_io import entries_of, fields_of, frame_number, read_json, shape_error
from .labels import LabelSet
from .release_lists import find_video_meta, read_few_shot

VOCABULARY = 'Diving48_vocab.json'
SPLIT_FILES = {'train': 'Diving48_V2_train.json', 'test': 'Diving48_V2_test.json'}
FIELDS = ('vid_name', 'label', 'start_frame', 'end_frame')


def read_diving48(source: Path, meta: Path | None = None, few_shot: Path | None = None) -> LabelSet:
    """Read the vocabulary and both splits; every video is one action, as annotated, cut at the end of the video.

    Args:
        source: Holds the three JSON files.
        meta: ``diving48.video_meta.json``; by default in the source or its parent.
        few_shot: Folder ``diving48`` of the release; by default the source.
    """
    classes = _read_classes(source / VOCABULARY)
    videos = find_video_meta(source, 'diving48', meta)
    actions = []
    num_missing = 0
    for split, name in SPLIT_FILES.items():
        path = source / name
        for where, entry in entries_of(read_json(path), path, f'{{{", ".join(FIELDS)}}}'):
            video, *values = fields_of(entry, where, FIELDS)
            if not isinstance(video, str):
                raise shape_error(where, 'a text as vid_name', video)
            names = (f'{where}: {field}' for field in FIELDS[1:])
            label, start, end = (frame_number(*pair, None) for pair in zip(values, names, strict=True))
            if label >= len(classes):
                raise UserError(f'{where}: label {label} is not in {VOCABULARY}, which has {len(classes)} classes')
            if start >= end:
                raise UserError(f'{where}: start_frame {start} must lie before end_frame {end}')
            if video in videos and start < videos[video].num_frames:
                actions.append(Action(video, video, start, min(end, videos[video].num_frames), label, split))
            else:
                num_missing += 1
    return LabelSet(
        sport='diving',
        dataset='diving48',
        videos=videos,
        classes=classes,
        actions=actions,
        few_shot=read_few_shot(few_shot or source, actions, others=None),
        other_counts={'dives without a video': num_missing},
        group=lambda action: action.video.rpartition('_')[0],
    )


def _read_classes(path: Path) -> list[str]:
    vocabulary = read_json(path)
    parts = vocabulary if isinstance(vocabulary, list) else []
    if not parts or not all(isinstance(p, list) and p and all(isinstance(word, str) for word in p) for p in parts):
        raise shape_error(path, 'a list of class names, each a list of its parts', vocabulary)
    return [' '.join(part) for part in parts]
