"""SoccerNet Labels-v2.json: one game, events at milliseconds of one half.

The video of half 1 is ``1_720p``, ``1_224p`` or ``1`` in the folder of the game (``UrlLocal``), or a video named like
the game; that of half 2 likewise.  An athlete is read from ``team`` where the corpus knows one of that name.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..files import MARK
from .entries import Entry, LabelledVideo, Reading, Source
from .fields import dict_of, get, list_of, name_of, whole_of
from .moments import FIELD, extent_of, frames_of
from .videos import KnownNames

#: "half - minute:second"
_GAME_TIME = re.compile(r'\s*(\d{1,2})\s*-\s*(\d{1,4}):(\d\d)\s*')
_VIDEOS = ('{}_720p', '{}_224p', '{}_HQ', '{}')


def read(source: Source, known: KnownNames) -> Reading:
    """Read the events; raises UserError where it is no such file."""
    content = source.json()
    game = content.get('UrlLocal', '') if isinstance(content, dict) else ''
    game = game if isinstance(game, str) else ''
    reading, halves = Reading(), dict[int, str]()
    for number, event in enumerate(list_of(get(content, 'annotations', 'the file'), 'annotations'), 1):
        where = f'annotation {number}'
        with reading.attempt(where):
            event = dict_of(event, 'an annotation')
            time = get(event, 'gameTime', 'an annotation')
            match = _GAME_TIME.fullmatch(time) if isinstance(time, str) else None
            if match is None:
                raise UserError(f'gameTime must be such as "1 - 00:12", found {str(time)[:80]!r}')
            half, minutes, seconds = map(int, match.groups())
            position = whole_of(event.get('position', 1000 * (60 * minutes + seconds)), 'position')
            team = event.get('team')
            athlete = team if isinstance(team, str) and team in known.athletes else ''
            label = name_of(get(event, 'label', 'an annotation'), 'label')
            if half not in halves:
                halves[half] = _video_of(known, game, half) or source.stem
            start, end = extent_of(event, position)
            entry = Entry(where, halves[half], label, start / 1000, end and end / 1000, athlete=athlete)
            reading.entries.append(entry)
    return reading


def _video_of(known: KnownNames, game: str, half: int) -> str:
    """Path or name of the video of a half; without one, the name of the game, or '' where that is empty."""
    folders = [part for part in game.split('/') if part]
    for pattern in _VIDEOS:
        path = '/'.join([*folders, pattern.format(half)])
        for info in known.videos_named(path):
            if folders and Path(info.path).parent.name == folders[-1]:
                return info.path
    return folders[-1] if folders and half == 1 else f'half {half} of {folders[-1]}' if folders else ''


def write(videos: Sequence[LabelledVideo], classes: Sequence[str]) -> bytes:
    """Write one video as the first half of a game; actions as moments (:mod:`~vpd_mm.interchange.moments`)."""
    [video] = videos
    events = []
    for label in video.labels:
        interval = [video.milliseconds(frame) for frame in frames_of(label)]
        position = interval[1]
        events.append(
            {
                'gameTime': f'1 - {position // 60000:02d}:{position // 1000 % 60:02d}',
                'label': label.label,
                'position': str(position),
                'team': video.athlete or 'not applicable',
                'visibility': 'visible',
                FIELD: interval,
            }
        )
    content = {'UrlLocal': video.info.video, 'UrlYoutube': '', 'generator': MARK, 'annotations': events}
    return json.dumps(content, indent=4, ensure_ascii=False).encode()
