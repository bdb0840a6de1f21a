"""Actions in formats whose events are moments.

An action is written as the moment at its middle frame.  The field ``interval``, which other programs pass over, keeps
its extent: start, moment and end, all in the unit of the moment.  It is read only while the moment is still the one in
it: an event that was moved in another program has lost its extent.
"""

from typing import Any

from ..structures import Label

FIELD = 'interval'


def frames_of(label: Label) -> list[int]:
    """First frame of an action, the one that stands for it, and its end."""
    return [label.start_frame, (label.start_frame + label.end_frame - 1) // 2, label.end_frame]


def extent_of(event: dict, moment: float) -> tuple[float, float | None]:
    """Start and end of an event of ours that was not moved since; of another one the moment, without an end."""
    values: Any = event.get(FIELD)
    numbers = isinstance(values, list) and len(values) == 3 and all(type(v) in (int, float) for v in values)
    if numbers and values[1] == moment and 0 <= values[0] <= values[1] <= values[2] < 1e12:
        return float(values[0]), float(values[2])
    return moment, None
