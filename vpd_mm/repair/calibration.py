"""Noise levels of teacher and student from the teacher's confident frames; no ground truth is used."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import UserError
from .noise import (
    MIN_FRAMES,
    Noise,
    consecutive,
    lag_correlation,
    process_noise,
    robust_variance,
    score_factors,
    tail_degrees,
)
from .pose_repair import Observations, distances, repair, unswap


def calibrate(videos: Sequence[Observations]) -> Noise:
    """Measure the noise levels of teacher and student.

    On confident frames that the student was not trained on, teacher minus student has the variance H, and the lag-1
    correlation r.  The teacher has the variance of this difference on frames that the student was trained on, at most
    H/2; the student H (1 + r) / (1 - r), as its errors last for several frames; its motion that of the teacher's
    change minus the motion.  Accelerations follow from the teacher's second differences.  Variances are robust: of the
    median; how often poses are further apart than these say gives the degrees of freedom.  How H grows as the score of
    the teacher falls is measured on all frames that the student was not trained on.

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
    pairs = [consecutive(frames, v.steps, 2) for v, frames in zip(videos, held)]
    changes = [(np.diff(v.teacher, axis=0, prepend=np.nan) - v.motion)[rows] for v, rows in zip(videos, pairs)]
    lag = lag_correlation(errors, pairs, held_out)
    unswapped = [unswap(v.teacher, v.student, held_out)[0] for v in videos]
    apart = [distances(t, v.student, held_out) for t, v in zip(unswapped, videos)]
    confident = np.concatenate([d[frames] for d, frames in zip(apart, held)])
    known = [_complete(v) & (~v.trained | every) for v in videos]
    levels, factors = score_factors(
        np.concatenate([v.scores[frames] for v, frames in zip(videos, known)]),
        np.concatenate([d[frames] for d, frames in zip(apart, known)]),
        confident.mean(),
    )
    expected = np.interp(np.concatenate([v.scores[frames] for v, frames in zip(videos, held)]), levels, factors)
    acceleration, _ = process_noise([(v.teacher, _usable(v), v.steps) for v in videos])
    noise = Noise(
        held_out,
        teacher,
        held_out * (1 + lag) / (1 - lag),
        robust_variance(changes),
        acceleration,
        levels,
        factors,
        tail_degrees(confident / expected),
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


def _usable(poses: Observations) -> np.ndarray:
    return poses.confident & _complete(poses)


def _complete(poses: Observations) -> np.ndarray:
    return np.isfinite(poses.teacher).all(axis=(1, 2))
