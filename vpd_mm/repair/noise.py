"""Noise levels of teacher and student, and robust statistics of series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import isotonic_regression

#: With fewer confident frames that the student was not trained on, or was trained on, they say nothing.
MIN_FRAMES = 50
#: Least number of frames of similar scores whose distances are averaged.
SCORE_BIN = 25
#: Degrees of freedom where fewer frames than ``MIN_TAIL`` are known, as few say nothing about outliers; their range.
DEGREES, MIN_TAIL, DEGREES_RANGE = 4.0, 200, (0.25, 8.0)
#: Least variance (0.0002 torsos, squared): sources that agree exactly get a finite weight.
LEAST_VARIANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Noise:
    """Variances (13,) per joint of a coordinate, in normalised units.

    Args:
        held_out: Of teacher minus student on frames that the student was not trained on.
        teacher: Of the teacher's pose.
        student: Of the student's pose.
        motion: Of the student's motion.
        acceleration: That the velocity gains in a frame, most of the time.
        score_levels, score_factors: (B,) ascending scores of the teacher, and how much larger ``held_out`` is there
            than on its confident frames.
        degrees: Of freedom of the t distributions of the poses of teacher and student: smaller = a pose far from the
            estimate has less weight.
        scale: Factor of the variance of the estimate and of the teacher together that makes it fit the residuals of
            the teacher in held-out frames, where it was left out of the estimate.
        num_held_out, num_trained: Numbers of confident frames.
    """

    held_out: np.ndarray
    teacher: np.ndarray
    student: np.ndarray
    motion: np.ndarray
    acceleration: np.ndarray
    score_levels: np.ndarray
    score_factors: np.ndarray
    degrees: float
    scale: np.ndarray
    num_held_out: int
    num_trained: int

    def factors(self, scores: np.ndarray) -> np.ndarray:
        """Return (T, 1): how much larger ``held_out`` is at scores (T,) of the teacher, at least 1; 1 where NaN."""
        factors = np.interp(scores, self.score_levels, self.score_factors)
        return np.fmax(factors, 1)[:, None]

    @property
    def is_held_out(self) -> bool:
        """False where too few confident frames were held out: the levels are then those of the training frames."""
        return self.num_held_out >= MIN_FRAMES


def process_noise(series: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the acceleration noise (J,), and the white noise (J,) of measurements, from their differences.

    Args:
        series: Of each video: values (T, J, C), whether a frame counts (T,), steps (T,).

    Returns:
        White noise w is the variance of the third difference / 20.  The second difference has the variance
        6 w + 2/3 q of the white noise and of the acceleration noise q; q is at least the standard error of this.
    """
    differences = [
        np.concatenate([np.diff(x, n, axis=0)[consecutive(frames, steps, n + 1)[n:]] for x, frames, steps in series])
        for n in (2, 3)
    ]
    second, third = (robust_variance([values]) for values in differences)
    white = np.where(np.isfinite(third), third / 20, 0)
    # relative standard error of a variance from the median of N absolute values: 2.33 / sqrt(N)
    error = 2.33 * second / np.sqrt(max(differences[0][:, 0].size, 1))
    return np.minimum(1.5 * np.maximum(second - 6 * white, error), 1), white


def score_factors(scores: np.ndarray, distances: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (B,) ascending scores, and the mean of distances (N,) at each in this unit, never growing with the score.

    Means of ``SCORE_BIN`` frames of similar scores (N,), and their isotonic regression; of no frame: 1 everywhere.
    """
    order = np.argsort(scores, kind='stable')
    bins = np.array_split(order, max(len(order) // SCORE_BIN, 1))
    if not len(order) or not unit > 0:
        return np.zeros(1), np.ones(1)
    levels, means = (np.array([values[rows].mean() for rows in bins]) for values in (scores, distances))
    return levels, isotonic_regression(means / unit, weights=[len(rows) for rows in bins], increasing=False).x


def tail_degrees(distances: np.ndarray) -> float:
    """Estimate the degrees of freedom of :class:`Noise` from squared distances (N,) between poses of two sources.

    They follow an F distribution, fitted by maximum likelihood; its second degrees count per degree of the first, as a
    distance is the mean over correlated joints.  Of few distances: ``DEGREES``.
    """
    positive = distances[np.isfinite(distances) & (distances > 0)]
    if len(positive) < MIN_TAIL:
        return DEGREES
    first, second, *_ = stats.f.fit(positive, floc=0)
    return float(np.clip(second / first, *DEGREES_RANGE))


def consecutive(frames: np.ndarray, steps: np.ndarray, count: int) -> np.ndarray:
    """Return (T,) bool: the frame and the ``count - 1`` before it, without a gap, are among ``frames`` (T,) bool."""
    result = frames
    for _ in range(count - 1):
        result = frames & (steps == 1) & np.concatenate([[False], result[:-1]])
    return result


def robust_variance(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return (J,): the robust variance of values (N, J, C), at least ``LEAST_VARIANCE``; infinite of none."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values).all(axis=(1, 2))]
    if not len(values):
        return np.full(values.shape[1], np.inf)
    return np.maximum((1.4826 * np.median(np.abs(values), axis=(0, 2))) ** 2, LEAST_VARIANCE)


def lag_correlation(series: Sequence[np.ndarray], rows: Sequence[np.ndarray], variances: np.ndarray) -> np.ndarray:
    """Return (J,): the correlation of values (T, J, C) with those of the row before, at rows (T,) bool of each video.

    Values are clipped at four standard deviations; it is 0 of none, and never negative.
    """
    a = np.concatenate([values[np.flatnonzero(chosen) - 1] for values, chosen in zip(series, rows)])
    b = np.concatenate([values[chosen] for values, chosen in zip(series, rows)])
    limit = 4 * np.sqrt(variances)[:, None]
    a, b = np.clip(a, -limit, limit), np.clip(b, -limit, limit)
    power = np.sqrt((a**2).sum(axis=(0, 2)) * (b**2).sum(axis=(0, 2)))
    product = (a * b).sum(axis=(0, 2))
    return np.clip(np.divide(product, power, out=np.zeros_like(power), where=power > 0), 0, 0.99)
