"""3D poses of random athletes, for models that learn from many views."""

import numpy as np

from ..errors import UserError
from .everyday import everyday_motion
from .motions import RATE
from .routine import SKILLS, Habits, perform_routine
from .skeleton import Body

_SAMPLES_PER_MOTION = 60


def sample_poses(
    rng: np.random.Generator, num: int, sport: float = 0.6, airborne: float = 0.5, spacing_sec: float = 0.05
) -> np.ndarray:
    """3D COCO-17 poses of random bodies in the sport and in everyday life.

    Args:
        rng: Decides everything.
        num: How many, 1 or more.
        sport: Share that comes from routines of the sport; the rest is everyday motion.
        airborne: Share of the sport's poses that are taken in flight, tucked, piked, twisting, upside down.
        spacing_sec: Poses of one motion lie at least so far apart.

    Returns:
        (num, 17, 3) float32, metres; x along the track, y across it, z up; joints 5 and 11 are the left shoulder and
        hip.  Where the body stands and which way it faces is random.

    Raises:
        UserError: a number is off.
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
    """At most ``count`` indices of ``allowed``, one in every slot of ``spacing_sec``."""
    at = np.flatnonzero(allowed)[rng.integers(max(int(spacing_sec * RATE), 1)) :: max(int(spacing_sec * RATE), 1)]
    return np.sort(rng.permutation(at)[:count])
