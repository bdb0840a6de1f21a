"""Label Studio JSON: tasks with regions of the control TimelineLabels.

Its frames count from 1, both ends of a range belong to it, and it takes a frame for time times the ``frameRate`` of its
``<Video>``.  We write that rate as ``fps`` of the task, for ``<Video name="video" value="$video" frameRate="$fps"/>``.
At a variable rate it is twice that of the shortest frame, so that every frame has a number of its own.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..files import MARK
from ..structures.action import SPLITS
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import dict_of, get, list_of, name_of, number_of, text_of, whole_of
from .videos import KnownNames

_KIND, _VIDEO = 'timelinelabels', 'video'


def read(source: Source, known: KnownNames) -> Reading:
    """Read the export JSON or JSON-MIN; of several annotations of a task the last one counts.

    Without ``fps`` in the data of a task, frames are those of the video.

    Raises:
        UserError: it is no such file.
    """
    reading = Reading()
    for number, task in enumerate(list_of(source.json(), 'the file'), 1):
        with reading.attempt(f'task {number}'):
            task = dict_of(task, 'a task')
            data = dict_of(task.get('data', task), 'data')
            video = name_of(get(data, 'video', 'data'), 'video')
            rate = number_of(data['fps'], 'fps') if data.get('fps') is not None else None
            common: dict[str, Any] = {'rate': rate if rate and rate > 0 else None, 'in_seconds': False}
            common['athlete'] = name_of(data.get('athlete', ''), 'athlete', empty=True)
            split = data.get('split')
            common['split'] = split if split in SPLITS else ''
            for where, region_id, value, note in _regions(reading, task, number):
                with reading.attempt(where):
                    for label in list_of(get(value, _KIND, 'a region'), _KIND):
                        for span in list_of(get(value, 'ranges', 'a region'), 'ranges'):
                            start, end = (whole_of(get(span, name, 'a range'), name) for name in ('start', 'end'))
                            names = {'action_id': region_id, 'note': note, **common}
                            label = name_of(label, _KIND)
                            reading.entries.append(Entry(where, video, label, start - 1, end, **names))
    return reading


def _regions(reading: Reading, task: dict, number: int) -> Iterator[tuple[str, str, dict, str]]:
    """Yield (where, id, value, note) of the regions of a task."""
    if 'data' not in task:  # JSON-MIN: the values of each control
        for key, values in task.items():
            for value in values if isinstance(values, list) else ():
                if isinstance(value, dict) and _KIND in value:
                    yield f'{key} of task {number}', '', value, ''
        return
    annotations = list_of(task.get('annotations', []), 'annotations')
    kept = [item for item in annotations if isinstance(item, dict) and not item.get('was_cancelled')]
    if len(kept) > 1:
        reading.skip(f'task {number}', f'has {len(kept)} annotations; the last one is read')
    others = 0
    for i, region in enumerate(list_of(kept[-1].get('result', []), 'result') if kept else [], 1):
        with reading.attempt(f'region {i} of task {number}'):
            region = dict_of(region, 'a region')
            if region.get('type') != _KIND:
                others += 1
                continue
            region_id = region.get('id')
            meta = region.get('meta')
            notes = meta.get('text') if isinstance(meta, dict) else None
            note = text_of(notes[0]) if isinstance(notes, list) and notes else ''
            region_id = region_id if isinstance(region_id, str) else ''
            yield f'region {region_id or i} of task {number}', region_id, dict_of(region.get('value'), 'value'), note
    if others:
        reading.skip(f'task {number}', f'{others} regions are no {_KIND}')


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write a task for each athlete of each video, with its labels as an annotation."""
    tasks = []
    for number, video in enumerate(videos, 1):
        edges = video.times.edges
        rate = video.info.fps if edges is None else float(math.ceil(2 / float(np.diff(edges).min())))
        result = []
        for label in video.labels:
            start, end = label.start_frame, label.end_frame
            if edges is not None:
                start, end = (round(float(video.times.seconds(frame)) * rate) for frame in (start, end))
            value = {'ranges': [{'start': start + 1, 'end': end}], _KIND: [label.label]}
            region = {'id': label.action_id, 'type': _KIND, 'from_name': 'timelineLabels', 'to_name': _VIDEO}
            note = {'meta': {'text': [label.note]}} if label.note else {}
            result.append({**region, 'origin': 'manual', 'value': value, **note})
        data = {'video': video.file_name, 'fps': rate}
        splits = {label.split for label in video.labels}
        data |= {'athlete': video.athlete} if video.athlete else {}
        data |= {'split': splits.pop()} if len(splits) == 1 else {}
        tasks.append({'id': number, 'data': data, 'annotations': [{'result': result}], 'meta': {'generator': MARK}})
    return json.dumps(tasks, indent=2, ensure_ascii=False).encode()
