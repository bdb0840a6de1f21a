"""Moves besides the skills, each of which adds a piece to a MotionBuilder, and motions of everyday people."""

import numpy as np
from scipy.spatial.transform import Rotation

from .motions import RATE, Motion, MotionBuilder, key_curve, smoothstep, steady_quaternions
from .skeleton import DOFS, NUM_DOFS, Body, clip_to_limits, forward_kinematics, mirror_angles, pose

STAND = pose(abduct=8, elbow=12, arm_rot=15, shoulder=3, spread=3, knee=3)
SALUTE = pose(STAND, shoulder=165, abduct=22, elbow=5, neck_flex=-10, spine_flex=-5)
HANDS_ON_HIPS = pose(STAND, abduct=42, elbow=95, arm_rot=62, shoulder=-12)
READY = pose(STAND, shoulder=85, elbow=8, abduct=12)
PRESENT = pose(STAND, l_shoulder=150, l_abduct=25, r_abduct=75, r_shoulder=15, elbow=6)
STANDING_POSES = (STAND, STAND, SALUTE, HANDS_ON_HIPS, READY, PRESENT)
CROUCH = pose(hip=75, knee=88, ankle=-22, spine_flex=24, shoulder=-35, abduct=10, elbow=12, neck_flex=-22)
REACH = pose(hip=-4, knee=2, ankle=42, shoulder=172, abduct=8, elbow=6, spine_flex=-6, neck_flex=-12)
LANDING = pose(hip=42, knee=38, ankle=-6, shoulder=70, abduct=28, elbow=14, spine_flex=14, neck_flex=6, spread=7)
SOAK = pose(hip=82, knee=86, ankle=-20, shoulder=58, abduct=32, elbow=16, spine_flex=22, spread=9, neck_flex=-12)
#: Poses in the air of jumps without a somersault; a turn is a full one, standing.
JUMPS = {
    'straight': pose(REACH, abduct=14),
    'star': pose(spread=52, abduct=105, ankle=45),
    'tuck': pose(hip=112, knee=118, shoulder=55, elbow=35, spine_flex=18, ankle=35),
    'turn': pose(shoulder=40, abduct=10, elbow=115, arm_rot=50, ankle=45),
}
SEATED = pose(hip=88, knee=88, spine_flex=8, shoulder=28, elbow=55, abduct=10, spread=8)
#: Poses that are held for a while, besides standing and walking.
EVERYDAY = (
    STAND,
    pose(STAND, r_shoulder=70, r_elbow=110, neck_flex=25, r_arm_rot=20),  # looks at a telephone
    pose(STAND, r_shoulder=155, r_abduct=25, r_elbow=25),  # waves
    pose(STAND, shoulder=45, elbow=105, arm_rot=70),  # arms folded
    pose(STAND, l_shoulder=88, l_elbow=5),  # points
    HANDS_ON_HIPS,
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


def heading(yaw: float | np.ndarray) -> np.ndarray:
    """Return the (2,) or (2, T) unit vector on the floor."""
    return np.array([np.cos(yaw), np.sin(yaw)])


def _gait(phase: np.ndarray, hip: float, swing_knee: float, arm: float, elbow: float, lean: float) -> np.ndarray:
    """Return (T, 23) angles of a walking or running cycle at ``phase`` (T,) radians; amplitudes in degrees."""
    out = np.zeros((len(phase), NUM_DOFS))
    for side, shift in (('l', 0.0), ('r', np.pi)):
        at = phase + shift
        swing = np.exp(2.2 * (np.cos(at + 0.55) - 1))
        push = np.exp(4.0 * (np.cos(at + np.pi / 2 + 0.25) - 1))
        degrees: dict[str, np.ndarray | float] = {
            'hip': 6 + lean * 0.6 + hip * np.sin(at),
            'knee': 6 + 0.1 * swing_knee + swing_knee * swing,
            'ankle': -6 + (16 + 0.2 * swing_knee) * push,
            'shoulder': 2 - arm * np.sin(at),
            'elbow': elbow - 0.35 * arm * np.sin(at),
            'abduct': 9.0,
            'arm_rot': 0.25 * elbow,
            'spread': 1.5,
        }
        for name, value in degrees.items():
            out[:, DOFS.index(f'{side}_{name}')] = np.deg2rad(value)
    out[:, DOFS.index('spine_twist')] = np.deg2rad(0.16 * arm) * np.sin(phase)
    out[:, DOFS.index('spine_flex')] = np.deg2rad(lean * 0.5)
    out[:, DOFS.index('neck_flex')] = np.deg2rad(-lean)
    return out


def stand(builder: MotionBuilder, rng: np.random.Generator, duration: float) -> None:
    """Stand, shift weight and sometimes change the pose of the arms."""
    first, last = (STANDING_POSES[i] for i in rng.integers(len(STANDING_POSES), size=2))
    if rng.random() < 0.5:
        last = mirror_angles(last)
    times = builder.ticks(duration)
    angles = key_curve([(0.0, first), (0.45 * duration, first), (0.8 * duration + 0.3, last)], times)
    sway = np.deg2rad(rng.normal(0, 2.0, (3, NUM_DOFS)))
    for k, wave in enumerate(sway):
        angles = angles + np.outer(np.sin(2 * np.pi * (0.25 + 0.3 * k) * times + rng.uniform(0, 6)), wave)
    builder.ground(duration, angles, np.zeros(2), turn=rng.normal(0, 0.12) * smoothstep(times / duration))


def walk(builder: MotionBuilder, rng: np.random.Generator, duration: float, turn: float = 0.0) -> None:
    """Walk and turn by ``turn`` radians on the way."""
    times = builder.ticks(duration)
    speed = rng.uniform(0.8, 1.4)
    cadence = 0.42 + 0.42 * speed
    angles = _gait(2 * np.pi * cadence * times + rng.uniform(0, 6), 15 + 8 * speed, 42, rng.uniform(14, 28), 18, 2)
    if rng.random() < 0.25:
        arms = [DOFS.index(f'{side}_{name}') for side in 'lr' for name in ('shoulder', 'abduct', 'elbow', 'arm_rot')]
        angles[:, arms] = (SALUTE, HANDS_ON_HIPS, PRESENT)[rng.choice(3)][arms]
    turned = turn * smoothstep(times / duration)
    pace = speed * (1 - 0.6 * np.sin(np.pi * times / duration) * min(abs(turn) / np.pi, 1))
    builder.ground(duration, angles, (pace * heading(builder.yaw + turned)).T, turn=turned)


def run(builder: MotionBuilder, rng: np.random.Generator, duration: float, speed: float) -> None:
    """Run straight ahead at ``speed`` m/s."""
    times = builder.ticks(duration)
    rhythm = 2 * np.pi * (1.0 + 0.16 * speed) * times + rng.uniform(0, 6)
    angles = _gait(rhythm, rng.uniform(36, 43), rng.uniform(80, 95), rng.uniform(38, 50), 85, 10)
    lift = 0.03 * (1 + np.cos(2 * rhythm)) * smoothstep(times / 0.3)
    lean = np.deg2rad(7) * smoothstep(times / 0.3)
    builder.ground(duration, angles, speed * heading(builder.yaw), pitch=lean, lift=lift)


def turn_to(builder: MotionBuilder, rng: np.random.Generator, yaw: float) -> None:
    """Walk in a curve until facing ``yaw``; do nothing if the heading is close."""
    turn = (yaw - builder.yaw + np.pi) % (2 * np.pi) - np.pi
    if abs(abs(turn) - np.pi) < 0.3 and rng.random() < 0.5:
        turn -= np.sign(turn) * 2 * np.pi
    if abs(turn) > 0.1:
        walk(builder, rng, 0.5 + 0.25 * abs(turn) * rng.uniform(0.8, 1.2), turn)


def jump(builder: MotionBuilder, rng: np.random.Generator, kind: str, side: float) -> None:
    """Jump without a somersault, which resembles a skill but is none; ``side`` of a turn: +1 left, -1 right."""
    dip(builder, 0.42, 0.3 * heading(builder.yaw))
    flight = rng.uniform(0.48, 0.64)
    speed = rng.uniform(0.1, 0.6) * heading(builder.yaw)
    twist = side * 2 * np.pi if kind == 'turn' else 0.0
    builder.flight(flight, [(0.5, JUMPS[kind]), (1.0, LANDING)], speed, twist=twist, twist_span=(0.02, 0.95))
    land(builder, rng, rng.uniform(0.5, 0.8))


def dip(builder: MotionBuilder, duration: float, velocity: np.ndarray, depth: float = 1.0, lean: float = 0.0) -> None:
    """Bend, stretch and swing the arms up before a jump; ends on the toes, leaning by ``lean``."""
    times = builder.ticks(duration)
    low = STAND + depth * (CROUCH - STAND)
    if duration < 0.35:  # no time for the arms to swing back first
        low = pose(low, shoulder=55)
    angles = key_curve([(0.0, builder.angles), (0.55 * duration, low), (duration, REACH)], times)
    builder.ground(duration, angles, velocity, pitch=lean * smoothstep((times / duration - 0.4) / 0.6))


def land(builder: MotionBuilder, rng: np.random.Generator, duration: float) -> None:
    """Absorb a landing on the feet and rise."""
    times = builder.ticks(duration)
    depth = rng.uniform(0.5, 1.0)
    after = STANDING_POSES[rng.integers(len(STANDING_POSES))]
    low = LANDING + depth * (SOAK - LANDING)
    rising = pose(low, hip=50, knee=50)
    keys = [(0.0, builder.angles), (min(0.16, 0.3 * duration), low), (0.55 * duration, rising), (duration, after)]
    fade = 1 - smoothstep(times / 0.3)
    slide = builder.velocity * 0.5 * fade[:, None]
    builder.ground(duration, key_curve(keys, times), slide, pitch=builder.pitch * fade)


def roll(builder: MotionBuilder, rng: np.random.Generator, duration: float) -> None:
    """Roll forward over hands, neck and back to the feet, starting at the present pitch."""
    times = builder.ticks(duration)
    u = times / duration
    ball = pose(hip=128, knee=125, spine_flex=68, neck_flex=42, shoulder=75, abduct=8, elbow=45, ankle=20)
    up = pose(SOAK, hip=105, knee=118, spine_flex=40, shoulder=80, neck_flex=-5)
    keys = [(0.0, builder.angles), (0.32, ball), (0.75, ball), (1.0, up)]
    # At a steady pace that slows down at the end.
    pitch = builder.pitch + (2 * np.pi - builder.pitch) * np.sin(np.clip(u, 0, 1) * np.pi / 2) ** 1.15
    speed = (0.7 + rng.uniform(0, 0.5)) * heading(builder.yaw)
    builder.ground(duration, key_curve(keys, u), speed, pitch=pitch, ends=2 * np.pi)


def loitering_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, yaw: float, duration: float) -> Motion:
    """Return the motion of a person at the edge of the track, who stands or passes by."""
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
            held = _varied(rng, EVERYDAY, 7)
            builder.ground(rng.uniform(0.8, 2.0), held, np.zeros(2))
    return builder.finish()


def _varied(rng: np.random.Generator, poses: tuple[np.ndarray, ...], sd: float) -> np.ndarray:
    """Draw a pose, half of the time mirrored, and change its angles by a standard deviation in degrees."""
    angles = poses[rng.integers(len(poses))]
    angles = mirror_angles(angles) if rng.random() < 0.5 else angles
    return angles + np.deg2rad(rng.normal(0, sd, NUM_DOFS))


def leaping_motion(rng: np.random.Generator, body: Body, xy: np.ndarray, moment: float) -> Motion:
    """Return the motion of a person in the air at ``moment`` seconds, in any orientation, or lying (a quarter of them).

    ``xy`` is the position of the hips at that moment.
    """
    poses = LEAPING if rng.random() < 0.7 else EVERYDAY
    angles = clip_to_limits(_varied(rng, poses, 14))
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
