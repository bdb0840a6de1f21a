"""3D poses of synthetic athletes, as a source for VIPE*."""

import numpy as np

from ..errors import UserError
from ..registry import TASK_UTILS
from .motions import RATE
from .moves import EVERYDAY, LANDING, SOAK, STAND, everyday_motion
from .routine import SKILLS, Habits, perform_routine
from .skeleton import (
    DOFS,
    LIMITS,
    NUM_DOFS,
    Body,
    clip_to_limits,
    forward_kinematics,
    mirror_angles,
    root_rotation,
    rot_z,
)

#: Share of the sport's poses in flight: tucked, piked, twisting, upside down.
_AIRBORNE = 0.6
_SAMPLES_PER_MOTION = 60
_VARIED_PER_BODY = 50
#: Joint angles that move together: trunk and head, each arm, each leg.
_PARTS = tuple(
    np.array([DOFS.index(prefix + name) for name in names.split()])
    for prefix, names in (
        ('', 'spine_flex spine_side spine_twist neck_flex neck_yaw'),
        *((side, 'shoulder abduct arm_rot elbow') for side in ('l_', 'r_')),
        *((side, 'hip spread leg_rot knee ankle') for side in ('l_', 'r_')),
    )
)


@TASK_UTILS.register_module()
class SyntheticPoses:
    """COCO-17 poses of random bodies: the sport, everyday life, and limbs put together at random.

    Bodies and motions differ between seeds: use different ones for training and test.

    Args:
        num, seed: Number of poses, 1 or more, and what determines them.
        sport: Share of the poses in motion that are from routines of the sport; the rest is everyday motion.
        spacing_sec: Least distance between poses of one motion.
        varied: Share of poses in no motion: trunk, arms and legs from different postures or anywhere within the
            limits; half of these bodies are about upright, the others in any orientation.

    Raises:
        UserError: a number is invalid.
    """

    def __init__(
        self, num: int, seed: int = 0, sport: float = 0.6, spacing_sec: float = 0.05, varied: float = 0.0
    ) -> None:
        if num < 1:
            raise UserError(f'SyntheticPoses: num must be 1 or more, found {num}')
        for name, share in (('sport', sport), ('varied', varied)):
            if not 0 <= share <= 1:
                raise UserError(f'SyntheticPoses: {name} must lie in 0 to 1, found {share}')
        self.num, self.seed, self.sport, self.varied = num, seed, sport, varied
        self.spacing = max(int(spacing_sec * RATE), 1)
        self.origin = f'synthetic athletes, seed {seed}'

    def poses(self) -> np.ndarray:
        """Return (num, 17, 3) float32 metres; z up, joints 5 and 11 are the left shoulder and hip."""
        rng = np.random.default_rng([self.seed, 20])
        num_varied = round(self.num * self.varied)
        moving = self._moving_poses(rng, self.num - num_varied)
        return np.concatenate([moving, *_varied_poses(rng, num_varied)]).astype(np.float32)

    def _moving_poses(self, rng: np.random.Generator, num: int) -> np.ndarray:
        """Return (num, 17, 3) poses of motions, at random positions and headings, in random order."""
        out, left = [np.empty((0, 17, 3))], num
        while left > 0:
            body, want = Body.random(rng), min(left, _SAMPLES_PER_MOTION)
            if rng.random() < self.sport:
                skills = [SKILLS[k] for k in rng.integers(len(SKILLS), size=4)]
                motion, _ = perform_routine(skills, body, Habits.random(rng), rng)
                flying = round(want * _AIRBORNE)
                picks = [self._pick(rng, motion.airborne, flying), self._pick(rng, ~motion.airborne, want - flying)]
            else:
                motion = everyday_motion(rng, body, np.zeros(2), rng.uniform(-np.pi, np.pi), 4.0)
                picks = [self._pick(rng, np.ones(len(motion.airborne), bool), want)]
            joints = motion.posture(np.concatenate(picks) / RATE).joints
            out.append(joints @ rot_z(rng.uniform(-np.pi, np.pi)).T)
            left -= len(joints)
        return rng.permutation(np.concatenate(out))

    def _pick(self, rng: np.random.Generator, allowed: np.ndarray, count: int) -> np.ndarray:
        """Return at most ``count`` indices of ``allowed``, one in every slot of the spacing."""
        slots = np.flatnonzero(allowed)[rng.integers(self.spacing) :: self.spacing]
        return np.sort(rng.permutation(slots)[:count])


def _varied_poses(rng: np.random.Generator, num: int) -> list[np.ndarray]:
    known = np.stack([*EVERYDAY, STAND, LANDING, SOAK])
    known = np.concatenate([known, mirror_angles(known)])
    out = []
    for start in range(0, num, _VARIED_PER_BODY):
        count = min(_VARIED_PER_BODY, num - start)
        angles = rng.uniform(LIMITS[:, 0], LIMITS[:, 1], (count, NUM_DOFS))
        for part in _PARTS:
            picked = known[rng.integers(len(known), size=count)][:, part]
            wild = rng.random((count, 1)) < 0.4
            angles[:, part] = np.where(wild, angles[:, part], picked)
        angles = clip_to_limits(angles + rng.normal(0, np.deg2rad(10), angles.shape))
        turned = rng.random(count) < 0.5
        pitch = np.where(turned, rng.uniform(-np.pi, np.pi, count), rng.normal(0, 0.25, count))
        tilt = np.where(turned, rng.normal(0, 0.7, count), rng.normal(0, 0.15, count))
        twist = np.where(turned, rng.uniform(-np.pi, np.pi, count), 0)
        rotation = root_rotation(np.zeros(count), pitch, tilt, twist)
        out.append(forward_kinematics(Body.random(rng), angles, rotation, np.zeros((count, 3))).joints)
    return out
