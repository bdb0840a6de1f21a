"""Actions in formats whose events are moments.

An action is written as the moment at its middle frame.  The field ``interval``, which other programs pass over, keeps
its extent: start, moment and end, all in the unit of the moment.  It is read only while the moment is still the one in
it: an event that was moved in another program has lost its extent.
"""

from typing import Any

from ..structures import Label

FIELD = 'interval'


def middle_frame(label: Label) -> int:
    """The frame of an action that stands for it."""
    return (label.start_frame + label.end_frame - 1) // 2


def kept_interval(event: dict, moment: float) -> tuple[float, float] | None:
    """Start and end of an event of ours that was not moved since; None for another one."""
    values: Any = event.get(FIELD)
    numbers = isinstance(values, list) and len(values) == 3 and all(type(v) in (int, float) for v in values)
    if numbers and values[1] == moment and 0 <= values[0] <= values[1] <= values[2] < 1e12:
        return float(values[0]), float(values[2])
    return None
