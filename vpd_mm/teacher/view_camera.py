"""Virtual cameras around a pose (paper, supplement): azimuth all round, elevation and roll within 30 degrees."""

from collections.abc import Sequence

import numpy as np

from ..errors import UserError


class ViewCamera:
    """Cameras that look at the origin, in perspective.

    Axes are OpenCV's: x right, y down, z forward; world z is up.  The picture is in units of the focal length.

    Args:
        elevation, roll: Largest angle to either side, degrees; drawn evenly.
        distance: Nearest and farthest, in trunk lengths (about half a metre); drawn evenly in 1 / distance.

    Raises:
        UserError: an angle is not in 0 to 90, or the camera would stand within the body.
    """

    def __init__(self, elevation: float = 30.0, roll: float = 30.0, distance: Sequence[float] = (6.0, 40.0)) -> None:
        for name, angle in (('elevation', elevation), ('roll', roll)):
            if not 0 <= angle <= 90:
                raise UserError(f'ViewCamera: {name} must lie in 0 to 90 degrees, found {angle}')
        if not 4 <= distance[0] <= distance[1]:
            raise UserError(f'ViewCamera: distance must be two rising numbers from 4 on, found {tuple(distance)}')
        self.elevation, self.roll = np.deg2rad(elevation), np.deg2rad(roll)
        self.nearness = 1 / distance[1], 1 / distance[0]

    def draw(self, rng: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (num, 3, 3) and distances (num,) of random cameras."""
        azimuth = rng.uniform(-np.pi, np.pi, num)
        elevation = rng.uniform(-self.elevation, self.elevation, num)
        roll = rng.uniform(-self.roll, self.roll, num)
        return camera_rotation(azimuth, elevation, roll), 1 / rng.uniform(*self.nearness, num)


def camera_rotation(azimuth: np.ndarray, elevation: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """(N, 3, 3) world to camera.

    Args:
        azimuth: (N,) radians; where the camera stands, from +x towards +y.
        elevation: (N,) radians; above the horizon if positive.
        roll: (N,) radians; turns the picture clockwise if positive.
    """
    ca, sa, ce, se, cr, sr = (f(angle) for angle in (azimuth, elevation, roll) for f in (np.cos, np.sin))
    forward = -np.stack([ce * ca, ce * sa, se], axis=-1)
    right = np.stack([-sa, ca, np.zeros_like(ca)], axis=-1)
    down = np.cross(forward, right)
    cr, sr = cr[..., None], sr[..., None]
    return np.stack([cr * right - sr * down, sr * right + cr * down, forward], axis=-2)


def project(points: np.ndarray, rotation: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Film points from a distance to the origin.

    Args:
        points: (N, K, 3).
        rotation: (N, 3, 3) world to camera.
        distance: (N,) of the camera to the origin, in the points' unit.

    Returns:
        (N, K, 2): x right, y down, in focal lengths; nothing comes nearer than a tenth of the distance.
    """
    seen = np.einsum('nij,nkj->nki', rotation, points)
    away = distance[:, None]
    depth = np.maximum(seen[..., 2] + away, 0.1 * away)
    return seen[..., :2] / depth[..., None]
