"""Place normalised poses in the frame: the middle of the hips and the size of the torso over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..teacher.joint_feature import HIPS, torso_sizes
from .noise import process_noise, robust_variance
from .smoother import smooth

#: Size of the torso of a normalised pose.
NORMALIZED_TORSO = 0.5


@dataclass(frozen=True, eq=False)
class PlacementNoise:
    """Of the offset (x, y) of the hips from the middle of the crop and the log size of the torso, in sides of the crop.

    Args:
        middle: (3,) medians.
        spread: (3,) variances around them.
        white: (3,) variances of a measurement of the teacher.
        change: (3,) variances of the change from frame to frame.
        acceleration: (3,) variances that the change gains in a frame.
    """

    middle: np.ndarray
    spread: np.ndarray
    white: np.ndarray
    change: np.ndarray
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


def relative_placement(joints: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Return (T, 3): offset of the hips of joints (T, 13, 2) px and log torso size, relative to their crops (T, 3).

    NaN where a hip or shoulder is NaN or the torso has no size.
    """
    middle, side = windows[:, :2] + windows[:, 2:] / 2, windows[:, 2:]
    sizes = torso_sizes(joints)[:, None]
    relative = np.log(np.where(sizes > 0, sizes, np.nan) / side)
    return np.concatenate([(joints[:, HIPS].mean(axis=1) - middle) / side + 0 * relative, relative], axis=1)


def calibrate_placement(series: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> PlacementNoise:
    """Measure the noise of the relative placements (T, 3) of videos, in confident frames (T,), at steps (T,)."""
    series = [(x[..., None], frames & np.isfinite(x).all(axis=1), steps) for x, frames, steps in series]
    values = np.concatenate([x[frames] for x, frames, _ in series])
    middle = np.median(values[..., 0], axis=0)
    acceleration, white = process_noise(series)
    changes = [np.diff(x, axis=0)[(frames[1:] & frames[:-1] & (steps[1:] == 1))] for x, frames, steps in series]
    change = robust_variance(changes)
    change = np.where(np.isfinite(change), change, 0) + 1e-8
    spread = robust_variance([values - middle[:, None]])
    return PlacementNoise(middle, spread + 1e-4, white + 1e-6, change, acceleration)


def place(
    relative: np.ndarray, factors: np.ndarray, steps: np.ndarray, windows: np.ndarray, noise: PlacementNoise
) -> Placement:
    """Smooth the relative placements over time; frames without one, NaN, get that of the others.

    Args:
        relative: (T, 3) of :func:`relative_placement`.
        factors: (T,) of the variances, as of the poses.
        steps: (T,) of :func:`~vpd_mm.repair.pose_repair.shots`.
        windows: (T, 3) left, top, side of the crops, px.

    A shot without any gets the median of the corpus.
    """
    present = np.isfinite(relative)
    measured = np.where(present, noise.white * factors[:, None], np.inf)
    # without a measurement the placement comes to rest instead of leaving the crop
    velocity = np.where(present, np.inf, noise.change)
    centred = np.where(present, relative - noise.middle, 0)[:, None, :, None]
    start = (float(noise.spread.max()), float(noise.change.max()))
    means, variances = smooth(
        centred, measured[:, None], np.zeros((*relative.shape, 1)), velocity, steps, noise.acceleration, start
    )
    values = means[..., 0] + noise.middle
    side = windows[:, 2].astype(float)
    roots = windows[:, :2] + side[:, None] * (0.5 + values[:, :2])
    variances = variances + np.where(present, 0, noise.white)
    return Placement(roots, side * np.exp(values[:, 2]), side**2 * variances[:, :2].mean(axis=1), variances[:, 2])
