"""Moves besides the skills: stand, walk, run, turn, hop; each adds a piece to a MotionBuilder."""

import numpy as np

from .motions import MotionBuilder, key_curve, smoothstep
from .skeleton import DOFS, NUM_DOFS, mirror_angles, pose

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
    """Jump without a somersault, which resembles a skill but is none.

    Args:
        kind: 'straight', 'star', 'tuck' or 'turn' (a full turn, standing).
        side: +1 turns left, -1 right.
    """
    dip(builder, 0.42, 0.3 * heading(builder.yaw))
    shapes = {
        'straight': pose(REACH, abduct=14),
        'star': pose(spread=52, abduct=105, ankle=45),
        'tuck': pose(hip=112, knee=118, shoulder=55, elbow=35, spine_flex=18, ankle=35),
        'turn': pose(shoulder=40, abduct=10, elbow=115, arm_rot=50, ankle=45),
    }
    flight = rng.uniform(0.48, 0.64)
    speed = rng.uniform(0.1, 0.6) * heading(builder.yaw)
    twist = side * 2 * np.pi if kind == 'turn' else 0.0
    builder.flight(flight, [(0.5, shapes[kind]), (1.0, LANDING)], speed, twist=twist, twist_span=(0.02, 0.95))
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
