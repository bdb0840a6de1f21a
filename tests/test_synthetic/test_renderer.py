"""Cameras and images: projection, handedness, depth, blur, visibility."""

import numpy as np
import pytest

from vpd_mm.synthetic.appearance import PART_NAMES, Look, athlete_look
from vpd_mm.synthetic.camera import CameraTrack, follow, look_rotation
from vpd_mm.synthetic.renderer import HIDDEN, OUTSIDE, VISIBLE, SceneRenderer, make_figure, make_thing
from vpd_mm.synthetic.skeleton import Body, forward_kinematics, mirror_angles, pose, root_rotation
from vpd_mm.synthetic.venue import make_venue, panorama

SIZE = (128, 128)


def _camera(num=1, azimuth=np.pi / 2, focal=400.0, size=SIZE):
    """At (0, -8, 1), looking along +y."""
    still = np.ones(num)
    rotation = look_rotation(azimuth * still, 0 * still, 0 * still)
    return CameraTrack(np.array([0.0, -8, 1]), rotation, focal * still, size)


def _person(camera, yaw, x=0.0, sub_frames=1, speed=0.0, angles=None):
    num = len(camera)
    zero = np.zeros(num)
    where = np.stack([x + speed * np.arange(num), zero, zero + 0.85], axis=1)
    angles = np.tile(pose() if angles is None else angles, (num, 1))
    posture = forward_kinematics(Body(), angles, root_rotation(zero + yaw, zero, zero, zero), where)
    look = athlete_look(np.random.default_rng(0), 0.6)
    return make_figure(Body(), posture, look, camera, sub_frames, np.array([0, -0.3, 1.0]), joints=True)


@pytest.fixture(scope='module')
def venue():
    return make_venue('hall', np.random.default_rng(3))


def _render(venue, camera, figures, sub_frames=1):
    renderer = SceneRenderer(venue, camera, figures, np.random.default_rng(0), sub_frames)
    return renderer.render(0)


def test_camera_axes_and_round_trip():
    camera = _camera()
    points = np.array([[(0.0, 0, 1), (1.0, 0, 1), (0.0, 0, 2), (0.0, 4, 1)]])
    pixel = camera.project(points)[0]
    np.testing.assert_allclose(pixel[0], (64, 64, 8))
    np.testing.assert_allclose(pixel[1], (64 + 400 / 8, 64, 8))  # +x is to the right
    np.testing.assert_allclose(pixel[2], (64, 64 - 400 / 8, 8))  # up in the world is up in the image
    np.testing.assert_allclose(pixel[3], (64, 64, 12))
    np.testing.assert_allclose(np.linalg.det(camera.rotation), 1)
    by_matrix = camera.intrinsics[0] @ camera.to_camera(points)[0].T
    np.testing.assert_allclose((by_matrix[:2] / by_matrix[2]).T, pixel[:, :2])


def test_left_is_the_athletes_left():
    camera = _camera()
    away, facing = (_person(camera, yaw).joints[0] for yaw in (np.pi / 2, -np.pi / 2))
    for left, right in ((5, 6), (11, 12), (15, 16)):
        assert away[left, 0] < away[right, 0] - 3  # from behind, left is on the left of the image
        assert facing[left, 0] > facing[right, 0] + 3


def test_mirrored_pose_gives_the_mirrored_image():
    camera = _camera()
    raised = pose(l_shoulder=120, l_abduct=40, r_hip=60)
    one = _person(camera, -np.pi / 2, angles=raised).joints[0]
    other = _person(camera, -np.pi / 2, angles=mirror_angles(raised)).joints[0]
    swap = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    np.testing.assert_allclose(other[:, 0], 128 - one[swap, 0], atol=1e-3)
    np.testing.assert_allclose(other[:, 1], one[swap, 1], atol=1e-3)


def test_face_is_visible_from_the_front_and_hidden_from_behind(venue):
    camera = _camera()
    _, front = _render(venue, camera, [_person(camera, -np.pi / 2)])
    _, back = _render(venue, camera, [_person(camera, np.pi / 2)])
    assert (front[0] == VISIBLE).all()
    assert (back[0][:3] == HIDDEN).all()
    assert (back[0][5:] == VISIBLE).all()


def test_the_far_arm_is_hidden_in_profile(venue):
    camera = _camera()
    _, seen = _render(venue, camera, [_person(camera, 0.0)])  # facing right: the right side is near
    assert seen[0][8] == VISIBLE
    assert seen[0][7] == HIDDEN


