"""Noise levels of teacher and student, from the teacher's confident frames; no ground truth is used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from .pose_repair import Observations, repair, unswap

#: With fewer confident frames that the student was not trained on, or was trained on, they say nothing.
MIN_FRAMES = 50


@dataclass(frozen=True, eq=False)
class Noise:
    """Variances (13,) per joint of a coordinate, in normalised units.

    Args:
        held_out: Of teacher minus student on frames that the student was not trained on.
        teacher: Of the teacher's pose.
        student: Of the student's pose.
        motion: Of the student's motion.
        acceleration: That the velocity gains in a frame.
        scale: Factor of the variance of the estimate and of the teacher together that makes it fit the residuals of
            the teacher in held-out frames, where it was left out of the estimate.
        num_held_out, num_trained: Numbers of confident frames.
    """

    held_out: np.ndarray
    teacher: np.ndarray
    student: np.ndarray
    motion: np.ndarray
    acceleration: np.ndarray
    scale: np.ndarray
    num_held_out: int
    num_trained: int

    @property
    def is_sure(self) -> bool:
        """False where too few confident frames were held out: the levels are then those of the training frames."""
        return self.num_held_out >= MIN_FRAMES


def calibrate(videos: Sequence[Observations]) -> Noise:
    """Measure the noise levels of teacher and student.

    On confident frames that the student was not trained on, teacher minus student has the variance H, and the lag-1
    correlation r.  The teacher has the variance of this difference on frames that the student was trained on, at most
    H/2; the student H (1 + r) / (1 - r), as its errors last for several frames; its motion that of the teacher's change
    minus the motion.  Accelerations follow from the teacher's second differences.  Variances are robust: of the median.

    Raises:
        UserError: no frame is confident.
    """
    num_held_out, num_trained = (
        sum(int((_usable(v) & (v.trained == is_trained)).sum()) for v in videos) for is_trained in (False, True)
    )
    if not num_held_out + num_trained:
        raise UserError('the teacher has no confident pose in a frame with a crop')
    every = num_held_out < MIN_FRAMES
    held = [_usable(v) & (~v.trained | every) for v in videos]
    errors = [v.teacher - v.student for v in videos]
    held_out = robust_variance([e[frames] for e, frames in zip(errors, held)])
    teacher = held_out / 2
    if num_trained >= MIN_FRAMES:
        teacher = np.minimum(teacher, robust_variance([e[_usable(v) & v.trained] for e, v in zip(errors, videos)]))
    pairs = [_rows(frames, v.steps, 2) for v, frames in zip(videos, held)]
    changes = [(np.diff(v.teacher, axis=0, prepend=np.nan) - v.motion)[rows] for v, rows in zip(videos, pairs)]
    correlation = _correlation(
        np.concatenate([e[np.flatnonzero(rows) - 1] for e, rows in zip(errors, pairs)]),
        np.concatenate([e[rows] for e, rows in zip(errors, pairs)]),
        held_out,
    )
    acceleration, _ = process_noise([(v.teacher, _usable(v), v.steps) for v in videos])
    noise = Noise(
        held_out,
        teacher,
        held_out * (1 + correlation) / (1 - correlation),
        robust_variance(changes),
        acceleration,
        np.ones(13),
        num_held_out,
        num_trained,
    )
    return replace(noise, scale=_scale(videos, held, noise))


def _scale(videos: Sequence[Observations], held: Sequence[np.ndarray], noise: Noise) -> np.ndarray:
    """Return (13,): mean squared residual of the teacher on frames without it, in units of its expected variance."""
    ratios = []
    for poses, frames in zip(videos, held):
        if frames.any():
            hidden = np.where(frames[:, None, None], np.nan, poses.teacher)
            estimate = repair(replace(poses, teacher=hidden), noise)
            teacher, _ = unswap(poses.teacher, poses.student, noise.held_out)
            squared = ((teacher - estimate.joints) ** 2).mean(axis=-1)
            ratios.append((squared / estimate.variances)[frames])
    return np.concatenate(ratios).mean(axis=0)


def process_noise(series: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the acceleration noise (J,), and the white noise (J,) of measurements, from their differences.

    Args:
        series: Of each video: values (T, J, C), whether a frame counts (T,), steps (T,).

    Returns:
        White noise w is the variance of the third difference / 20.  The second difference has the variance
        6 w + 2/3 q of the white noise and of the acceleration noise q; q is at least the standard error of this.
    """
    differences = [
        np.concatenate([np.diff(x, n, axis=0)[_rows(frames, steps, n + 1)[n:]] for x, frames, steps in series])
        for n in (2, 3)
    ]
    second, third = (robust_variance([values]) for values in differences)
    white = np.where(np.isfinite(third), third / 20, 0)
    # relative standard error of a variance from the median of N absolute values: 2.33 / sqrt(N)
    error = 2.33 * second / np.sqrt(max(differences[0][:, 0].size, 1))
    return np.minimum(1.5 * np.maximum(second - 6 * white, error), 1), white


def _usable(poses: Observations) -> np.ndarray:
    return poses.confident & np.isfinite(poses.teacher).all(axis=(1, 2))


def _rows(frames: np.ndarray, steps: np.ndarray, count: int) -> np.ndarray:
    """Return (T,) bool: the frame and the ``count - 1`` before it, without a gap, are among ``frames`` (T,) bool."""
    result = frames
    for _ in range(count - 1):
        result = frames & (steps == 1) & np.concatenate([[False], result[:-1]])
    return result


def robust_variance(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return (J,): the robust variance of values (N, J, C), NaN of none."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values).all(axis=(1, 2))]
    return (1.4826 * np.median(np.abs(values), axis=(0, 2))) ** 2 if len(values) else np.full(values.shape[1], np.inf)


def _correlation(a: np.ndarray, b: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return (J,): the correlation of (N, J, C), clipped at four standard deviations; 0 of none."""
    limit = 4 * np.sqrt(variances)[:, None]
    a, b = np.clip(a, -limit, limit), np.clip(b, -limit, limit)
    power = np.sqrt((a**2).sum(axis=(0, 2)) * (b**2).sum(axis=(0, 2)))
    product = (a * b).sum(axis=(0, 2))
    return np.clip(np.divide(product, power, out=np.zeros_like(power), where=power > 0), 0, 0.99)
