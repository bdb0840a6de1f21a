"""OSL JSON of OpenSportsLab (version 1.0, read also 2.0): samples with inputs, and events at milliseconds.

A sample is one athlete of one video file; its athlete is in the ``metadata`` of the sample.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ..errors import UserError
from ..files import MARK
from ..structures.action import SPLITS
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import dict_of, get, list_of, name_of, number_of
from .moments import FIELD, extent_of, frames_of
from .videos import KnownNames

_HEAD = 'action'
#: Words for splits of OpenSportsLab.
_SPLITS = {'valid': 'val', 'validation': 'val', **{split: split for split in SPLITS}}


def read(source: Source, known: KnownNames) -> Reading:
    """Read the events of all heads, and the labels of whole samples; raises UserError where it is no such file."""
    content = source.json()
    samples = list_of(get(content, 'data', 'the file'), 'data')
    split = _split_of(content)
    reading = Reading()
    for number, sample in enumerate(samples, 1):
        with reading.attempt(f'sample {number}'):
            sample = dict_of(sample, 'a sample')
            inputs = list_of(sample.get('inputs', []), 'inputs')
            media = [item for item in inputs if isinstance(item, dict) and item.get('type') == 'video']
            paths = [name_of(item.get('path'), 'path') for item in media] or [name_of(sample.get('id'), 'id')]
            video = next((path for path in paths if known.videos_named(path)), paths[0])
            metadata = sample.get('metadata')
            metadata = metadata if isinstance(metadata, dict) else {}
            athlete = name_of(metadata.get('athlete', ''), 'athlete', empty=True)
            own: dict[str, Any] = {'athlete': athlete, 'split': _split_of(sample) or split}
            events = list_of(sample.get('events', []), 'events')
            for i, event in enumerate(events, 1):
                where = f'event {i} of sample {number}'
                with reading.attempt(where):
                    position = number_of(get(event, 'position_ms', 'an event'), 'position_ms')
                    label = name_of(get(event, 'label', 'an event'), 'label')
                    start, end = extent_of(event, position)
                    reading.entries.append(Entry(where, video, label, start / 1000, end and end / 1000, **own))
            if not events and isinstance(sample.get('labels'), dict):
                _whole_sample(reading, f'sample {number}', video, own, sample['labels'], known)
    return reading


def _whole_sample(reading: Reading, where: str, video: str, own: dict, labels: dict, known: KnownNames) -> None:
    """Add the single label of a classified sample, which is the whole video."""
    for head in labels.values():
        if isinstance(head, dict) and 'label' in head:
            end = known.find(video, own['athlete']).num_frames
            label = name_of(head['label'], 'label')
            reading.entries.append(Entry(where, video, label, 0, end, in_seconds=False, **own))
            return
    raise UserError('has neither events nor a label')


def _split_of(content: dict) -> str:
    metadata = content.get('metadata')
    word = metadata.get('split') if isinstance(metadata, dict) else None
    return _SPLITS.get(word, '') if isinstance(word, str) else ''


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write a sample for each video; actions as moments (:mod:`~vpd_mm.interchange.moments`)."""
    samples = []
    for video in videos:
        events = []
        for label in video.labels:
            interval = [video.milliseconds(frame) for frame in frames_of(label)]
            event = {'head': _HEAD, 'label': label.label, 'position_ms': interval[1], FIELD: interval}
            events.append(event)
        metadata = {'athlete': video.athlete} if video.athlete else {}
        splits = {label.split for label in video.labels}
        if len(splits) == 1:
            metadata['split'] = splits.pop()
        media = {'type': 'video', 'path': video.info.path or video.file_name, 'fps': video.info.fps}
        sample = {'id': video.info.video, 'inputs': [media], 'events': events}
        samples.append(sample | ({'metadata': metadata} if metadata else {}))
    content = {
        'version': '1.0',
        'date': datetime.now(timezone.utc).date().isoformat(),
        'task': 'action_spotting',
        'dataset_name': 'vpd_mm',
        'description': MARK,
        'modalities': ['video'],
        'metadata': {},
        'labels': {_HEAD: {'type': 'single_label', 'labels': list(classes)}},
        'data': samples,
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()