def test_a_post_in_front_hides_and_one_behind_does_not(venue):
    camera = _camera()
    person = _person(camera, -np.pi / 2)
    for y, expected in ((-2.0, HIDDEN), (2.0, VISIBLE)):
        ends = np.array([[(0.0, y, -1), (0.0, y, 3)]])
        post = make_thing(ends, np.full((1, 2), 0.4), np.array([[200.0, 0, 0]]), camera, 1)
        image, seen = _render(venue, camera, [person, post])
        assert (seen[0] == expected).all()
        assert image.shape == (128, 128, 3)


def test_outside_the_frame(venue):
    camera = _camera()
    _, seen = _render(venue, camera, [_person(camera, 0.0, x=30.0)])
    assert (seen[0] == OUTSIDE).all()


def test_front_and_back_look_different(venue):
    camera = _camera()
    front, _ = _render(venue, camera, [_person(camera, -np.pi / 2)])
    back, _ = _render(venue, camera, [_person(camera, np.pi / 2)])
    x, y = _person(camera, np.pi / 2).joints[0, [5, 6, 11, 12], :2].mean(axis=0).astype(int)
    chest = slice(y - 5, y + 5), slice(x - 3, x + 3)
    assert np.abs(front[chest].astype(float) - back[chest]).mean() > 20


def test_motion_blur_spreads_over_the_path(venue):
    """An object that moves 16 px while the shutter is open is smeared over 16 px, each covered part of the time."""
    camera = _camera(8)
    x = np.linspace(-0.16, 0.16, 8)
    ends = np.zeros((8, 1, 2, 3))
    ends[:, 0, :, 0] = x[:, None]
    ends[:, 0, :, 2] = (0.9, 1.1)
    white, radius = np.array([[4000.0, 4000, 4000]]), np.full((1, 2), 0.02)
    moving, _ = _render(venue, camera, [make_thing(ends, radius, white, camera, 8)], 8)
    still, _ = _render(venue, camera, [make_thing(ends[3:4].repeat(8, 0), radius, white, camera, 8)], 8)
    row_moving, row_still = ((image[64] == 255).all(axis=-1).sum() for image in (moving, still))
    assert row_moving > 2.5 * row_still


def test_nearer_object_is_drawn_in_front(venue):
    camera = _camera()

    def ball(y, color):
        ends = np.array([[(0.0, y, 1), (0.0, y, 1)]])
        return make_thing(ends, np.full((1, 2), 0.2), np.array([color], float), camera, 1)

    for order in (1, -1):
        image, _ = _render(venue, camera, [ball(0, (250, 0, 0)), ball(1, (0, 250, 0))][::order])
        assert image[64, 64, 0] > image[64, 64, 1] + 60


def test_the_hall_stands_still_while_the_camera_pans(venue):
    """A point of the floor is painted where the camera projects it: two views agree there."""
    centre = venue.cameras[0]
    backdrop = panorama(venue, centre)
    views = []
    for azimuth in (np.pi / 2 - 0.05, np.pi / 2 + 0.05):
        rotation = look_rotation(np.array([azimuth]), np.array([-0.1]), np.array([0.02]))
        camera = CameraTrack(centre, rotation, np.array([700.0]), (256, 256))
        renderer = SceneRenderer(venue, camera, [], np.random.default_rng(0), 1, backdrop)
        views.append((camera, renderer._background(0)))
    points = np.array([[(x, y, 0.0) for x in np.arange(-0.8, 0.9, 0.4) for y in (-2.1, 0.0, 2.6)]])
    sampled = []
    for camera, image in views:
        at = camera.project(points)[0, :, :2]
        assert (at > 2).all()
        assert (at < 254).all()
        sampled.append(image[at[:, 1].astype(int), at[:, 0].astype(int)])
    assert np.abs(sampled[0] - sampled[1]).mean() < 12
    assert np.std(sampled[0]) > 5


def test_operator_keeps_the_athlete_in_the_image():
    path = np.zeros((240 * 6, 3))
    path[:, 0] = np.interp(np.arange(240 * 6), [0, 480, 960, 1440], [-5, -5, 5, 5])
    path[:, 2] = 0.9
    camera = follow(path, 240, np.array([0.0, -15, 2]), SIZE, (45, 60), np.random.default_rng(0))
    pixel = camera.project(path)
    assert (np.abs(pixel[:, :2] - 64) < 50).all()
    height = 1.65 * camera.focal / pixel[:, 2]
    assert (height > 38).all()
    assert (height < 72).all()


def test_look_has_a_row_for_every_part():
    look = athlete_look(np.random.default_rng(0), 0.2)
    assert isinstance(look, Look)
    assert len(look.kinds) == len(look.colors) == len(look.params) == len(look.widths) == len(PART_NAMES)
