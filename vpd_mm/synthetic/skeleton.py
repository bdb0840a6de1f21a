"""An articulated body: bone lengths, joint angles with limits, forward kinematics.

World axes are right-handed, in metres: x along the track, y across it, z up; the floor is z = 0.  A body that
stands upright with root rotation identity faces +x, its own left is +y.  Angles are radians.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Joint angles of one side.  Flexion raises a limb forward, abduction sideways, rot turns it inward;
#: elbow and knee are 0 when straight; ankle is positive when the toes point.
SIDE_DOFS = ('shoulder', 'abduct', 'arm_rot', 'elbow', 'hip', 'spread', 'leg_rot', 'knee', 'ankle')
#: All joint angles.  flex = forward, side = to the left, twist and yaw = turn to the left.
DOFS = (
    ('spine_flex', 'spine_side', 'spine_twist', 'neck_flex', 'neck_yaw')
    + tuple(f'l_{name}' for name in SIDE_DOFS)
    + tuple(f'r_{name}' for name in SIDE_DOFS)
)
NUM_DOFS = len(DOFS)
_SIDE_LIMITS = (
    (-60, 185), (-20, 120), (-70, 90), (0, 150),
    (-35, 150), (-15, 75), (-45, 45), (0, 155), (-25, 65),
)  # fmt: skip
#: (23, 2) lowest and highest angle of each joint.
LIMITS = np.deg2rad(np.array(((-35, 85), (-30, 30), (-40, 40), (-45, 55), (-70, 70)) + 2 * _SIDE_LIMITS, float))

_SIDE_NODES = ('shoulder', 'elbow', 'wrist', 'fingers', 'hip', 'knee', 'ankle', 'heel', 'toe')
#: Points that forward kinematics yields.
NODES = (
    ('pelvis', 'waist', 'neck', 'head_base', 'head', 'nose', 'l_eye', 'r_eye', 'l_ear', 'r_ear')
    + tuple(f'l_{name}' for name in _SIDE_NODES)
    + tuple(f'r_{name}' for name in _SIDE_NODES)
)
NODE = {name: i for i, name in enumerate(NODES)}
#: Coordinate frames (3x3, columns = forward, left, up of the part) that forward kinematics yields.
FRAMES = ('pelvis', 'waist', 'chest', 'head') + tuple(
    f'{side}_{part}' for side in 'lr' for part in ('upper_arm', 'forearm', 'thigh', 'shank', 'foot')
)
FRAME = {name: i for i, name in enumerate(FRAMES)}
#: COCO-17 joints, in COCO's order; left is the body's own left.
COCO_NODES = ['nose', 'l_eye', 'r_eye', 'l_ear', 'r_ear'] + [
    f'{side}_{name}' for name in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle') for side in 'lr'
]
COCO_INDEX = np.array([NODE[name] for name in COCO_NODES])
#: Bones whose length never changes, as pairs of nodes.
BONES = (('pelvis', 'waist'), ('waist', 'neck'), ('neck', 'head_base'), ('head_base', 'head')) + tuple(
    (f'{side}_{a}', f'{side}_{b}')
    for side in 'lr'
    for a, b in (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'), ('ankle', 'toe'))
)
#: Share of the mass between two nodes (de Leva 1996), and its position between them (0 to 1).
_MASSES = (('head', 'head', 0.069, 0.0), ('pelvis', 'neck', 0.435, 0.48)) + tuple(
    (f'{side}_{a}', f'{side}_{b}', mass, at)
    for side in 'lr'
    for a, b, mass, at in (
        ('shoulder', 'elbow', 0.027, 0.57), ('elbow', 'wrist', 0.016, 0.46), ('wrist', 'fingers', 0.006, 0.6),
        ('hip', 'knee', 0.142, 0.40), ('knee', 'ankle', 0.043, 0.44), ('heel', 'toe', 0.014, 0.5),
    )
)  # fmt: skip


def rot_x(angle: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) rotations about x of (...,) radians."""
    return _rotation(angle, 0)


def rot_y(angle: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) rotations about y of (...,) radians; a positive one tips the body forward."""
    return _rotation(angle, 1)


def rot_z(angle: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) rotations about z of (...,) radians; a positive one turns to the left."""
    return _rotation(angle, 2)


