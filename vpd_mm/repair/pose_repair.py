"""Fuse the poses of teacher and student over time, in the normalised frame."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..teacher.joint_feature import FLIP_ORDER
from .noise import Noise
from .smoother import UNKNOWN, smooth

#: Version of the repair: another one makes the files of this one again.  It changes with the poses that come out.
METHOD = '2'
#: Rounds of weighting the poses and the changes of velocity; in the first one the student is the estimate.
ROUNDS = 20
#: The noise of motion and acceleration grows with this power of the factor by the teacher's score.
DYNAMICS = 3
#: Degrees of freedom of the accelerations: athletes stand, run and turn over.  The tails of the teacher's second
#: differences in confident frames have fewer, on the wall flip and on Parkour.
ACCELERATION_DEGREES = 0.25
#: A swapped pose replaces the teacher's where its squared distance to the estimate is smaller by this factor.
SWAP_FACTOR = 4
#: Rows of the 13 joints that are exchanged: arms, legs.
_ARMS, _LEGS = slice(1, 7), slice(7, 13)
#: A longer gap in the crops starts a new shot, seconds.
MAX_GAP_SEC = 1.0
_Series = TypeVar('_Series')


@dataclass(frozen=True, eq=False)
class Observations:
    """Normalised poses of T frames of one video, by teacher and student.

    Args:
        steps: (T,) frames since the row before; infinite at the start of a shot (:func:`shots`).
        teacher: (T, 13, 2), NaN where it has no joint.
        scores: (T,) confidence of the teacher, NaN where it has no pose.
        confident: (T,) bool: the teacher passes the confidence gate.
        student: (T, 13, 2), finite.
        motion: (T, 13, 2) the change of the pose since the frame before, by the student; NaN where it has none.
        trained: (T,) bool: the student was trained on the frame.
    """

    steps: np.ndarray
    teacher: np.ndarray
    scores: np.ndarray
    confident: np.ndarray
    student: np.ndarray
    motion: np.ndarray
    trained: np.ndarray


@dataclass(frozen=True, eq=False)
class Repair:
    """Repaired poses of T frames.

    Args:
        joints: (T, 13, 2) in the normalised frame; smaller than a normalised pose where the sources disagree.
        variances: (T, 13) of a coordinate of a confident pose of the teacher around the repaired one.
        shares: (T, 13) part of the teacher, in all frames of the shot, in the position; the rest is the student's.
        teacher: (T, 13, 2) the teacher's pose, without swaps.
        factors: (T,) factor of the variance of the teacher's pose.
        swapped: (T,) bool: left and right were exchanged.
    """

    joints: np.ndarray
    variances: np.ndarray
    shares: np.ndarray
    teacher: np.ndarray
    factors: np.ndarray
    swapped: np.ndarray


def take_rows(series: _Series, rows: slice | np.ndarray, *fixed: str) -> _Series:
    """Return a dataclass of arrays of T frames with some of the frames; the fields ``fixed`` stay."""
    chosen = {name: values[rows] for name, values in vars(series).items() if name not in fixed}
    return replace(series, **chosen)  # type: ignore[type-var]


def shots(frame_inds: np.ndarray, starts: np.ndarray, fps: float) -> np.ndarray:
    """Return the steps (T,) of frames with a crop: infinite at a cut, and after a gap of more than a second.

    A frame of ``starts`` (``CropHeader``) whose previous frame has a crop begins a shot.
    """
    steps = np.diff(frame_inds, prepend=-np.inf).astype(float)
    cut = (steps == 1) & np.isin(frame_inds, starts)
    return np.where(cut | (steps > max(MAX_GAP_SEC * fps, 1)), np.inf, steps)


def repair(poses: Observations, noise: Noise) -> Repair:
    """Estimate the pose of every frame.

    The state of a joint is position and velocity.  The teacher's pose, the student's pose and the student's motion are
    measurements with the variances of ``noise``.  Where the teacher's score is low, its errors last like those of the
    student, and count as these do; and athletes move less evenly than in confident frames.  Lasting errors weigh in
    full where the student is alone; beside the teacher its pose counts by the root of their factor, and its motion,
    whose errors last too, by the factor.  The variance of a pose grows with its distance from the estimate, as for a t
    distribution, and that of the acceleration, common to the joints, with the expected change of the velocity: where
    several frames agree on a fast turn, it is followed, and a pose that leaps there and back is not.  Left and right
    are exchanged in arms, legs or both where this fits the student far better.
    """
    teacher, swapped = unswap(poses.teacher, poses.student, noise.held_out)
    estimate = poses.student
    # a third channel is 1 for the teacher and 0 for the student: its estimate is the share of the teacher
    positions = np.zeros((len(teacher), 2, 13, 3))
    positions[:, 0, :, :2], positions[:, 0, :, 2], positions[:, 1, :, :2] = np.nan_to_num(teacher), 1, poses.student
    motion = np.concatenate([np.nan_to_num(poses.motion), np.zeros((*teacher.shape[:2], 1))], axis=2)
    by_score = noise.factors(poses.scores)
    present, lasting = np.isfinite(teacher[..., 0]), noise.student / noise.held_out
    dynamics = by_score**DYNAMICS
    motion_variances = noise.motion * dynamics * np.where(present, lasting, 1)
    motion_variances[np.isnan(poses.motion[..., 0])] = np.inf
    beside = noise.held_out * np.sqrt(lasting)
    teacher_variances = np.where(present, noise.teacher + beside * (by_score - 1), np.inf)
    student_variances = np.where(present, beside, noise.student)
    measured = np.stack([teacher_variances, student_variances], axis=1)
    unevenness = np.ones(len(teacher))
    for number in range(ROUNDS):
        factors = tail_factors(distances(teacher, estimate, noise.held_out * by_score), noise.degrees)
        measured[:, 0] = teacher_variances * factors[:, None]
        if number:
            tails = tail_factors(distances(poses.student, estimate, noise.held_out), noise.degrees)
            measured[:, 1] = student_variances * tails[:, None]
        accelerations = noise.acceleration * dynamics * unevenness[:, None]
        fused, uncertain, changes = smooth(
            positions, measured, motion, motion_variances, poses.steps, accelerations, UNKNOWN
        )
        estimate = fused[..., :2]
        unevenness = tail_factors(unevenness * changes[..., :2].mean(axis=(1, 2)), ACCELERATION_DEGREES)
    shares = np.clip(fused[..., 2], 0, 1)
    variances = noise.scale * (uncertain + noise.teacher)
    weights = (teacher_variances / noise.teacher).mean(axis=1)
    factors = factors * np.where(np.isfinite(weights), weights, 1)
    return Repair(estimate, variances, shares, teacher, factors, swapped)


def tail_factors(squared: np.ndarray, degrees: float) -> np.ndarray:
    """Return (T,): factors of the variance of a t distribution by squared distances (T,), in units of the variance."""
    return (degrees + squared) / (degrees + 1)


def distances(teacher: np.ndarray, estimate: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return (T,): mean squared distance of the joints that the teacher has in units of ``variances``; 0 without."""
    squared = ((teacher - estimate) ** 2).mean(axis=-1) / variances
    present = np.isfinite(squared)
    return np.where(present, squared, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)


def unswap(teacher: np.ndarray, estimate: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exchange left and right in arms, legs or both where this divides the distance by ``SWAP_FACTOR``.

    Returns:
        The poses (T, 13, 2), and (T,) bool of those that were changed.
    """
    result, best = teacher.copy(), distances(teacher, estimate, variances)
    swapped = np.zeros(len(teacher), bool)
    for parts in ((_ARMS,), (_LEGS,), (_ARMS, _LEGS)):
        candidate = teacher.copy()
        for part in parts:
            candidate[:, part] = teacher[:, FLIP_ORDER[part]]
        distance = distances(candidate, estimate, variances)
        better = distance * SWAP_FACTOR < best
        result[better], best[better] = candidate[better], distance[better]
        swapped |= better
    return result, swapped
