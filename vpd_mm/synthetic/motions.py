"""Motions as dense curves of root and joint angles, built from pieces on the floor and in the air."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from .skeleton import NUM_DOFS, Body, Posture, clip_to_limits, forward_kinematics, root_rotation

GRAVITY = 9.81
#: Samples per second of a motion curve; frames and sub-frames lie between them.
RATE = 240
#: Seconds over which a piece blends from the last pose of the previous one.
BLEND_SEC = 0.22


@dataclass(frozen=True, eq=False)
class Motion:
    """A body's motion, sampled :data:`RATE` times a second."""

    body: Body
    root_pos: np.ndarray  # (N, 3) hip midpoint, metres
    root_quat: np.ndarray  # (N, 4) x, y, z, w; neighbours have the same sign
    angles: np.ndarray  # (N, 23) joint angles
    airborne: np.ndarray  # (N,) True in the flight of any jump

    @property
    def duration_sec(self) -> float:
        return (len(self.root_pos) - 1) / RATE

    def posture(self, times: np.ndarray) -> Posture:
        """Return the posture at ``times`` (T,) in seconds."""
        at = np.clip(np.asarray(times, float) * RATE, 0, len(self.root_pos) - 1.001)
        i, w = at.astype(int), (at % 1)[:, None]

        def between(curve: np.ndarray) -> np.ndarray:
            return curve[i] * (1 - w) + curve[i + 1] * w

        rot = Rotation.from_quat(between(self.root_quat)).as_matrix()
        return forward_kinematics(self.body, between(self.angles), rot, between(self.root_pos))


def steady_quaternions(rotations: Rotation) -> np.ndarray:
    """Return (N, 4) x, y, z, w of consecutive rotations, neighbours with the same sign."""
    quat = rotations.as_quat()
    flips = np.sign(np.sum(quat[1:] * quat[:-1], axis=1))
    quat[1:] *= np.cumprod(np.where(flips < 0, -1, 1))[:, None]
    return quat


def smoothstep(u: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    u = np.clip(u, 0, 1)
    return u * u * (3 - 2 * u)


def ramp(u: np.ndarray, start: float, end: float) -> np.ndarray:
    """Rise from 0 at ``start`` to 1 at ``end`` with an even slope that eases in and out."""
    ease = 0.14
    fine = np.linspace(0, 1, 401)
    speed = smoothstep((fine - start) / ease) * smoothstep((end - fine) / ease)
    done = _integral(speed)
    return np.interp(u, fine, done / done[-1])


def _integral(rate: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum((rate[1:] + rate[:-1]) / 2)])


def key_curve(keys: list[tuple[float, np.ndarray]], times: np.ndarray) -> np.ndarray:
    """Return (T, 23), a monotone cubic curve through poses (23,) at the given times."""
    at, poses = zip(*keys)
    return PchipInterpolator(at, np.array(poses), axis=0)(np.clip(times, at[0], at[-1]))


