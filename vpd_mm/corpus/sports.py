"""Settings that a data set decides: windows around an action, frame rate, splits of the published protocol."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UserError
from ..structures import FrameTimes

#: 'default': selection on validation data, defects of the published code mended; 'paper': as published.
PROTOCOLS = ('default', 'paper')


@dataclass(frozen=True)
class Window:
    """Part of a video around an action, in whole frames.

    Args:
        before_sec, after_sec: Seconds before and after the anchor.
        around: The anchor: 'ends' (before the first frame, after the last one), 'middle' of the action, or 'start'
            (for actions that are one moment); the window around the last two holds at least the action.

    Raises:
        UserError: an unknown anchor.
    """

    before_sec: float = 0.0
    after_sec: float = 0.0
    around: str = 'ends'

    def __post_init__(self) -> None:
        if self.around not in ('ends', 'middle', 'start'):
            raise UserError(f'window: around must be ends, middle or start, found {self.around!r}')

    def span(self, start: int, end: int, times: FrameTimes) -> tuple[int, int]:
        """Return the first frame and the end (exclusive) of the window of an action; both may leave the video.

        Examples:
            >>> Window(0.1, 0.1, 'start').span(100, 101, FrameTimes(25.0))  # the five frames of 200 ms
            (97, 102)
        """
        before, after = times.seconds(start), times.seconds(end)
        if self.around != 'ends':
            before = after = before if self.around == 'start' else (before + after) / 2
        before, after = times.frames(before - self.before_sec), times.frames(after + self.after_sec)
        if self.around == 'ends':
            return math.floor(before + 1e-6), math.ceil(after - 1e-6)
        return min(start, math.floor(before + 1e-6)), max(end, math.floor(after + 1e-6))


@dataclass(frozen=True)
class Sport:
    """Settings of one data set.

    Args:
        window: Window around an action for recognition and retrieval (paper 4.1).
        widen: Window around an action for detection (paper 4.3).
        fps: Rate to which faster videos are reduced; None: every frame.
        train_splits: Splits that are trained on.
        selection: Split that selects the checkpoint.
        thresholds: Candidates for the score threshold of detection.
        min_score: Confidence gate of the distillation.
        rgb: ``mean`` and ``std`` of R, G, B of the crops in 0..255, for a student from random weights; {}: ImageNet's.
        queries: Split whose actions are the queries of retrieval (paper 4.2); None: all.
        paper: Fields that ``protocol='paper'`` changes.
    """

    window: Window = Window()
    widen: Window = Window()
    fps: float | None = 25.0
    train_splits: tuple[str, ...] = ('train',)
    selection: str = 'val'
    thresholds: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 20))
    min_score: float = 0.5
    rgb: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    queries: str | None = None
    paper: Mapping[str, Any] = field(default_factory=dict)

    def under(self, protocol: str) -> 'Sport':
        """The settings under a protocol.

        Raises:
            UserError: an unknown protocol.
        """
        if protocol not in PROTOCOLS:
            raise UserError(f'protocol must be one of {", ".join(PROTOCOLS)}, found {protocol!r}')
        return replace(self, **self.paper) if protocol == 'paper' else self


#: The published code reports the epoch that is best on the test set where a data set has no validation split.
_NO_VALIDATION = {'train_splits': ('train', 'val'), 'selection': 'test'}
#: Name of a data set, ``dataset`` of corpus.json, to its settings.
SPORTS = {
    'fsjump6': Sport(
        window=Window(2.5, 0.5, 'middle'),
        rgb={'mean': (146.57, 143.92, 161.53), 'std': (54.44, 55.66, 52.0)},
        paper={'fps': None, 'thresholds': tuple(i / 10 for i in range(1, 10))},
    ),
    'tennis7': Sport(
        window=Window(0.5, 0.5, 'start'),
        widen=Window(0.1, 0.1, 'start'),
        min_score=0.7,
        rgb={'mean': (112.6, 119.93, 115.62), 'std': (34.49, 30.8, 32.17)},
        paper={'fps': None, 'thresholds': Sport.thresholds[:10]},
    ),
    'fx35': Sport(
        window=Window(0.25, 0.0),
        rgb={'mean': (97.93, 88.65, 104.55), 'std': (49.74, 48.41, 50.73)},
        paper=_NO_VALIDATION,
    ),
    'diving48': Sport(
        queries='test',
        rgb={'mean': (86.99, 118.19, 131.64), 'std': (41.57, 43.59, 49.13)},
        paper=_NO_VALIDATION,
    ),
}


def find_sport(dataset: str, window: Window | None = None) -> Sport:
    """Settings of a data set; others than the keys of ``SPORTS`` have the default settings.  ``window`` replaces its.

    Examples:
        >>> find_sport('tennis7').widen.before_sec
        0.1
    """
    settings = SPORTS.get(dataset, Sport())
    return settings if window is None else replace(settings, window=window)
