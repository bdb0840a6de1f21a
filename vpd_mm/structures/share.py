"""Shares of tested items, such as accuracies, with a confidence interval and beside the chance level."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose, sqrt
from statistics import NormalDist

import numpy as np

from ..errors import counted, plural

CONFIDENCE = 0.95


def wilson_interval(value: float, n: int) -> tuple[float, float]:
    """Wilson's interval of a mean ``value`` of n values between 0 and 1 (of 0 and 1 alone: of a proportion).

    The n items count as independent.  Of values that are not 0 or 1, such as the mean over several models tested on the
    same n clips, the variance is at most that of a proportion, so that the interval is not too short.
    """
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    centre, scale = value + z**2 / (2 * n), 1 + z**2 / n
    half = z * sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def guess_chance(labels: Sequence[int] | np.ndarray, num_classes: int) -> tuple[float, float]:
    """Expected accuracy on ``labels`` of a uniform guess, and of always naming their most frequent class."""
    return 1 / num_classes, float(np.bincount(labels).max() / len(labels))


@dataclass(frozen=True)
class Share:
    """A mean of n values between 0 and 1, such as an accuracy or a precision, beside the chance level.

    Args:
        value: Between 0 and 1.
        n: Number of tested items.  Several models tested on the same items do not make it larger.
        chance: Expected value of the best guess without a model, between 0 and 1.
        unit: An item, in the singular.

    Examples:
        >>> print(Share(0.4, 10, 0.5))
        40.0 % of 10 clips (95 % interval 16.8 to 68.7, chance 50.0)
        >>> Share(0.4, 10, 0.5).warning
        '40.0 % of 10 clips is below chance (50.0 %)'
    """

    value: float
    n: int
    chance: float
    unit: str = 'clip'

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of :func:`wilson_interval`."""
        return wilson_interval(self.value, self.n)

    @property
    def interval_text(self) -> str:
        """The interval in percent: '16.8 to 68.7'."""
        return ' to '.join(f'{100 * bound:.1f}' for bound in self.interval)

    @property
    def warning(self) -> str:
        """Why the value says nothing yet: it is at or below chance, or its interval includes chance; else ''."""
        what, low = f'{100 * self.value:.1f} % of {counted(self.n, self.unit)}', self.interval[0]
        at_chance = isclose(self.value, self.chance)
        if at_chance or self.value < self.chance:
            return f'{what} is {"at" if at_chance else "below"} chance ({100 * self.chance:.1f} %)'
        if low <= self.chance:
            least = f'the 95 % interval begins at {100 * low:.1f} %; test on more {plural(self.unit)}'
            return f'{what} cannot be told from chance ({100 * self.chance:.1f} %): {least}'
        return ''

    def __str__(self) -> str:
        of = f'{100 * self.value:.1f} % of {counted(self.n, self.unit)}'
        return f'{of} (95 % interval {self.interval_text}, chance {100 * self.chance:.1f})'
