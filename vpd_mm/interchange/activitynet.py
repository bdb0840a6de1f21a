"""ActivityNet JSON: a database of videos by their ids, with segments in seconds.

The subset (training, validation, testing) is that of a video; a video whose actions have several splits is in that of
most of them.
"""

import json
from collections import Counter
from collections.abc import Sequence

from ..errors import UserError
from ..files import MARK
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import dict_of, get, list_of, name_of, number_of
from .videos import KnownNames

_SUBSETS = {'training': 'train', 'validation': 'val', 'testing': 'test', 'train': 'train', 'val': 'val', 'test': 'test'}
_WORDS = {'train': 'training', 'val': 'validation', 'test': 'testing'}
_ROOT = 'Root'


def read(source: Source, known: KnownNames) -> Reading:
    """Read the segments; an id may have ActivityNet's ``v_`` in front of the name of the video.

    Raises:
        UserError: it is no such file.
    """
    database = dict_of(get(source.json(), 'database', 'the file'), 'database')
    reading = Reading()
    for video, item in database.items():
        with reading.attempt(f'video {video}'):
            name = name_of(video, 'the id of a video')
            if not known.videos_named(name) and name.startswith('v_'):
                name = name.removeprefix('v_')
            subset = dict_of(item, 'a video').get('subset')
            split = _SUBSETS.get(subset, '') if isinstance(subset, str) else ''
            for i, annotation in enumerate(list_of(get(item, 'annotations', 'a video'), 'annotations'), 1):
                where = f'annotation {i} of {video}'
                with reading.attempt(where):
                    segment = list_of(get(annotation, 'segment', 'an annotation'), 'segment')
                    if len(segment) != 2:
                        raise UserError(f'segment must be [start, end] in seconds, found {len(segment)} values')
                    start, end = (number_of(value, 'segment') for value in segment)
                    label = name_of(get(annotation, 'label', 'an annotation'), 'label')
                    reading.entries.append(Entry(where, name, label, start, end, split=split))
    return reading


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write all videos, by their names in the corpus."""
    database = {}
    for video in videos:
        info = video.info
        annotations = [
            {'segment': [video.seconds(label.start_frame), video.seconds(label.end_frame)], 'label': label.label}
            for label in video.labels
        ]
        splits = Counter(label.split for label in video.labels)
        database[info.video] = {
            'duration': round(float(video.times.seconds(info.num_frames)), 6),
            'subset': _WORDS[splits.most_common(1)[0][0] if splits else 'train'],
            'resolution': f'{info.width}x{info.height}',
            'url': '',
            'annotations': annotations,
        }
    taxonomy: list[dict] = [{'nodeId': 0, 'nodeName': _ROOT, 'parentId': None, 'parentName': None}]
    for i, name in enumerate(classes, 1):
        taxonomy.append({'nodeId': i, 'nodeName': name, 'parentId': 0, 'parentName': _ROOT})
    content = {'version': 'VERSION 1.3', 'generator': MARK, 'taxonomy': taxonomy, 'database': database}
    return json.dumps(content, indent=2, ensure_ascii=False).encode()
