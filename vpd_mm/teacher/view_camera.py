"""Virtual cameras around a 3D pose (paper, supplement)."""

from collections.abc import Sequence

import numpy as np

from ..errors import UserError


class ViewCamera:
    """Random perspective cameras that look at the origin from any azimuth.

    Camera axes are OpenCV's (x right, y down, z forward); world z is up.  Image units are focal lengths.

    Args:
        elevation, roll: Largest angle to either side, degrees; drawn uniformly.
        distance: Range in trunk lengths (about half a meter); drawn uniformly in 1 / distance.

    Raises:
        UserError: an angle is not in 0 to 90, or the camera could be inside the body.
    """

    def __init__(self, elevation: float = 30.0, roll: float = 30.0, distance: Sequence[float] = (6.0, 40.0)) -> None:
        for name, angle in (('elevation', elevation), ('roll', roll)):
            if not 0 <= angle <= 90:
                raise UserError(f'ViewCamera: {name} must lie in 0 to 90 degrees, found {angle}')
        if not 4 <= distance[0] <= distance[1]:
            raise UserError(f'ViewCamera: distance must be two increasing numbers from 4 on, found {tuple(distance)}')
        self.elevation, self.roll = np.deg2rad(elevation), np.deg2rad(roll)
        self.nearness = 1 / distance[1], 1 / distance[0]

    def draw(self, rng: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rotations (num, 3, 3) and distances (num,) of random cameras."""
        azimuth = rng.uniform(-np.pi, np.pi, num)
        elevation = rng.uniform(-self.elevation, self.elevation, num)
        roll = rng.uniform(-self.roll, self.roll, num)
        return camera_rotation(azimuth, elevation, roll), 1 / rng.uniform(*self.nearness, num)


def camera_rotation(azimuth: np.ndarray, elevation: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Return world-to-camera rotations (N, 3, 3).

    Args:
        azimuth: (N,) radians; position of the camera from +x towards +y.
        elevation: (N,) radians; positive above the horizon.
        roll: (N,) radians; positive rotates the image clockwise.
    """
    ca, sa, ce, se, cr, sr = (f(angle) for angle in (azimuth, elevation, roll) for f in (np.cos, np.sin))
    forward = -np.stack([ce * ca, ce * sa, se], axis=-1)
    right = np.stack([-sa, ca, np.zeros_like(ca)], axis=-1)
    down = np.cross(forward, right)
    cr, sr = cr[..., None], sr[..., None]
    return np.stack([cr * right - sr * down, sr * right + cr * down, forward], axis=-2)


def project(points: np.ndarray, rotation: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Project points (N, K, 3) to (N, K, 2) focal lengths, x right, y down.

    Args:
        points: World coordinates.
        rotation: (N, 3, 3) world to camera.
        distance: (N,) from the camera to the origin, in the unit of the points.  Depth is at least a tenth of it.
    """
    camera = np.einsum('nij,nkj->nki', rotation, points)
    depth = np.maximum(camera[..., 2] + distance[:, None], 0.1 * distance[:, None])
    return camera[..., :2] / depth[..., None]
