"""The synthetic athletes as a source of 3D poses for VIPE*."""

import numpy as np

from ..errors import UserError
from ..registry import TASK_UTILS
from .everyday import EVERYDAY
from .moves import LANDING, SOAK, STAND
from .poses import sample_poses
from .skeleton import DOFS, LIMITS, NUM_DOFS, Body, clip_to_limits, forward_kinematics, mirror_angles, root_rotation

_BODIES = 50  # poses that share a body in ``varied_poses``
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

    Bodies and motions of one seed are not those of another: give training and test different ones.

    Args:
        num: How many.
        seed: Decides everything.
        sport, airborne, spacing_sec: As in :func:`sample_poses`.
        varied: Share of poses of :func:`varied_poses`, which no motion holds.

    Raises:
        UserError: a number is off.
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
        """(num, 17, 3) metres, z up."""
        rng = np.random.default_rng([self.seed, 20])
        few = round(self.num * self.varied)
        parts = []
        if self.num > few:
            parts.append(sample_poses(rng, self.num - few, **self.settings))
        if few:
            parts.append(varied_poses(rng, few))
        return np.concatenate(parts)


def varied_poses(rng: np.random.Generator, num: int) -> np.ndarray:
    """(num, 17, 3) poses whose trunk, arms and legs come from different postures or from anywhere within the limits.

    Half of the bodies are about upright, the others turned any way; hips at the origin.
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
