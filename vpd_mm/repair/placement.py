"""Place normalised poses in the frame: the middle of the hips and the size of the torso over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..teacher.joint_feature import HIPS, torso_sizes
from .noise import consecutive, lag_correlation, process_noise, robust_variance
from .smoother import UNKNOWN, smooth

#: Size of the torso of a normalised pose.
NORMALIZED_TORSO = 0.5


@dataclass(frozen=True, eq=False)
class PlacementSeries:
    """Placement of the athlete in T frames of one video, by the teacher and by the crops.

    Values are the middle of the hips (x, y) and the log size of the torso, relative to the median of the crops.

    Args:
        teacher: (T, 3), NaN without a pose.
        crops: (T, 3) the middle and the log side of the crops.
        origin: (2,) px, median middle of the crops.
        side: Median side of the crops, px.
    """

    teacher: np.ndarray
    crops: np.ndarray
    origin: np.ndarray
    side: float

    @classmethod
    def of(cls, joints: np.ndarray, windows: np.ndarray) -> 'PlacementSeries':
        """Observe joints (T, 13, 2) px, NaN where the teacher has none, in crops (T, 3): left, top, side, px.

        A torso without a size has no placement.
        """
        middles, sides = windows[:, :2] + windows[:, 2:] / 2, windows[:, 2:].astype(float)
        origin, side = np.median(middles, axis=0), float(np.median(sides))
        sizes = torso_sizes(joints)[:, None]
        log_sizes = np.log(np.where(sizes > 0, sizes, np.nan) / side)
        hips = (joints[:, HIPS].mean(axis=1) - origin) / side
        teacher = np.where(np.isfinite(log_sizes), np.concatenate([hips, log_sizes], axis=1), np.nan)
        return cls(teacher, np.concatenate([(middles - origin) / side, np.log(sides / side)], axis=1), origin, side)


@dataclass(frozen=True, eq=False)
class PlacementNoise:
    """Noise of the values of a :class:`PlacementSeries`.

    Args:
        offset: (3,) median of teacher minus crops.
        crops: (3,) variances of the placement that the crops give with this offset.
        teacher: (3,) variances of the teacher's.
        acceleration: (3,) variances that the change from frame to frame gains in a frame.
    """

    offset: np.ndarray
    crops: np.ndarray
    teacher: np.ndarray
    acceleration: np.ndarray


@dataclass(frozen=True, eq=False)
class Placement:
    """Middle of the hips (T, 2) px, size of the torso (T,) px, and the variances of the coordinates (T,) px^2, and of
    the log size (T,)."""

    roots: np.ndarray
    sizes: np.ndarray
    root_variances: np.ndarray
    size_variances: np.ndarray

    def to_px(self, joints: np.ndarray) -> np.ndarray:
        """Convert normalised joints (T, 13, 2) to pixels."""
        return self.roots[:, None] + joints * (self.sizes / NORMALIZED_TORSO)[:, None, None]

    def deviations_px(self, joints: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Return the standard deviation (T, 13) px of a coordinate of normalised joints with such variances."""
        scale = (self.sizes / NORMALIZED_TORSO)[:, None] ** 2
        by_size = (joints**2).mean(axis=-1) * self.size_variances[:, None]
        return np.sqrt(scale * (variances + by_size) + self.root_variances[:, None])


def calibrate_placement(videos: Sequence[tuple[PlacementSeries, np.ndarray, np.ndarray]]) -> PlacementNoise:
    """Measure the noise on confident frames (T,) bool of videos, at steps (T,).

    Teacher minus crops lasts for many frames: its variance counts (1 + r) / (1 - r) times, r its lag-1 correlation.
    """
    confident = [frames & np.isfinite(series.teacher).all(axis=1) for series, frames, _ in videos]
    offsets = [series.teacher - series.crops for series, *_ in videos]
    offset = np.median(np.concatenate([o[frames] for o, frames in zip(offsets, confident)]), axis=0)
    errors = [(o - offset)[..., None] for o in offsets]
    variances = robust_variance([e[frames] for e, frames in zip(errors, confident)]) + 1e-6
    pairs = [consecutive(frames, steps, 2) for frames, (_, _, steps) in zip(confident, videos)]
    lag = lag_correlation(errors, pairs, variances)
    acceleration, white = process_noise(
        [(series.teacher[..., None], frames, steps) for frames, (series, _, steps) in zip(confident, videos)]
    )
    return PlacementNoise(offset, variances * (1 + lag) / (1 - lag), white + 1e-6, acceleration)


def place(series: PlacementSeries, factors: np.ndarray, steps: np.ndarray, noise: PlacementNoise) -> Placement:
    """Smooth the placement over time; frames without a pose get that of the others and of the crops.

    Args:
        factors: (T,) of the teacher's variances, as of the poses.
        steps: (T,) of :func:`~vpd_mm.repair.pose_repair.shots`.
    """
    teacher = np.where(np.isfinite(series.teacher), noise.teacher * factors[:, None], np.inf)
    variances = np.stack([teacher, np.broadcast_to(noise.crops, teacher.shape)], axis=1)
    positions = np.stack([np.nan_to_num(series.teacher), series.crops + noise.offset], axis=1)[..., None]
    no_velocity = np.full(teacher.shape, np.inf)
    accelerations = np.broadcast_to(noise.acceleration, teacher.shape)
    means, placed_variances, _ = smooth(
        positions, variances, np.zeros((*teacher.shape, 1)), no_velocity, steps, accelerations, UNKNOWN
    )
    values, placed_variances = means[..., 0], placed_variances + noise.teacher
    roots, sizes = series.origin + series.side * values[:, :2], series.side * np.exp(values[:, 2])
    return Placement(roots, sizes, series.side**2 * placed_variances[:, :2].mean(axis=1), placed_variances[:, 2])
