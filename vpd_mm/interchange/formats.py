"""The formats by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UserError
from . import activitynet, boris, csv_table, cvat, e2e_spot, elan, label_studio, osl, soccernet, sportscode
from .entries import LabelledVideo, Reading, Source
from .videos import KnownNames


@dataclass(frozen=True)
class Format:
    """One format of labels.

    Args:
        name: Its name in commands and addresses.
        title: Its name for people.
        suffix: Ending of its files.
        write: Content of a file with these videos and the classes of the corpus.
        read: Content of a file; None for a format that is only written.
        unit: What one file holds: 'all' videos, one video 'file' with its athletes, or one athlete ('video').
        shapes: True where it holds boxes and poses.
        max_bytes: Largest file that is read.
    """

    name: str
    title: str
    suffix: str
    write: Callable[[Sequence[LabelledVideo], Sequence[str]], bytes]
    read: Callable[[Source, KnownNames], Reading] | None
    unit: str = 'all'
    shapes: bool = False
    max_bytes: int = 32 << 20


FORMATS = {
    form.name: form
    for form in (
        Format('csv', 'CSV table', '.csv', csv_table.write, csv_table.read),
        Format('elan', 'ELAN', '.eaf', elan.write, elan.read, 'file'),
        Format('boris', 'BORIS project', '.boris', boris.write, boris.read),
        Format('boris_events', 'BORIS tabular events', '.tsv', boris.write_events, boris.read),
        Format('sportscode', 'Sportscode XML', '.xml', sportscode.write, sportscode.read, 'file'),
        Format('label_studio', 'Label Studio', '.json', label_studio.write, label_studio.read),
        Format('cvat', 'CVAT for video 1.1', '.xml', cvat.write, cvat.read, 'file', True, 128 << 20),
        Format('soccernet', 'SoccerNet Labels v2', '.json', soccernet.write, soccernet.read, 'video'),
        Format('osl', 'OSL JSON 1.0', '.json', osl.write, osl.read),
        Format('e2e_spot', 'E2E-Spot and F3Set', '.json', e2e_spot.write, e2e_spot.read),
        Format('activitynet', 'ActivityNet', '.json', activitynet.write, activitynet.read),
    )
}


def find_format(name: str) -> Format:
    """The format of this name; raises UserError."""
    if name not in FORMATS:
        raise UserError(f'no format {name!r}; there are {", ".join(FORMATS)}')
    return FORMATS[name]
