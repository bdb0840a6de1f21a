"""Events of E2E-Spot and F3Set: a list of videos, each with events at frames.

Frames count from 0 at the ``fps`` of the entry.  Where that, or ``num_frames``, is the video's own, they are frames of
the video, else times at that rate.  F3Set names clips ``<video>_<first frame>_<last frame>``: their frames count from
the first.
"""

import json
import re
from collections.abc import Sequence

from ..files import MARK
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import dict_of, get, list_of, name_of, number_of, text_of, whole_of
from .moments import FIELD, extent_of, frames_of
from .videos import KnownNames

_CLIP = re.compile(r'(.+)_(\d{1,9})_(\d{1,9})')


def read(source: Source, known: KnownNames) -> Reading:
    """Read the events of all videos; raises UserError where it is no such file."""
    reading = Reading()
    for number, item in enumerate(list_of(source.json(), 'the file'), 1):
        with reading.attempt(f'video {number}'):
            item = dict_of(item, 'an entry')
            name = name_of(get(item, 'video', 'an entry'), 'video')
            first, clip = 0, _CLIP.fullmatch(name)
            if clip and not known.videos_named(name) and known.videos_named(clip[1]):
                name, first = clip[1], int(clip[2])
            info = known.get(name)
            rate = number_of(item['fps'], 'fps') if item.get('fps') is not None else None
            if rate is None or rate <= 0 or (info and item.get('num_frames') == info.num_frames):
                rate = None
            for i, event in enumerate(list_of(get(item, 'events', 'an entry'), 'events'), 1):
                where = f'event {i} of {name}'
                with reading.attempt(where):
                    frame = whole_of(get(event, 'frame', 'an event'), 'frame')
                    label = name_of(get(event, 'label', 'an event'), 'label')
                    start, end = extent_of(event, frame)
                    end = None if end is None else first + end
                    note = text_of(event.get('comment'))
                    entry = Entry(where, name, label, first + start, end, in_seconds=False, rate=rate, note=note)
                    reading.entries.append(entry)
    return reading


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write all videos, by their names in the corpus; actions as moments (:mod:`~vpd_mm.interchange.moments`)."""
    items = []
    for video in videos:
        events = []
        for label in video.labels:
            frames = frames_of(label)
            event = {'frame': frames[1], 'label': label.label, 'comment': label.note, FIELD: frames}
            events.append(event)
        info = video.info
        items.append(
            {
                'video': info.video,
                'num_frames': info.num_frames,
                'num_events': len(events),
                'events': events,
                'fps': info.fps,
                'width': info.width,
                'height': info.height,
                'generator': MARK,
            }
        )
    return json.dumps(items, indent=2, ensure_ascii=False).encode()
