"""Settings that a data set decides: the window around an action and the split that selects the checkpoint."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Window:
    """Part of a video that belongs to an action: ``before_sec`` before its start to ``after_sec`` after its end.

    Cut at the ends of the video.
    """

    before_sec: float = 0.0
    after_sec: float = 0.0


@dataclass(frozen=True)
class Sport:
    """Settings of one data set.

    Args:
        title: Name of the data set in tables and in the paper.
        sport: The ``sport`` that its importer writes into corpus.json.
        window: Window around an action for recognition and retrieval (paper 4.1).
        widen: Window around an action for detection (paper 4.3).
        fps: Rate that sequences and clips are resampled to.
        paper_selection: Split on which the published code selected the
            checkpoint; used with ``protocol='paper'``.
    """

    title: str = ''
    sport: str = ''
    window: Window = Window()
    widen: Window = Window()
    fps: float = 25.0
    paper_selection: str = 'val'


#: Name of a data set to its settings.
SPORTS = {
    'fsjump6': Sport('FSJump6', 'figure_skating', window=Window(2.5, 0.5)),
    'tennis7': Sport('Tennis7', 'tennis', window=Window(0.5, 0.5), widen=Window(0.1, 0.1)),
    'fx35': Sport('FX35', 'floor_exercise', window=Window(0.25, 0.0), paper_selection='test'),
    'diving48': Sport('Diving48', 'diving', paper_selection='test'),
    'penn': Sport('Penn Action', 'penn_action'),
    'synthetic': Sport('Synthetic', 'synthetic tumbling'),
}


def find_sport(sport: str, name: str, window: Window | None = None) -> Sport:
    """Settings of a corpus.

    Args:
        sport: ``sport`` of corpus.json: a key of ``SPORTS`` or the text that an importer writes.
        name: ``name`` of corpus.json; used where ``sport`` is ''.
        window: ``window`` of corpus.json; replaces that of the sport.

    Returns:
        The default settings (no window, selection on 'val') for an unknown sport.

    Examples:
        >>> find_sport('tennis', 'my_matches').widen
        Window(before_sec=0.1, after_sec=0.1)
    """
    asked = sport or name
    known = (settings for key, settings in SPORTS.items() if asked in (key, settings.sport))
    settings = next(known, Sport(title=name, sport=sport))
    return settings if window is None else replace(settings, window=window)