class MotionBuilder:
    """Build a motion of pieces; each starts in the pose and position in which the previous one ended.

    On the floor the body rests on its lowest point.  In the air its centre of mass follows a parabola, and it rotates
    about that centre with constant angular momentum: the tighter the pose, the faster.
    """

    def __init__(self, body: Body, xy: np.ndarray, yaw: float, angles: np.ndarray) -> None:
        self.body, self.yaw, self.pitch = body, yaw, 0.0
        self.xy, self.velocity = np.array(xy, float), np.zeros(2)
        self.angles = angles.astype(float)
        self.num_samples = 0
        self._pieces: list[tuple[np.ndarray, ...]] = []

    @property
    def now_sec(self) -> float:
        return self.num_samples / RATE

    def ticks(self, duration: float) -> np.ndarray:
        """Return (N,) seconds since the start of a piece of that length."""
        return np.arange(1, max(round(duration * RATE), 2) + 1) / RATE

    def ground(
        self,
        duration: float,
        angles: np.ndarray,
        velocity: np.ndarray,
        turn: np.ndarray | float = 0.0,
        pitch: np.ndarray | float = 0.0,
        lift: np.ndarray | float = 0.0,
        ends: float = 0.0,
    ) -> None:
        """Move in contact with the floor.

        Args:
            duration: Seconds; determines the number of samples N (:meth:`ticks`).
            angles, velocity: Joint angles (N, 23) or (23,) and wanted velocity of the hips (N, 2) or (2,), m/s.
            turn, pitch: (N,) change of heading since the start, and forward lean or roll, radians.
            lift: (N,) height of the lowest point above the floor, metres.
            ends: Whole turns, in radians, that are removed from ``pitch`` at the end.
        """
        times = self.ticks(duration)
        num = len(times)
        fade = 1 - smoothstep(times / min(BLEND_SEC, duration))
        angles, lean, wanted, turned = (
            np.broadcast_to(value, shape)
            for value, shape in ((angles, (num, NUM_DOFS)), (pitch, num), (velocity, (num, 2)), (turn, num))
        )
        angles = clip_to_limits(angles + (self.angles - angles[0]) * fade[:, None])
        lean = lean + (self.pitch - lean[0]) * fade
        yaw = self.yaw + turned
        speed = wanted + (self.velocity - wanted[0]) * fade[:, None]
        xy = self.xy + np.cumsum(speed, axis=0) / RATE
        rot = root_rotation(yaw, lean)
        self._append(np.column_stack([xy, self._resting_height(angles, rot) + lift]), rot, angles, airborne=False)
        self.xy, self.velocity, self.angles = xy[-1], speed[-1], angles[-1]
        self.yaw, self.pitch = float(yaw[-1]), float(lean[-1]) - ends

    def flight(
        self,
        duration: float,
        keys: list[tuple[float, np.ndarray]],
        velocity: np.ndarray,
        pitch_end: float = 0.0,
        twist: float = 0.0,
        twist_span: tuple[float, float] = (0.1, 0.88),
        tilt: float = 0.0,
    ) -> None:
        """Leave the floor and land after ``duration`` seconds.

        Args:
            keys: (u, pose (23,)) pairs; u runs from 0 to 1; the pose at 0 is the present one.
            velocity: (2,) of the centre of mass, m/s.
            pitch_end: Somersault angle at the end, forward > 0; whole turns are removed afterwards.
            twist, twist_span: Turn about the long axis, to the left > 0, and the part of the flight with it.
            tilt: Largest sideways lean, which a real twist needs.
        """
        clock = self.ticks(duration)
        clock = clock - clock[0]
        u = np.linspace(0, 1, len(clock))
        angles = clip_to_limits(key_curve([(0.0, self.angles), *keys], u))
        flat = forward_kinematics(self.body, angles, np.tile(np.eye(3), (len(u), 1, 1)), np.zeros((len(u), 3)))
        turned = _integral(1 / flat.somersault_inertia())
        pitch = self.pitch + (pitch_end - self.pitch) * turned / turned[-1]
        twisted = ramp(u, *twist_span)
        rot = root_rotation(np.full(len(u), self.yaw), pitch, tilt * np.sin(np.pi * twisted), twist * twisted)
        offset = np.einsum('tij,tj->ti', rot, flat.centre_of_mass)
        ends = self._resting_height(angles[[0, -1]], rot[[0, -1]]) + offset[[0, -1], 2]
        rise = (ends[1] - ends[0]) / clock[-1] + GRAVITY * clock[-1] / 2
        path = np.empty((len(u), 3))
        path[:, :2] = self.xy + offset[0, :2] + np.outer(clock, velocity)
        path[:, 2] = ends[0] + rise * clock - GRAVITY * clock**2 / 2
        root = path - offset
        self._append(root, rot, angles, airborne=True)
        self.xy, self.velocity, self.angles = root[-1, :2], np.array(velocity, float), angles[-1]
        half_twists = round(twist / np.pi)
        whole_turns = np.ceil(abs(pitch_end) / np.pi) // 2 * 2 * np.pi * np.sign(pitch_end)
        # After an odd number of half twists the body faces the other way, so that forward becomes backward.
        self.yaw += half_twists * np.pi
        self.pitch = (pitch_end - whole_turns) * (-1) ** half_twists

    def finish(self) -> Motion:
        pos, rot, angles, airborne = (np.concatenate(part) for part in zip(*self._pieces))
        # Smooth the jump of a few centimetres when the supporting point changes from heel to toe.
        pos[:, 2] = np.where(airborne, pos[:, 2], gaussian_filter1d(pos[:, 2], 0.012 * RATE))
        return Motion(self.body, pos, steady_quaternions(Rotation.from_matrix(rot)), angles, airborne)

    def _resting_height(self, angles: np.ndarray, rot: np.ndarray) -> np.ndarray:
        posture = forward_kinematics(self.body, angles, rot, np.zeros((len(angles), 3)))
        return -np.min(posture.nodes[..., 2] - self.body.contact_radii, axis=1)

    def _append(self, pos: np.ndarray, rot: np.ndarray, angles: np.ndarray, airborne: bool) -> None:
        self._pieces.append((pos, rot, angles, np.full(len(pos), airborne)))
        self.num_samples += len(pos)
