"""Cameras on a fixed position that pan, tilt, zoom and shake, like those of an operator who follows the athlete.

A camera looks along its z axis, x is to the right and y down (OpenCV): ``x_cam = R (x_world - centre)``,
``pixel = focal * x_cam[:2] / x_cam[2] + size / 2``; pixel (0, 0) is the centre of the first pixel's upper left corner.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .motions import RATE
from .skeleton import rot_z


def look_rotation(azimuth: np.ndarray, elevation: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Return (T, 3, 3) world to camera; azimuth from +x towards +y, elevation upward, roll about the viewing axis."""
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    zero = np.zeros_like(ca)
    forward = np.stack([ce * ca, ce * sa, se], axis=-1)
    right = np.stack([sa, -ca, zero], axis=-1)
    return rot_z(roll) @ np.stack([right, np.cross(forward, right), forward], axis=-2)


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """One camera at T moments."""

    centre: np.ndarray  # (3,) metres
    rotation: np.ndarray  # (T, 3, 3) world to camera
    focal: np.ndarray  # (T,) pixels
    size: tuple[int, int]  # width, height of the image

    def __getitem__(self, index) -> 'CameraTrack':
        return CameraTrack(self.centre, self.rotation[index], self.focal[index], self.size)

    def __len__(self) -> int:
        return len(self.focal)

    @property
    def intrinsics(self) -> np.ndarray:
        """(T, 3, 3)."""
        out = np.zeros((len(self), 3, 3))
        out[:, 0, 0] = out[:, 1, 1] = self.focal
        out[:, 0, 2], out[:, 1, 2], out[:, 2, 2] = self.size[0] / 2, self.size[1] / 2, 1
        return out

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform (T, ..., 3) world to camera coordinates."""
        return np.einsum('tij,t...j->t...i', self.rotation, points - self.centre)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project (T, ..., 3) world to pixel x, pixel y and depth in metres, which is at least 0.2."""
        local = self.to_camera(points)
        depth = np.maximum(local[..., 2], 0.2)
        focal = self.focal.reshape((-1,) + (1,) * (local.ndim - 2))
        middle = np.array(self.size) / 2
        pixel = local[..., :2] * (focal / depth)[..., None] + middle
        return np.concatenate([pixel, depth[..., None]], axis=-1)


def follow(
    path: np.ndarray, centre: np.ndarray, size: tuple[int, int], person_px: np.ndarray, rng: np.random.Generator
) -> CameraTrack:
    """Follow the hips of a person (T, 3), :data:`RATE` samples per second, with a delay and unsteadily.

    ``person_px`` is the range of the height in pixels of a person of 1.65 m, within which the operator zooms slowly.
    """
    num = len(path)

    def wobble(period_sec: float, sd: float) -> np.ndarray:
        smooth = gaussian_filter1d(rng.standard_normal(num + RATE), period_sec * RATE / 4, mode='wrap')[:num]
        return sd * smooth / max(float(smooth.std()), 1e-6)

    # The operator reacts 0.05 to 0.2 s late, smoothly, and follows only part of the height of a jump.
    late = round(rng.uniform(0.05, 0.20) * RATE)
    target = np.concatenate([np.repeat(path[:1], late, axis=0), path[: num - late]])
    target = gaussian_filter1d(target, rng.uniform(0.15, 0.25) * RATE, axis=0, mode='nearest')
    rest = np.median(path[:, 2])
    target[:, 2] = rest + rng.uniform(0.45, 0.75) * (target[:, 2] - rest) + rng.uniform(0.15, 0.35)
    to = target - centre
    across = np.hypot(to[:, 0], to[:, 1])
    # The wanted height in pixels changes over seconds; zooming also compensates part of a change of distance.
    low, high = np.log(person_px[0]), np.log(person_px[1])
    wanted = np.exp(np.clip(rng.uniform(low, high) + wobble(5.0, 0.25 * (high - low)), low, high))
    distance = gaussian_filter1d(np.hypot(across, to[:, 2]), 0.5 * RATE, mode='nearest')
    focal = wanted * distance / 1.65
    jitter = rng.uniform(0.4, 1.5) / focal.mean()
    azimuth = np.arctan2(to[:, 1], to[:, 0]) + wobble(2.5, 8 / focal.mean()) + wobble(0.3, jitter)
    elevation = np.arctan2(to[:, 2], across) + wobble(2.5, 4 / focal.mean()) + wobble(0.3, jitter)
    roll = wobble(3.0, np.deg2rad(0.6)) + np.deg2rad(rng.normal(0, 0.8))
    return CameraTrack(np.asarray(centre, float), look_rotation(azimuth, elevation, roll), focal, size)
