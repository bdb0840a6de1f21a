"""Cameras and images: projection, handedness, depth, blur, visibility."""

import numpy as np
import pytest

from vpd_mm.synthetic.appearance import athlete_look
from vpd_mm.synthetic.camera import CameraTrack, follow, look_rotation
from vpd_mm.synthetic.renderer import HIDDEN, OUTSIDE, VISIBLE, SceneRenderer, make_figure, make_thing
from vpd_mm.synthetic.skeleton import Body, forward_kinematics, mirror_angles, pose, root_rotation
from vpd_mm.synthetic.venue import make_venue, panorama

AWAY, FACING = np.pi / 2, -np.pi / 2


def _camera(num=1):
    """Camera at (0, -8, 1), looking along +y; 128 x 128 px."""
    rotation = look_rotation(np.full(num, np.pi / 2), np.zeros(num), np.zeros(num))
    return CameraTrack(np.array([0.0, -8, 1]), rotation, np.full(num, 400.0), (128, 128))


CAMERA = _camera()


def _person(yaw, x=0.0, angles=None):
    angles = pose() if angles is None else angles
    root = root_rotation(np.array([yaw]), np.zeros(1))
    posture = forward_kinematics(Body(), angles[None], root, np.array([[x, 0, 0.85]]))
    look = athlete_look(np.random.default_rng(0), 0.6)
    return make_figure(Body(), posture, look, CAMERA, 1, np.array([0, -0.3, 1.0]), joints=True)


def _thing(ends, radius, color, camera=CAMERA):
    return make_thing(np.array(ends), np.full((1, 2), radius), np.array([color], float), camera, len(camera))


@pytest.fixture(scope='module')
def venue():
    return make_venue('hall', np.random.default_rng(3))


@pytest.fixture(scope='module')
def render(venue):
    backdrop = panorama(venue, CAMERA.centre)

    def render(figures, camera=CAMERA):
        return SceneRenderer(venue, camera, figures, np.random.default_rng(0), len(camera), backdrop).render(0)

    return render


def test_camera_axes_and_round_trip():
    points = np.array([[(0.0, 0, 1), (1.0, 0, 1), (0.0, 0, 2), (0.0, 4, 1)]])
    pixel = CAMERA.project(points)[0]
    # +x is to the right, up in the world is up in the image.
    np.testing.assert_allclose(pixel, [(64, 64, 8), (64 + 400 / 8, 64, 8), (64, 64 - 400 / 8, 8), (64, 64, 12)])
    np.testing.assert_allclose(np.linalg.det(CAMERA.rotation), 1)
    by_matrix = CAMERA.intrinsics[0] @ CAMERA.to_camera(points)[0].T
    np.testing.assert_allclose((by_matrix[:2] / by_matrix[2]).T, pixel[:, :2])


def test_left_is_the_athletes_left():
    away, facing = (_person(yaw).joints[0] for yaw in (AWAY, FACING))
    for left, right in ((5, 6), (11, 12), (15, 16)):
        assert away[left, 0] < away[right, 0] - 3  # from behind, left is on the left of the image
        assert facing[left, 0] > facing[right, 0] + 3


def test_mirrored_pose_gives_the_mirrored_image():
    raised = pose(l_shoulder=120, l_abduct=40, r_hip=60)
    one, other = (_person(FACING, angles=angles).joints[0] for angles in (raised, mirror_angles(raised)))
    swap = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    np.testing.assert_allclose(other[:, 0], 128 - one[swap, 0], atol=1e-3)
    np.testing.assert_allclose(other[:, 1], one[swap, 1], atol=1e-3)


def test_visibility_and_colors_of_the_front_the_back_and_the_side(render):
    front, visible = render([_person(FACING)])
    assert (visible[0] == VISIBLE).all()
    back, visible = render([_person(AWAY)])
    assert (visible[0][:3] == HIDDEN).all()
    assert (visible[0][5:] == VISIBLE).all()
    _, visible = render([_person(0.0)])  # facing right: the right side is near
    assert visible[0][8] == VISIBLE
    assert visible[0][7] == HIDDEN
    _, visible = render([_person(0.0, x=30.0)])
    assert (visible[0] == OUTSIDE).all()
    x, y = _person(AWAY).joints[0, [5, 6, 11, 12], :2].mean(axis=0).astype(int)
    chest = slice(y - 5, y + 5), slice(x - 3, x + 3)
    assert np.abs(front[chest].astype(float) - back[chest]).mean() > 20


def test_a_post_in_front_hides_and_one_behind_does_not(render):
    for y, expected in ((-2.0, HIDDEN), (2.0, VISIBLE)):
        _, visible = render([_person(FACING), _thing([[(0.0, y, -1), (0.0, y, 3)]], 0.4, (200, 0, 0))])
        assert (visible[0] == expected).all()


def test_nearer_object_is_drawn_in_front(render):
    balls = [_thing([[(0.0, y, 1)] * 2], 0.2, color) for y, color in ((0, (250, 0, 0)), (1, (0, 250, 0)))]
    for order in (1, -1):
        image, _ = render(balls[::order])
        assert image[64, 64, 0] > image[64, 64, 1] + 60


def test_motion_blur_spreads_over_the_path(render):
    """An object that moves 16 px while the shutter is open is smeared over 16 px, each covered part of the time."""
    camera = _camera(8)
    ends = np.zeros((8, 1, 2, 3))
    ends[:, 0, :, 0] = np.linspace(-0.16, 0.16, 8)[:, None]
    ends[:, 0, :, 2] = (0.9, 1.1)
    white = np.full(3, 4000.0)
    moving, _ = render([_thing(ends, 0.02, white, camera)], camera)
    still, _ = render([_thing(ends[3:4].repeat(8, 0), 0.02, white, camera)], camera)
    row_moving, row_still = ((image[64] == 255).all(axis=-1).sum() for image in (moving, still))
    assert row_moving > 2.5 * row_still


def test_the_hall_stands_still_while_the_camera_pans(venue):
    """A point of the floor is painted where the camera projects it: two views agree there."""
    centre = venue.cameras[0]
    backdrop = panorama(venue, centre)
    points = np.array([[(x, y, 0.0) for x in np.arange(-0.8, 0.9, 0.4) for y in (-2.1, 0.0, 2.6)]])
    sampled = []
    for azimuth in (np.pi / 2 - 0.05, np.pi / 2 + 0.05):
        rotation = look_rotation(np.array([azimuth]), np.array([-0.1]), np.array([0.02]))
        camera = CameraTrack(centre, rotation, np.array([700.0]), (256, 256))
        image = SceneRenderer(venue, camera, [], np.random.default_rng(0), 1, backdrop)._background(0)
        at = camera.project(points)[0, :, :2]
        assert ((at > 2) & (at < 254)).all()
        sampled.append(image[at[:, 1].astype(int), at[:, 0].astype(int)])
    assert np.abs(sampled[0] - sampled[1]).mean() < 12
    assert np.std(sampled[0]) > 5


def test_operator_keeps_the_athlete_in_the_image():
    path = np.zeros((240 * 6, 3))
    path[:, 0] = np.interp(np.arange(240 * 6), [0, 480, 960, 1440], [-5, -5, 5, 5])
    path[:, 2] = 0.9
    camera = follow(path, np.array([0.0, -15, 2]), (128, 128), (45, 60), np.random.default_rng(0))
    pixel = camera.project(path)
    assert (np.abs(pixel[:, :2] - 64) < 50).all()
    height = 1.65 * camera.focal / pixel[:, 2]
    assert ((height > 38) & (height < 72)).all()
