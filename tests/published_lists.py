"""Annotation files of FineGym and Diving48 in their public formats, whose ids are those of the published lists."""

import json
from pathlib import Path

import numpy as np

from vpd_mm.corpus import Corpus
from vpd_mm.importers import import_labels, read_diving48, read_fx35
from vpd_mm.structures import FeatureSequence, load_actions

FOLDERS = {'fx35': 'finegym99', 'diving48': 'diving48'}
#: Training actions without a list, and test actions.
UNLISTED, TESTED = 100, 40


def import_published(name: str, annotations: Path, root: Path, **options) -> Corpus:
    """Import ``name`` with its published lists; labels take turns, actions last 10 frames or 0.4 s."""
    lists = annotations / FOLDERS[name]
    listed = sorted(set().union(*(path.read_text().split() for path in lists.glob('train_*.ids.txt'))))
    source = root.with_name(f'{name}-labels')
    source.mkdir()
    if name == 'diving48':
        meta = annotations / 'diving48.video_meta.json'
        free = sorted(set(json.loads(meta.read_text())) - set(listed))
        parts = {'train': [*listed, *free[:UNLISTED]], 'test': free[UNLISTED : UNLISTED + TESTED]}
        (source / 'Diving48_vocab.json').write_text(json.dumps([['dive', str(i)] for i in range(48)]))
        for part, videos in parts.items():
            rows = [dict(vid_name=v, label=i % 48, start_frame=0, end_frame=10) for i, v in enumerate(videos)]
            (source / f'Diving48_V2_{part}.json').write_text(json.dumps(rows))
        read, meta_path = read_diving48, meta
    else:
        meta_path = annotations / 'fx.video_meta.json'
        routines = sorted(json.loads(meta_path.read_text()))
        free = [f'{routine}_A_9000_9001' for routine in routines[: UNLISTED + TESTED]]
        listed = [i for i in listed if i.rpartition('_A_')[0] in set(routines)]
        parts = {'train': [*listed, *free[:UNLISTED]], 'val': free[UNLISTED:]}
        table: dict = {}
        for action_id in [*listed, *free]:
            routine, _, element = action_id.rpartition('_A_')
            video, _, event = routine.rpartition('_E_')
            segments = table.setdefault(video, {}).setdefault(f'E_{event}', {'segments': {}})['segments']
            segments[f'A_{element}'] = {'timestamps': [[1.0, 1.4]]}
        (source / 'finegym_annotation_info_v1.1.json').write_text(json.dumps(table))
        lines = [f'Clabel: {i}; set: 1; Glabel: {i}; (FX) element {i}' for i in range(35)]
        (source / 'gym99_categories.txt').write_text('\n'.join(lines))
        for part, ids in parts.items():
            text = '\n'.join(f'{action_id} {i % 35}' for i, action_id in enumerate(ids))
            (source / f'gym99_{part}_element{"_v1.1" if part == "train" else ""}.txt').write_text(text)
        read = read_fx35
    import_labels(read, source, root, meta=meta_path, few_shot=lists, **options)
    return Corpus.open(root)


def add_features(corpus: Corpus, k: int, subset: int) -> None:
    """Random features ``teacher/joints`` of the actions of one list, of validation and of the test."""
    ids = set(corpus.fewshot_path(k, subset).read_text().split())
    rng = np.random.default_rng(0)
    for action in load_actions(corpus.actions_path):
        path = corpus.teacher_dir('joints') / f'{action.video}.npz'
        if (action.action_id in ids or action.split != 'train') and not path.exists():
            frames = np.arange(action.start_frame, action.end_frame)
            feats = rng.normal(size=(len(frames), 1, 2)).astype(np.float32)
            FeatureSequence(frames, feats, np.ones(len(frames), np.float32)).save(path)