def _rotation(angle: np.ndarray, axis: int) -> np.ndarray:
    angle = np.asarray(angle, float)
    out = np.zeros(angle.shape + (3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out


def mirror_angles(angles: np.ndarray) -> np.ndarray:
    """Exchange left and right of poses (..., 23)."""
    n = len(SIDE_DOFS)
    out = np.concatenate([angles[..., :5], angles[..., 5 + n :], angles[..., 5 : 5 + n]], axis=-1)
    out[..., [1, 2, 4]] *= -1
    return out


@dataclass(frozen=True)
class Body:
    """Sizes of one person.

    Args:
        stature: Height in metres.
        shoulders, hips: Widths relative to the average.
        legs: Leg length relative to the average; the trunk compensates it.
        arms: Arm length relative to the average.
        girth: Limb and trunk thickness relative to the average.
        head_size: Relative to the average.
    """

    stature: float = 1.65
    shoulders: float = 1.0
    hips: float = 1.0
    legs: float = 1.0
    arms: float = 1.0
    girth: float = 1.0
    head_size: float = 1.0

    @classmethod
    def random(cls, rng: np.random.Generator, low: float = 1.5, high: float = 1.8) -> 'Body':
        """Return a body of random stature in metres and random build."""
        return cls(rng.uniform(low, high), *rng.normal(1, (0.05, 0.06, 0.025, 0.025, 0.08, 0.03)).clip(0.85, 1.18))

    @cached_property
    def offsets(self) -> dict[str, np.ndarray]:
        """Bone vectors at rest in metres, in the frame of their parent, of the left side."""
        h = self.stature
        trunk = 1 - 1.7 * (self.legs - 1)
        head = self.head_size
        unit = {
            'hip': (0, 0.052 * self.hips, 0), 'waist': (0, 0, 0.115 * trunk), 'neck': (0, 0, 0.185 * trunk),
            'shoulder': (0, 0.108 * self.shoulders, -0.018), 'head_base': (0.004, 0, 0.035),
            'head': (0.012, 0, 0.062 * head), 'nose': (0.064 * head, 0, -0.012),
            'eye': (0.052 * head, 0.02 * head, 0.008),
            'ear': (-0.002, 0.047 * head, 0), 'elbow': (0, 0, -0.178 * self.arms),
            'wrist': (0, 0, -0.152 * self.arms),
            'fingers': (0, 0, -0.088 * self.arms),
            'knee': (0, 0, -0.243 * self.legs), 'ankle': (0, 0, -0.237 * self.legs),
            'heel': (-0.025, 0, -0.028), 'toe': (0.105, 0, -0.030),
        }  # fmt: skip
        return {name: h * np.array(vector, float) for name, vector in unit.items()}

    @cached_property
    def contact_radii(self) -> np.ndarray:
        """(28,) thickness of the body around each node in metres, for contact with the floor."""
        thick = {
            'pelvis': 0.062, 'waist': 0.06, 'neck': 0.05, 'head': 0.068, 'shoulder': 0.035, 'elbow': 0.025,
            'wrist': 0.02, 'fingers': 0.008, 'hip': 0.055, 'knee': 0.03, 'ankle': 0.02, 'heel': 0.014, 'toe': 0.012,
        }  # fmt: skip
        return self.stature * np.array([thick.get(name.split('_', 1)[-1], 0.0) for name in NODES])


@dataclass(frozen=True, eq=False)
class Posture:
    """Positions of a body: nodes (T, 28, 3) in metres, part frames (T, 14, 3, 3)."""

    nodes: np.ndarray
    frames: np.ndarray

    @property
    def joints(self) -> np.ndarray:
        """(T, 17, 3) COCO-17 joints."""
        return self.nodes[:, COCO_INDEX]

    @property
    def centre_of_mass(self) -> np.ndarray:
        """(T, 3) metres."""
        return sum(mass * point for mass, point in self._point_masses())

    def somersault_inertia(self) -> np.ndarray:
        """Return the (T,) moment of inertia per kg about the y axis through the centre of mass."""
        centre = self.centre_of_mass
        spread = sum(mass * np.sum((point - centre)[:, [0, 2]] ** 2, axis=1) for mass, point in self._point_masses())
        return spread + 0.012

    def _point_masses(self):
        for a, b, mass, at in _MASSES:
            yield mass, self.nodes[:, NODE[a]] * (1 - at) + self.nodes[:, NODE[b]] * at


def forward_kinematics(body: Body, angles: np.ndarray, root_rot: np.ndarray, root_pos: np.ndarray) -> Posture:
    """Compute the posture of a body.

    Args:
        body: Its sizes.
        angles: (T, 23) radians in the order of :data:`DOFS`.
        root_rot: (T, 3, 3) rotation of the pelvis, columns = its forward, left, up.
        root_pos: (T, 3) midpoint of the hips in metres.
    """
    num = len(angles)
    off = body.offsets
    nodes = np.empty((len(NODES), num, 3))
    frames = np.empty((len(FRAMES), num, 3, 3))

    def attach(name: str, parent: str, frame: str, vector: np.ndarray) -> None:
        nodes[NODE[name]] = nodes[NODE[parent]] + frames[FRAME[frame]] @ vector

    bend = rot_y(angles[:, 0] / 2) @ rot_x(-angles[:, 1] / 2) @ rot_z(angles[:, 2] / 2)
    frames[FRAME['pelvis']] = root_rot
    frames[FRAME['waist']] = root_rot @ bend
    frames[FRAME['chest']] = frames[FRAME['waist']] @ bend
    frames[FRAME['head']] = frames[FRAME['chest']] @ rot_z(angles[:, 4]) @ rot_y(angles[:, 3])
    nodes[NODE['pelvis']] = root_pos
    attach('waist', 'pelvis', 'pelvis', off['waist'])
    attach('neck', 'waist', 'waist', off['neck'])
    attach('head_base', 'neck', 'chest', off['head_base'])
    attach('head', 'head_base', 'head', off['head'])
    attach('nose', 'head', 'head', off['nose'])

    for side, sign in (('l', 1.0), ('r', -1.0)):
        mirrored = np.array((1.0, sign, 1.0))
        at = 5 if side == 'l' else 5 + len(SIDE_DOFS)
        shoulder, abduct, arm_rot, elbow, hip, spread, leg_rot, knee, ankle = angles[:, at : at + len(SIDE_DOFS)].T
        for name in ('eye', 'ear'):
            attach(f'{side}_{name}', 'head', 'head', off[name] * mirrored)
        frames[FRAME[f'{side}_upper_arm']] = (
            frames[FRAME['chest']] @ rot_y(-shoulder) @ rot_x(sign * abduct) @ rot_z(-sign * arm_rot)
        )
        frames[FRAME[f'{side}_forearm']] = frames[FRAME[f'{side}_upper_arm']] @ rot_y(-elbow)
        frames[FRAME[f'{side}_thigh']] = root_rot @ rot_y(-hip) @ rot_x(sign * spread) @ rot_z(-sign * leg_rot)
        frames[FRAME[f'{side}_shank']] = frames[FRAME[f'{side}_thigh']] @ rot_y(knee)
        frames[FRAME[f'{side}_foot']] = frames[FRAME[f'{side}_shank']] @ rot_y(ankle)
        for name, parent, frame in (
            ('shoulder', 'neck', 'chest'), ('hip', 'pelvis', 'pelvis'), ('elbow', 'l_shoulder', 'l_upper_arm'),
            ('wrist', 'l_elbow', 'l_forearm'), ('fingers', 'l_wrist', 'l_forearm'), ('knee', 'l_hip', 'l_thigh'),
            ('ankle', 'l_knee', 'l_shank'), ('heel', 'l_ankle', 'l_foot'), ('toe', 'l_ankle', 'l_foot'),
        ):  # fmt: skip
            own_parent, own_frame = (s.replace('l_', f'{side}_') for s in (parent, frame))
            attach(f'{side}_{name}', own_parent, own_frame, off[name] * mirrored)
    return Posture(nodes.transpose(1, 0, 2), frames.transpose(1, 0, 2, 3))


def root_rotation(yaw: np.ndarray, pitch: np.ndarray, tilt: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """Return (T, 3, 3): turn ``yaw``, somersault ``pitch`` (forward > 0), ``tilt`` and ``twist`` of the body."""
    return rot_z(yaw) @ rot_y(pitch) @ rot_x(tilt) @ rot_z(twist)


def pose(base: np.ndarray | None = None, **degrees: float) -> np.ndarray:
    """Make a pose vector (23,) from names in degrees; a name without ``l_`` or ``r_`` sets both sides.

    >>> pose(knee=90, l_shoulder=45)
    """
    out = np.zeros(NUM_DOFS) if base is None else base.copy()
    for name, value in degrees.items():
        for full in (name,) if name in DOFS else (f'l_{name}', f'r_{name}'):
            out[DOFS.index(full)] = np.deg2rad(value)
    return out


def clip_to_limits(angles: np.ndarray) -> np.ndarray:
    """Clip (..., 23) angles to the limits of the joints."""
    return np.clip(angles, LIMITS[:, 0], LIMITS[:, 1])
