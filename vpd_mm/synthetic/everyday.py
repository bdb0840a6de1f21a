"""Motions of everyday people: upright, or (for detectors) in the air and on the floor."""

import numpy as np
from scipy.spatial.transform import Rotation

from .motions import RATE, Motion, MotionBuilder, steady_quaternions
from .moves import STAND, stand, walk
from .skeleton import NUM_DOFS, Body, clip_to_limits, forward_kinematics, mirror_angles, pose

SEATED = pose(hip=88, knee=88, spine_flex=8, shoulder=28, elbow=55, abduct=10, spread=8)
#: Poses that are held for a while, besides standing and walking.
EVERYDAY = (
    STAND,
    pose(STAND, r_shoulder=70, r_elbow=110, neck_flex=25, r_arm_rot=20),  # looks at a telephone
    pose(STAND, r_shoulder=155, r_abduct=25, r_elbow=25),  # waves
    pose(STAND, shoulder=45, elbow=105, arm_rot=70),  # arms folded
    pose(STAND, l_shoulder=88, l_elbow=5),  # points
    pose(STAND, abduct=42, elbow=95, arm_rot=62, shoulder=-12),  # hands on hips
    pose(STAND, abduct=85, elbow=10),  # arms spread
    pose(STAND, shoulder=165, abduct=15, elbow=10, spine_flex=-6),  # reaches up
    pose(STAND, hip=55, spine_flex=40, shoulder=60, knee=15),  # bends down
    pose(hip=95, knee=105, spine_flex=25, ankle=-20, shoulder=55, elbow=40, abduct=15, spread=14),  # squats
    pose(l_hip=75, l_knee=80, r_hip=-10, r_knee=60, shoulder=20, elbow=60, abduct=15),  # lunges
    pose(STAND, l_hip=80, l_knee=90, shoulder=40, elbow=50),  # lifts a knee
    pose(STAND, shoulder=50, elbow=60, abduct=10, hip=10, knee=15),  # carries
    pose(STAND, shoulder=25, elbow=140, abduct=55, arm_rot=-30),  # hands at the head
)

#: Poses in the air, as on skateboards, trampolines and at the beach, besides the poses above.
LEAPING = (
    pose(hip=125, knee=130, spine_flex=45, neck_flex=25, shoulder=50, elbow=60),  # curled up
    pose(hip=100, knee=10, spine_flex=45, shoulder=95, elbow=10, ankle=30),  # jack-knife
    pose(shoulder=170, elbow=8, ankle=35),  # stretched
    pose(abduct=100, spread=35, elbow=8),  # star
    pose(hip=50, knee=75, abduct=45, elbow=40, spine_flex=10),  # crouches in the air
    pose(spine_flex=-25, hip=-20, knee=60, shoulder=150, elbow=20),  # arched
)


def loitering_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, yaw: float, duration: float) -> Motion:
    """Return the motion of a person at the edge of the track, who mostly stands or passes by."""
    builder = MotionBuilder(body, xy, yaw, STAND)
    walker = rng.random() < 0.4
    while builder.now_sec < duration + 0.1:
        if walker:
            walk(builder, rng, rng.uniform(2.0, 4.0), rng.choice([0.0, 0.0, np.pi]))
        else:
            stand(builder, rng, rng.uniform(1.5, 3.0))
    return builder.finish()


def seated_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, yaw: float, duration: float) -> Motion:
    """Return the motion of a judge on a chair, who moves arms and head slightly."""
    builder = MotionBuilder(body, xy, yaw, SEATED)
    while builder.now_sec < duration + 0.1:
        builder.ground(rng.uniform(0.8, 2.0), SEATED + np.deg2rad(rng.normal(0, 7, NUM_DOFS)), np.zeros(2))
    motion = builder.finish()
    motion.root_pos[:, 2] = 0.29 * body.stature
    return motion


def everyday_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, yaw: float, duration: float) -> Motion:
    """Return the motion of a person who stands, holds an everyday pose, walks or sits."""
    if rng.random() < 0.1:
        return seated_motion(rng, body, xy, yaw, duration)
    builder = MotionBuilder(body, xy, yaw, STAND)
    while builder.now_sec < duration + 0.1:
        kind = rng.random()
        if kind < 0.25:
            stand(builder, rng, 1.2)
        elif kind < 0.6:
            walk(builder, rng, rng.uniform(1.0, 2.5), rng.normal(0, 0.9))
        else:
            held = EVERYDAY[rng.integers(len(EVERYDAY))]
            held = mirror_angles(held) if rng.random() < 0.5 else held
            held = held + np.deg2rad(rng.normal(0, 7, NUM_DOFS))
            builder.ground(rng.uniform(0.8, 2.0), held, np.zeros(2))
    return builder.finish()


def leaping_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, moment: float) -> Motion:
    """Return the motion of a person in the air at ``moment`` seconds, in any orientation, or lying (a quarter of them).

    ``xy`` is the position of the hips at that moment.
    """
    poses = LEAPING if rng.random() < 0.7 else EVERYDAY
    angles = poses[rng.integers(len(poses))]
    angles = mirror_angles(angles) if rng.random() < 0.5 else angles
    angles = clip_to_limits(angles + np.deg2rad(rng.normal(0, 14, NUM_DOFS)))
    clock = np.arange(round(2 * moment * RATE)) / RATE - moment
    lies = rng.random() < 0.25
    height, velocity, spin = rng.uniform(0.7, 2.3), rng.normal(0, (1.5, 1.5, 1.5)), rng.normal(0, (1.5, 5.0, 2.5))
    first = Rotation.random(random_state=rng)
    if lies:
        # On the back, the front or a side, slightly rotated about the long axis.
        about = Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        first = about * Rotation.from_euler('y', rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.2))
        first = first * Rotation.from_euler('z', rng.uniform(-np.pi, np.pi))
        posture = forward_kinematics(body, angles[None], first.as_matrix()[None], np.zeros((1, 3)))
        height = -np.min(posture.nodes[0, :, 2] - body.contact_radii)
        velocity = spin = np.zeros(3)
    turned = first * Rotation.from_rotvec(np.outer(clock, spin))
    position = np.array([*xy, height]) + np.outer(clock, velocity)
    held = np.broadcast_to(angles, (len(clock), NUM_DOFS))
    return Motion(body, position, steady_quaternions(turned), held, np.full(len(clock), not lies))
