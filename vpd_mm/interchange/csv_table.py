"""Our own table: a row per action, with the name of its class."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from ..importers.label_table import INTERVALS, parse_label_table, read_label_table
from .entries import Entry, LabelledVideo, Reading, Source
from .videos import KnownNames

#: First line of a table, by which one of ours is known.
HEADER = ('action_id', 'video', *INTERVALS[0], 'label', 'split')


def read(source: Source, known: KnownNames) -> Reading:
    """Read a table of :func:`vpd_mm.importers.read_label_table`; rows without start and end are the whole video.

    Raises:
        UserError: a line is not valid.
    """
    if source.path is None:
        rows = parse_label_table(io.StringIO(source.text, newline=''), source.name)
    else:
        rows = read_label_table(source.path)
    reading = Reading()
    for row in rows:
        where, start, end = f'line {row.line}', row.start, row.end
        if start is None or end is None:
            with reading.attempt(where):
                start, end = 0, known.find(row.video, row.athlete).num_frames
        if start is not None:
            entry = Entry(where, row.video, row.label, start, end, row.in_seconds, athlete=row.athlete)
            reading.entries.append(replace(entry, action_id=row.action_id, split=row.split))
    return reading


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write a table; frames count from 0, ends are exclusive."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(HEADER)
    for video in videos:
        for label in video.labels:
            frames = label.start_frame, label.end_frame
            writer.writerow((label.action_id, video.info.video, *frames, label.label, label.split))
    return text.getvalue().encode()
