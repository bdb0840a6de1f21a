"""Settings that a data set decides: the window around an action and the split that selects the checkpoint."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Window:
    """Part of a video around an action: ``before_sec`` before its start to ``after_sec`` after its end."""

    before_sec: float = 0.0
    after_sec: float = 0.0


@dataclass(frozen=True)
class Sport:
    """Settings of one data set.

    Args:
        sport: The ``sport`` that its importer writes into corpus.json.
        window: Window around an action for recognition and retrieval (paper 4.1).
        widen: Window around an action for detection (paper 4.3).
        fps: Rate that sequences and clips are resampled to.
        paper_selection: Split on which the published code selected the checkpoint; for ``protocol='paper'``.
    """

    sport: str = ''
    window: Window = Window()
    widen: Window = Window()
    fps: float = 25.0
    paper_selection: str = 'val'


#: Name of a data set to its settings.
SPORTS = {
    'fsjump6': Sport('figure_skating', window=Window(2.5, 0.5)),
    'tennis7': Sport('tennis', window=Window(0.5, 0.5), widen=Window(0.1, 0.1)),
    'fx35': Sport('floor_exercise', window=Window(0.25, 0.0), paper_selection='test'),
    'diving48': Sport('diving', paper_selection='test'),
    'penn': Sport('penn_action'),
    'synthetic': Sport('synthetic tumbling'),
}


def find_sport(sport: str, name: str, window: Window | None = None) -> Sport:
    """Settings of a corpus, from ``sport``, ``name`` and ``window`` of its corpus.json.

    ``sport`` is a key of ``SPORTS`` or the text that an importer writes; where it is '', the name decides.  An unknown
    sport has the default settings.

    Examples:
        >>> find_sport('tennis', 'my_matches').widen
        Window(before_sec=0.1, after_sec=0.1)
    """
    wanted = sport or name
    known = (settings for key, settings in SPORTS.items() if wanted in (key, settings.sport))
    settings = next(known, Sport(sport))
    return settings if window is None else replace(settings, window=window)
