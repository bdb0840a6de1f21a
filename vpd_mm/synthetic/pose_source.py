"""3D poses of synthetic athletes, as a source for VIPE*."""

import numpy as np

from ..errors import UserError
from ..registry import TASK_UTILS
from .everyday import EVERYDAY, everyday_motion
from .motions import RATE
from .moves import LANDING, SOAK, STAND
from .routine import SKILLS, Habits, perform_routine
from .skeleton import DOFS, LIMITS, NUM_DOFS, Body, clip_to_limits, forward_kinematics, mirror_angles, root_rotation

_BODIES = 50  # poses that share a body in ``varied_poses``
_SAMPLES_PER_MOTION = 60
#: Joint angles that move together: trunk and head, each arm, each leg.
_PARTS = tuple(
    np.array([i for i, name in enumerate(DOFS) if name.startswith(prefixes) and name.split('_', 1)[1] in which])
    for prefixes, which in (
        (('spine', 'neck'), ('flex', 'side', 'twist', 'yaw')),
        *((side, ('shoulder', 'abduct', 'arm_rot', 'elbow')) for side in ('l_', 'r_')),
        *((side, ('hip', 'spread', 'leg_rot', 'knee', 'ankle')) for side in ('l_', 'r_')),
    )
)


@TASK_UTILS.register_module()
class SyntheticPoses:
    """COCO-17 poses of random bodies: the sport, everyday life, and limbs put together at random.

    Bodies and motions differ between seeds: use different ones for training and test.

    Args:
        num: Number of poses.
        seed: Determines the result.
        sport, airborne, spacing_sec: As in :func:`sample_poses`.
        varied: Share of poses of :func:`varied_poses`, which occur in no motion.

    Raises:
        UserError: a number is invalid.
    """

    def __init__(
        self,
        num: int,
        seed: int = 0,
        sport: float = 0.6,
        airborne: float = 0.6,
        spacing_sec: float = 0.05,
        varied: float = 0.0,
    ) -> None:
        if not 0 <= varied <= 1:
            raise UserError(f'SyntheticPoses: varied must lie in 0 to 1, found {varied}')
        self.num, self.seed, self.varied = num, seed, varied
        self.settings = {'sport': sport, 'airborne': airborne, 'spacing_sec': spacing_sec}
        self.origin = f'synthetic athletes, seed {seed}'

    def poses(self) -> np.ndarray:
        """Return (num, 17, 3) metres, z up."""
        rng = np.random.default_rng([self.seed, 20])
        few = round(self.num * self.varied)
        parts = []
        if self.num > few:
            parts.append(sample_poses(rng, self.num - few, **self.settings))
        if few:
            parts.append(varied_poses(rng, few))
        return np.concatenate(parts)


def varied_poses(rng: np.random.Generator, num: int) -> np.ndarray:
    """Return (num, 17, 3) poses whose trunk, arms and legs come from different postures or anywhere within the limits.

    Half of the bodies are about upright, the others in any orientation; hips at the origin.
    """
    known = np.stack([*EVERYDAY, STAND, LANDING, SOAK])
    known = np.concatenate([known, mirror_angles(known)])
    out = []
    for start in range(0, num, _BODIES):
        count = min(_BODIES, num - start)
        angles = np.empty((count, NUM_DOFS))
        anywhere = rng.uniform(LIMITS[:, 0], LIMITS[:, 1], (count, NUM_DOFS))
        for part in _PARTS:
            picked = known[rng.integers(len(known), size=count)][:, part]
            wild = rng.random((count, 1)) < 0.4
            angles[:, part] = np.where(wild, anywhere[:, part], picked)
        angles = clip_to_limits(angles + rng.normal(0, np.deg2rad(10), angles.shape))
        turned = rng.random(count) < 0.5
        pitch = np.where(turned, rng.uniform(-np.pi, np.pi, count), rng.normal(0, 0.25, count))
        tilt = np.where(turned, rng.normal(0, 0.7, count), rng.normal(0, 0.15, count))
        twist = np.where(turned, rng.uniform(-np.pi, np.pi, count), 0)
        rotation = root_rotation(np.zeros(count), pitch, tilt, twist)
        body = Body.random(rng)
        out.append(forward_kinematics(body, angles, rotation, np.zeros((count, 3))).joints)
    return np.concatenate(out).astype(np.float32)


def sample_poses(
    rng: np.random.Generator, num: int, sport: float = 0.6, airborne: float = 0.5, spacing_sec: float = 0.05
) -> np.ndarray:
    """Sample 3D COCO-17 poses of random bodies in the sport and in everyday life.

    Args:
        rng: Determines the result.
        num: Number of poses, 1 or more.
        sport: Share from routines of the sport; the rest is everyday motion.
        airborne: Share of the sport's poses in flight: tucked, piked, twisting, upside down.
        spacing_sec: Least distance between poses of one motion.

    Returns:
        (num, 17, 3) float32, metres; x along the track, y across it, z up; joints 5 and 11 are the left shoulder and
        hip.  Position and heading of the body are random.

    Raises:
        UserError: a number is invalid.
    """
    if num < 1:
        raise UserError(f'sample_poses: num must be 1 or more, found {num}')
    for name, share in (('sport', sport), ('airborne', airborne)):
        if not 0 <= share <= 1:
            raise UserError(f'sample_poses: {name} must lie in 0 to 1, found {share}')
    out: list[np.ndarray] = []
    left = num
    while left > 0:
        body = Body.random(rng)
        if rng.random() < sport:
            skills = [SKILLS[k] for k in rng.integers(len(SKILLS), size=4)]
            motion = perform_routine(skills, body, Habits.random(rng), rng).motion
            want = min(left, _SAMPLES_PER_MOTION)
            flying = round(want * airborne)
            picks = np.concatenate(
                [
                    _pick(rng, motion.airborne, flying, spacing_sec),
                    _pick(rng, ~motion.airborne, want - flying, spacing_sec),
                ]
            )
        else:
            motion = everyday_motion(rng, body, (0.0, 0.0), rng.uniform(-np.pi, np.pi), 4.0)
            picks = _pick(rng, np.ones(len(motion.airborne), bool), min(left, _SAMPLES_PER_MOTION), spacing_sec)
        joints = motion.posture(picks / RATE).joints
        turn = rng.uniform(-np.pi, np.pi)
        cos, sin = np.cos(turn), np.sin(turn)
        out.append(joints @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]]))
        left -= len(picks)
    poses = np.concatenate(out)[:num]
    return rng.permutation(poses).astype(np.float32)


def _pick(rng: np.random.Generator, allowed: np.ndarray, count: int, spacing_sec: float) -> np.ndarray:
    """Return at most ``count`` indices of ``allowed``, one in every slot of ``spacing_sec``."""
    step = max(int(spacing_sec * RATE), 1)
    slots = np.flatnonzero(allowed)[rng.integers(step) :: step]
    return np.sort(rng.permutation(slots)[:count])
