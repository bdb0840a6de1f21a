"""Value tests of bodies and motion: bones, gravity, rotation, limits."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vpd_mm.errors import UserError
from vpd_mm.synthetic import CLASSES, SKILLS, SyntheticPoses
from vpd_mm.synthetic.motions import GRAVITY, RATE, MotionBuilder, ramp
from vpd_mm.synthetic.moves import heading
from vpd_mm.synthetic.routine import Habits, perform, perform_routine
from vpd_mm.synthetic.skeleton import (
    BONES,
    COCO_NODES,
    LIMITS,
    NODE,
    Body,
    forward_kinematics,
    mirror_angles,
    pose,
)

SKILL_OF = dict(zip(CLASSES, SKILLS))
UPRIGHT, BODY = np.eye(3)[None], Body()


def _posture(angles, body=BODY):
    return forward_kinematics(body, angles[None], UPRIGHT, np.zeros((1, 3)))


def _performed(skill, handed=1, seed=0, flight=1.0):
    """The motion of one skill alone, with its first and last sample in the air."""
    rng = np.random.default_rng(seed)
    builder = MotionBuilder(Body(), (0.0, 0.0), 0.3, pose())
    builder.ground(0.4, pose(), 2.0 * heading(0.3))
    takeoff, landing = perform(builder, skill, Habits(handed=handed), rng, flight)
    motion = builder.finish()
    flying = np.flatnonzero(motion.airborne)
    assert flying[0] == round(takeoff * RATE)
    assert flying[-1] == round(landing * RATE) - 1
    return motion, flying


def test_standing_body_has_its_height_and_its_left_on_the_left():
    body = Body(stature=1.7)
    posture = _posture(pose(), body)
    top = posture.nodes[0, NODE['head'], 2] + body.contact_radii[NODE['head']]
    feet = (posture.nodes[0, :, 2] - body.contact_radii).min()
    assert top - feet == pytest.approx(1.7, abs=0.05)
    for k, name in enumerate(COCO_NODES):
        y = posture.joints[0, k, 1]
        assert np.sign(y) == {'l': 1, 'r': -1, 'n': 0}[name[0]]
    assert posture.joints[0, 0, 0] > posture.joints[0, 3, 0]  # the nose is in front of the ears
    toe, heel = posture.nodes[0, [NODE['l_toe'], NODE['l_heel']], 0]
    assert toe > heel


@pytest.mark.parametrize(
    ('angles', 'node', 'direction'),
    [
        ({'l_shoulder': 90}, 'l_wrist', (1, 0, 0)),
        ({'l_shoulder': 180}, 'l_wrist', (0, 0, 1)),
        ({'l_abduct': 90}, 'l_wrist', (0, 1, 0)),
        ({'r_abduct': 90}, 'r_wrist', (0, -1, 0)),
        ({'r_hip': 90}, 'r_knee', (1, 0, 0)),
    ],
)
def test_an_angle_moves_a_limb_to_where_its_name_says(angles, node, direction):
    posture = _posture(pose(**angles))
    start = node[:2] + {'wrist': 'shoulder', 'knee': 'hip'}[node[2:]]
    limb = posture.nodes[0, NODE[node]] - posture.nodes[0, NODE[start]]
    np.testing.assert_allclose(limb / np.linalg.norm(limb), direction, atol=1e-9)


def test_knee_and_elbow_bend_the_right_way():
    posture = _posture(pose(knee=90, elbow=90))
    ankle, knee = posture.nodes[0, [NODE['l_ankle'], NODE['l_knee']]]
    wrist, elbow = posture.nodes[0, [NODE['l_wrist'], NODE['l_elbow']]]
    assert ankle[0] < knee[0] - 0.3
    assert wrist[0] > elbow[0] + 0.2


def test_mirrored_pose_is_the_mirrored_body():
    rng = np.random.default_rng(1)
    angles = rng.uniform(LIMITS[:, 0], LIMITS[:, 1])
    one, other = _posture(angles).joints[0], _posture(mirror_angles(angles)).joints[0]
    swap = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    np.testing.assert_allclose(other, one[swap] * (1, -1, 1), atol=1e-9)
    np.testing.assert_array_equal(mirror_angles(mirror_angles(angles)), angles)


def test_flight_follows_gravity_and_bones_keep_their_length():
    motion, flying = _performed(SKILL_OF['backward_straight_s2_t2'])
    times = np.arange(flying[0], flying[-1] + 1) / RATE
    posture = motion.posture(times)
    centre = posture.centre_of_mass
    second = np.diff(centre, 2, axis=0) * RATE**2
    np.testing.assert_allclose(second[5:-5].mean(axis=0), (0, 0, -GRAVITY), atol=0.05)
    fit = np.polyfit(times, centre[:, 2], 2)
    assert fit[0] == pytest.approx(-GRAVITY / 2, rel=0.01)
    assert np.abs(np.polyval(fit, times) - centre[:, 2]).max() < 0.003
    for node, start, _ in BONES:
        lengths = np.linalg.norm(posture.nodes[:, NODE[node]] - posture.nodes[:, NODE[start]], axis=1)
        assert np.ptp(lengths) < 1e-9
    assert 0.5 < np.ptp(centre[:, 2]) < 1.6


@pytest.mark.parametrize('skill', SKILLS, ids=CLASSES)
@pytest.mark.parametrize('handed', [1, -1])
def test_rotation_matches_the_class(skill, handed):
    motion, flying = _performed(skill, handed)
    rot = Rotation.from_quat(motion.root_quat[flying]).as_matrix()
    across = np.array([-np.sin(0.3), np.cos(0.3), 0.0])
    along = np.array([np.cos(0.3), np.sin(0.3), 0.0])
    # Somersault: the angle of the long axis in the vertical plane of the flight.
    long_axis = rot[:, :, 2]
    turned = np.unwrap(np.arctan2(long_axis @ along, long_axis[:, 2]))
    sign = 1 if skill.takeoff == 'forward' else -1
    assert (turned[-1] - turned[0]) / np.pi == pytest.approx(sign * skill.half_somersaults, abs=0.24)
    # Twist: the angle of the body's left about the long axis, from the somersault's axis.
    reference = across - (long_axis @ across)[:, None] * long_axis
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    left = rot[:, :, 1]
    sine = np.einsum('ti,ti->t', np.cross(reference, left), long_axis)
    twisted = np.unwrap(np.arctan2(sine, np.einsum('ti,ti->t', reference, left)))
    assert (twisted[-1] - twisted[0]) / np.pi == pytest.approx(handed * skill.half_twists, abs=0.05)


@pytest.mark.parametrize(('name', 'hip', 'knee'), [('tuck', 100, 100), ('pike', 90, 0), ('straight', -10, 0)])
def test_position_is_the_named_one(name, hip, knee):
    motion, flying = _performed(SKILL_OF[f'backward_{name}_s2_t0'])
    middle = np.rad2deg(motion.angles[flying[len(flying) // 2]])
    at = 5 + 4  # the left hip
    assert middle[at] == pytest.approx(hip + 20, abs=26)
    assert middle[at + 3] == pytest.approx(knee + 10, abs=42)


def test_tighter_turns_faster():
    """The tuck speeds the rotation up, opening slows it down; a straight body turns evenly."""

    def rates(name):
        motion, flying = _performed(SKILL_OF[name])
        rot = Rotation.from_quat(motion.root_quat[flying])
        rate = np.linalg.norm((rot[1:] * rot[:-1].inv()).as_rotvec(), axis=1)
        return rate[0], rate[len(rate) // 2], rate[-1]

    start, middle, end = rates('backward_tuck_s2_t0')
    assert middle > 2 * start
    assert middle > 1.4 * end
    start, middle, end = rates('backward_straight_s2_t0')
    assert middle < 1.8 * start
    assert middle == pytest.approx(end, rel=0.3)


@pytest.mark.parametrize('seed', range(4))
def test_routine_is_as_the_rules_say(seed):
    rng = np.random.default_rng(seed)
    skills = [SKILLS[k] for k in rng.integers(len(SKILLS), size=3 + seed)]
    motion, performed = perform_routine(skills, Body.random(rng), Habits.random(rng), rng)
    assert 10 <= motion.duration_sec <= 20
    assert [done.skill for done in performed] == skills
    assert sum(done.end_sec - done.start_sec for done in performed) / motion.duration_sec < 1 / 3
    assert all(0.75 < done.landing_sec - done.takeoff_sec < 1.21 for done in performed)
    assert (motion.angles >= LIMITS[:, 0] - 1e-9).all()
    assert (motion.angles <= LIMITS[:, 1] + 1e-9).all()
    ends = [0.0] + [t for done in performed for t in (done.start_sec, done.end_sec)]
    assert ends == sorted(ends)
    # Nothing jumps: neither the hips nor the angles, and no part of the body sinks into the floor.
    assert np.abs(np.diff(motion.root_pos, axis=0)).max() * RATE < 12
    assert np.abs(np.diff(motion.angles, axis=0)).max() * RATE < np.deg2rad(2100)
    posture = motion.posture(np.arange(0, motion.duration_sec, 0.02))
    assert (posture.nodes[..., 2] - motion.body.contact_radii).min() > -0.08
    assert np.abs(motion.root_pos[:, 1]).max() < 3


def test_ramp_runs_from_0_to_1_between_its_ends():
    u = np.linspace(0, 1, 101)
    curve = ramp(u, 0.2, 0.7)
    np.testing.assert_allclose(curve[(u <= 0.2) | (u >= 0.7)], np.repeat([0, 1], [21, 31]))
    assert (np.diff(curve) >= 0).all()


def test_sampled_poses():
    poses = SyntheticPoses(150, sport=0.7).poses()
    assert poses.shape == (150, 17, 3)
    assert poses.dtype == np.float32
    up = poses[:, 5:7, 2].mean(axis=1) - poses[:, 11:13, 2].mean(axis=1)
    assert 0.05 < (up < 0).mean() < 0.5
    thigh = np.linalg.norm(poses[:, 11] - poses[:, 13], axis=1)
    assert ((thigh > 0.3) & (thigh < 0.55)).all()
    upright = SyntheticPoses(60, sport=0.0).poses()
    assert (upright[:, 5, 2] > upright[:, 11, 2] - 0.05).all()
    with pytest.raises(UserError, match='num must be 1 or more'):
        SyntheticPoses(0)


def test_classes_differ_and_limits_are_ordered():
    assert len(set(CLASSES)) == len(CLASSES) >= 16
    assert (LIMITS[:, 0] < LIMITS[:, 1]).all()
