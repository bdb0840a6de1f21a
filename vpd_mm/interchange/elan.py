"""ELAN (.eaf, EAF 3.0): a tier for each athlete, annotations with the name of the class, whole milliseconds.

Annotations of one tier cannot overlap: actions that do are written to further tiers of the same participant.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ..errors import UserError
from ..files import MARK
from ..structures import Label
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import name_of, text_of, whole_of
from .videos import KnownNames
from .xml_io import add_child, parse_xml, xml_bytes

_SCHEMA = 'http://www.w3.org/2001/XMLSchema-instance'
#: Tier of a video with one athlete, who has no name.
_TIER = 'actions'
_TYPE, _VOCABULARY, _LANGUAGE = 'action', 'classes', 'und'


def read(source: Source, known: KnownNames) -> Reading:
    """Read the annotations that are aligned with time.

    A value is the name of a class.  In a tier whose name is a class of the corpus, other values are notes.  The athlete
    is the participant, or the tier where that is an athlete of the corpus.

    Raises:
        UserError: no EAF, or its times are not in milliseconds.
    """
    root = parse_xml(source, 'ANNOTATION_DOCUMENT')
    header = root.find('HEADER')
    units = 'milliseconds' if header is None else header.get('TIME_UNITS', 'milliseconds')
    if units != 'milliseconds':
        raise UserError(f'{source.name}: TIME_UNITS is {units[:80]!r}; ELAN writes milliseconds, save it there again')
    video, origin = _media(source, header, known)
    slots = {slot.get('TIME_SLOT_ID'): slot.get('TIME_VALUE') for slot in root.iter('TIME_SLOT')}
    reading = Reading()
    for tier in root.findall('TIER'):
        name = tier.get('TIER_ID', '')
        participant = tier.get('PARTICIPANT', '').strip()
        athlete = participant if participant or name not in known.athletes else name
        references = len(tier.findall('ANNOTATION/REF_ANNOTATION'))
        if references:
            reading.skip(f'tier {name}', f'{references} annotations refer to others and have no times of their own')
        for annotation in tier.findall('ANNOTATION/ALIGNABLE_ANNOTATION'):
            where = f'annotation {annotation.get("ANNOTATION_ID")} of tier {name}'
            with reading.attempt(where):
                ends = [slots.get(annotation.get(f'TIME_SLOT_REF{i}')) for i in (1, 2)]
                if None in ends:
                    raise UserError('is not aligned with time')
                start, end = ((whole_of(ms, 'TIME_VALUE') + origin) / 1000 for ms in ends)
                value = text_of(annotation.findtext('ANNOTATION_VALUE'))
                in_class_tier = name in known.classes and value not in known.classes
                label, note = (name, value) if in_class_tier else (name_of(value, 'ANNOTATION_VALUE'), '')
                reading.entries.append(Entry(where, video, label, start, end, athlete=athlete, note=note))
    return reading


def _media(source: Source, header: ET.Element | None, known: KnownNames) -> tuple[str, int]:
    """Name of the video and the start of ELAN's clock in it, ms; of several media the first one that is known."""
    names = []
    for media in [] if header is None else header.findall('MEDIA_DESCRIPTOR'):
        for key in ('MEDIA_URL', 'RELATIVE_MEDIA_URL'):
            if url := media.get(key):
                names.append((url, whole_of(media.get('TIME_ORIGIN', '0'), 'TIME_ORIGIN')))
    names.append((source.stem, 0))
    return next((item for item in names if known.videos_named(item[0])), names[0])


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write the athletes of one video file, with the classes as a controlled vocabulary."""
    root = ET.Element(
        'ANNOTATION_DOCUMENT',
        {
            'AUTHOR': MARK,
            'DATE': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'FORMAT': '3.0',
            'VERSION': '3.0',
            'xmlns:xsi': _SCHEMA,
            'xsi:noNamespaceSchemaLocation': 'http://www.mpi.nl/tools/elan/EAFv3.0.xsd',
        },
    )
    header = add_child(root, 'HEADER', {'MEDIA_FILE': '', 'TIME_UNITS': 'milliseconds'})
    path = Path(videos[0].info.path or videos[0].file_name)
    mime = {'.mp4': 'video/mp4', '.mov': 'video/quicktime', '.mpg': 'video/mpeg'}.get(path.suffix.lower(), 'video/*')
    media = {'MEDIA_URL': path.absolute().as_uri(), 'MIME_TYPE': mime, 'RELATIVE_MEDIA_URL': f'./{path.name}'}
    add_child(header, 'MEDIA_DESCRIPTOR', media)
    order = add_child(root, 'TIME_ORDER')
    slots, number = dict[int, str](), 0
    times = sorted({ms for video in videos for label in video.labels for ms in _span(video, label)})
    for i, ms in enumerate(times, 1):
        slots[ms] = f'ts{i}'
        add_child(order, 'TIME_SLOT', {'TIME_SLOT_ID': slots[ms], 'TIME_VALUE': str(ms)})
    for video in videos:
        for name, labels in _tiers(video):
            participant = {'PARTICIPANT': video.athlete} if video.athlete else {}
            tier = add_child(root, 'TIER', {'LINGUISTIC_TYPE_REF': _TYPE, 'TIER_ID': name, **participant})
            for label in labels:
                number += 1
                start, end = (slots[ms] for ms in _span(video, label))
                aligned = {'ANNOTATION_ID': f'a{number}', 'TIME_SLOT_REF1': start, 'TIME_SLOT_REF2': end}
                annotation = add_child(add_child(tier, 'ANNOTATION'), 'ALIGNABLE_ANNOTATION', aligned)
                add_child(annotation, 'ANNOTATION_VALUE', text=label.label)
    add_child(header, 'PROPERTY', {'NAME': 'lastUsedAnnotationId'}, str(number))
    kind = {'LINGUISTIC_TYPE_ID': _TYPE, 'TIME_ALIGNABLE': 'true', 'GRAPHIC_REFERENCES': 'false'}
    add_child(root, 'LINGUISTIC_TYPE', {'CONTROLLED_VOCABULARY_REF': _VOCABULARY, **kind})
    language = {'LANG_ID': _LANGUAGE, 'LANG_LABEL': 'undetermined (und)'}
    add_child(root, 'LANGUAGE', {'LANG_DEF': 'http://cdb.iso.org/lg/CDB-00130975-001', **language})
    vocabulary = add_child(root, 'CONTROLLED_VOCABULARY', {'CV_ID': _VOCABULARY})
    add_child(vocabulary, 'DESCRIPTION', {'LANG_REF': _LANGUAGE})
    for i, name in enumerate(classes):
        entry = add_child(vocabulary, 'CV_ENTRY_ML', {'CVE_ID': f'class{i}'})
        add_child(entry, 'CVE_VALUE', {'DESCRIPTION': '', 'LANG_REF': _LANGUAGE}, name)
    return xml_bytes(root)


def _span(video: LabelledVideo, label: Label) -> tuple[int, int]:
    return video.milliseconds(label.start_frame), video.milliseconds(label.end_frame)


def _tiers(video: LabelledVideo) -> Iterator[tuple[str, list[Label]]]:
    """Tiers of an athlete with the labels of each, none of which overlap."""
    rest, number = list(video.labels), 1
    while number == 1 or rest:
        here: list[Label] = []
        later: list[Label] = []
        for label in rest:
            (later if here and label.start_frame < here[-1].end_frame else here).append(label)
        name = video.athlete or _TIER
        yield (name if number == 1 else f'{name} ({number})'), here
        rest, number = later, number + 1
