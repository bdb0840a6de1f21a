"""Sportscode XML, as Hudl Sportscode, Nacsport and others exchange it: instances with times in seconds.

The file does not say which video it is about: it is the one that the file is named after.  The athlete is the label of
the group Athlete (or Player, Subject), a note the free text.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from ..errors import UserError
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import name_of, number_of, text_of
from .videos import KnownNames
from .xml_io import add_child, child_text, parse_xml, xml_bytes

_ATHLETE, _VIDEO = 'Athlete', 'Video'
#: Groups whose label names the athlete.
_GROUPS = ('athlete', 'player', 'subject')
#: Colours of the rows, of 65535; they repeat.
_COLOURS = ((12593, 33410, 48573), (53970, 21588, 16962), (24415, 39321, 15420), (30840, 24158, 50115))


def read(source: Source, known: KnownNames) -> Reading:
    """Read the instances; raises UserError where it is no such file."""
    root = parse_xml(source, 'file')
    instances = root.find('ALL_INSTANCES')
    if instances is None:
        raise UserError(f'{source.name}: has no ALL_INSTANCES; export the timeline as XML')
    reading = Reading()
    for number, instance in enumerate(instances.findall('instance'), 1):
        where = f'instance {child_text(instance, "id") or number}'
        with reading.attempt(where):
            code = name_of(child_text(instance, 'code'), 'code')
            start, end = (number_of(child_text(instance, name), name) for name in ('start', 'end'))
            labels = [(child_text(x, 'group').lower(), child_text(x, 'text')) for x in instance.findall('label')]
            athlete = next((text for group, text in labels if group in _GROUPS), '')
            video = next((text for group, text in labels if group == _VIDEO.lower()), source.stem)
            note = text_of(child_text(instance, 'free_text'))
            reading.entries.append(Entry(where, video, code, start, end, athlete=athlete, note=note))
    return reading


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write the athletes of one video file."""
    root = ET.Element('file')
    add_child(add_child(root, 'SORT_INFO'), 'sort_type', text='sort order')
    instances = add_child(root, 'ALL_INSTANCES')
    rows = [(video, label) for video in videos for label in video.labels]
    rows.sort(key=lambda row: (row[1].start_frame, row[1].end_frame))
    for number, (video, label) in enumerate(rows, 1):
        instance = add_child(instances, 'instance')
        start, end = video.seconds(label.start_frame), video.seconds(label.end_frame)
        for tag, text in (('ID', number), ('start', f'{start:.6f}'), ('end', f'{end:.6f}'), ('code', label.label)):
            add_child(instance, tag, text=str(text))
        for group, text in ((_ATHLETE, video.athlete), (_VIDEO, video.file_name)):
            if text:
                element = add_child(instance, 'label')
                add_child(element, 'group', text=group)
                add_child(element, 'text', text=text)
        if label.note:
            add_child(instance, 'free_text', text=label.note)
    codes = add_child(root, 'ROWS')
    for i, name in enumerate(classes):
        row = add_child(codes, 'row')
        add_child(row, 'sort_order', text=str(i + 1))
        add_child(row, 'code', text=name)
        for tag, value in zip('RGB', _COLOURS[i % len(_COLOURS)], strict=True):
            add_child(row, tag, text=str(value))
    return xml_bytes(root)
