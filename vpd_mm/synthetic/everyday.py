"""What people do every day, upright; the generic domain is made of it."""

import numpy as np

from .motions import Motion, MotionBuilder
from .moves import STAND, stand, walk
from .people import seated_motion
from .skeleton import NUM_DOFS, Body, mirror_angles, pose

#: Poses that are held for a while; standing and walking come besides.
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

#: Of all people.
SEATED_SHARE = 0.1


def everyday_yaw(rng: np.random.Generator, azimuth: float) -> float:
    """Where somebody faces who is photographed along ``azimuth``: half the people look about towards the camera."""
    return azimuth + np.pi + rng.normal(0, 0.6) if rng.random() < 0.5 else rng.uniform(-np.pi, np.pi)


def place_beside(taken: list[float], reach: float, rng: np.random.Generator) -> float:
    """A place from ``-reach`` to ``reach`` metres, more than an arm from those taken where a few tries find one."""
    for _ in range(6):
        across = rng.uniform(-reach, reach)
        if all(abs(across - other) > 0.7 for other in taken):
            break
    return across


def everyday_motion(
    rng: np.random.Generator, body: Body, xy: tuple[float, float], yaw: float, duration: float
) -> Motion:
    """Somebody who stands, holds an everyday pose, walks about or sits."""
    if rng.random() < SEATED_SHARE:
        return seated_motion(rng, body, xy, yaw, duration)
    builder = MotionBuilder(body, xy, yaw, STAND)
    while builder.now_sec < duration + 0.1:
        what = rng.random()
        if what < 0.25:
            stand(builder, rng, 1.2)
        elif what < 0.6:
            walk(builder, rng, rng.uniform(1.0, 2.5), rng.normal(0, 0.9))
        else:
            held = EVERYDAY[rng.integers(len(EVERYDAY))]
            held = mirror_angles(held) if rng.random() < 0.5 else held
            held = held + np.deg2rad(rng.normal(0, 7, NUM_DOFS))
            builder.ground(rng.uniform(0.8, 2.0), held, np.zeros(2))
    return builder.finish()
