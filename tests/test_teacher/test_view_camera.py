import numpy as np
import pytest

from vpd_mm.synthetic.camera import CameraTrack, look_rotation
from vpd_mm.teacher.vipe_dataset import camera_rotation, draw_cameras, project


def project_point(point, azimuth=0.0, elevation=0.0, roll=0.0, distance=10.0):
    angles = (np.deg2rad(np.array([a], float)) for a in (azimuth, elevation, roll))
    return project(np.array([[point]], float), camera_rotation(*angles), np.array([distance]))[0, 0]


@pytest.mark.parametrize(
    ('point', 'camera', 'expected'),
    [
        ((0, 0, 0), {}, (0, 0)),
        ((0, 0, 1), {}, (0, -0.1)),  # up is up
        ((0, 1, 0), {}, (0.1, 0)),  # the left side of a person facing the camera is on the right
        ((2, 1, 0), {}, (0.125, 0)),  # nearer is larger
        ((0, 1, 0), dict(azimuth=180), (-0.1, 0)),  # seen from behind
        ((1, 0, 0), dict(azimuth=90), (-0.1, 0)),
        ((1, 0, 0), dict(elevation=90), (0, 0.1)),  # from above, what lies towards the camera's foot is below
        ((0, 0, 1), dict(roll=90), (0.1, 0)),  # clockwise
        ((20, 1, 0), {}, (1, 0)),  # behind the camera: held at a tenth of the distance
    ],
)
def test_projection_by_value(point, camera, expected):
    np.testing.assert_allclose(project_point(point, **camera), expected, atol=1e-12)


def test_equals_the_cameras_of_the_synthetic_sport():
    rng = np.random.default_rng(0)
    azimuth, elevation, roll = rng.uniform(-1, 1, (3, 1))
    points, distance = rng.normal(size=(1, 6, 3)), 7.0
    towards = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    rotation = look_rotation(azimuth + np.pi, -elevation, roll)
    track = CameraTrack(distance * towards[:, 0], rotation, np.ones(1), (0, 0))
    own = project(points, camera_rotation(azimuth, elevation, roll), np.array([distance]))
    np.testing.assert_allclose(own, track.project(points)[..., :2], atol=1e-9)


def test_drawn_cameras_are_within_the_limits():
    rotation, distance = draw_cameras(np.random.default_rng(0), 4000)
    product = rotation @ rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), (4000, 3, 3)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    towards = -rotation[:, 2]
    assert 0.45 < towards[:, 2].max() <= 0.5
    assert -0.5 <= towards[:, 2].min() < -0.45
    quarters = np.bincount(((np.arctan2(towards[:, 1], towards[:, 0]) + np.pi) // (np.pi / 2)).astype(int), minlength=4)
    assert (abs(quarters[:4] - 1000) < 120).all()
    assert (abs(rotation[:, 0, 2]) <= np.sin(np.deg2rad(30)) + 1e-9).all()  # the horizon tilts by the roll
    assert 6 <= distance.min() < distance.max() <= 40
