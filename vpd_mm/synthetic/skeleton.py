"""An articulated body: bone lengths, joint angles with limits, forward kinematics.

World axes are right-handed, in metres: x along the track, y across it, z up; the floor is z = 0.  A body that
stands upright with root rotation identity faces +x, its own left is +y.  Angles are radians.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import ArrayLike

#: Lowest and highest angle of each joint in degrees.  flex = forward, side = to the left, twist and yaw = turn to the
#: left.  Flexion raises a limb forward, abduction sideways, rot turns it inward; elbow and knee are 0 when straight;
#: ankle is positive when the toes point.
_SIDE_LIMITS = {
    'shoulder': (-60, 185), 'abduct': (-20, 120), 'arm_rot': (-70, 90), 'elbow': (0, 150),
    'hip': (-35, 150), 'spread': (-15, 75), 'leg_rot': (-45, 45), 'knee': (0, 155), 'ankle': (-25, 65),
}  # fmt: skip
_LIMITS = {
    'spine_flex': (-35, 85), 'spine_side': (-30, 30), 'spine_twist': (-40, 40),
    'neck_flex': (-45, 55), 'neck_yaw': (-70, 70),
    **{f'{side}_{name}': limits for side in 'lr' for name, limits in _SIDE_LIMITS.items()},
}  # fmt: skip
#: Names of the joint angles, in the order of a pose vector (23,): 5 of trunk and head, 9 of the left, 9 of the right.
DOFS = tuple(_LIMITS)
NUM_DOFS = len(DOFS)
#: (23, 2) lowest and highest angle of each joint.
LIMITS = np.deg2rad(np.array(list(_LIMITS.values()), float))

#: Point that forward kinematics yields, the point from which its bone starts, the part to which the bone belongs.
_SIDE_BONES = (
    ('eye', 'head', 'head'), ('ear', 'head', 'head'),
    ('shoulder', 'neck', 'chest'), ('elbow', '*_shoulder', '*_upper_arm'), ('wrist', '*_elbow', '*_forearm'),
    ('fingers', '*_wrist', '*_forearm'), ('hip', 'pelvis', 'pelvis'), ('knee', '*_hip', '*_thigh'),
    ('ankle', '*_knee', '*_shank'), ('heel', '*_ankle', '*_foot'), ('toe', '*_ankle', '*_foot'),
)  # fmt: skip
BONES = (
    ('waist', 'pelvis', 'pelvis'), ('neck', 'waist', 'waist'), ('head_base', 'neck', 'chest'),
    ('head', 'head_base', 'head'), ('nose', 'head', 'head'),
    *((f'{s}_{node}', start.replace('*', s), part.replace('*', s)) for s in 'lr' for node, start, part in _SIDE_BONES),
)  # fmt: skip
#: Index of each of the 28 points in :class:`Posture`.
NODE = {name: i for i, name in enumerate(('pelvis', *(bone[0] for bone in BONES)))}
#: Index of the coordinate frame of each of the 14 parts in :class:`Posture`.
FRAME = {name: i for i, name in enumerate(
    ('pelvis', 'waist', 'chest', 'head')
    + tuple(f'{side}_{part}' for side in 'lr' for part in ('upper_arm', 'forearm', 'thigh', 'shank', 'foot'))
)}  # fmt: skip
#: COCO-17 joints, in COCO's order; left is the body's own left.
COCO_NODES = ['nose', 'l_eye', 'r_eye', 'l_ear', 'r_ear'] + [
    f'{side}_{name}' for name in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle') for side in 'lr'
]
COCO_INDEX = np.array([NODE[name] for name in COCO_NODES])
#: Share of the mass between two nodes (de Leva 1996), and its position between them (0 to 1).
_SEGMENTS = (('head', 'head', 0.069, 0.0), ('pelvis', 'neck', 0.435, 0.48)) + tuple(
    (f'{side}_{a}', f'{side}_{b}', mass, at)
    for side in 'lr'
    for a, b, mass, at in (
        ('shoulder', 'elbow', 0.027, 0.57), ('elbow', 'wrist', 0.016, 0.46), ('wrist', 'fingers', 0.006, 0.6),
        ('hip', 'knee', 0.142, 0.40), ('knee', 'ankle', 0.043, 0.44), ('heel', 'toe', 0.014, 0.5),
    )
)  # fmt: skip
_SEGMENT_ENDS = np.array([(NODE[a], NODE[b]) for a, b, *_ in _SEGMENTS]).T
_MASSES, _POSITIONS = np.array([segment[2:] for segment in _SEGMENTS]).T[..., None]


def _rotation(axis: int, angle: ArrayLike) -> np.ndarray:
    """Return (..., 3, 3) rotations of (...,) radians."""
    angle = np.asarray(angle, float)
    out = np.zeros(angle.shape + (3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = np.cos(angle)
    out[..., j, i] = np.sin(angle)
    out[..., i, j] = -out[..., j, i]
    return out


#: Rotations (..., 3, 3) about an axis by (...,) radians; a positive one about y tips the body forward, about z turns it
#: to the left.
rot_x, rot_y, rot_z = (partial(_rotation, axis) for axis in range(3))


def mirror_angles(angles: np.ndarray) -> np.ndarray:
    """Exchange left and right of poses (..., 23)."""
    out = np.concatenate([angles[..., :5], angles[..., 14:], angles[..., 5:14]], axis=-1)
    out[..., [1, 2, 4]] *= -1
    return out


def _without_side(node: str) -> str:
    return node[2:] if node[:2] in ('l_', 'r_') else node


@dataclass(frozen=True)
class Body:
    """Sizes of one person; all but the stature are relative to the average."""

    stature: float = 1.65  # metres
    shoulders: float = 1.0  # width
    hips: float = 1.0  # width
    legs: float = 1.0  # length, which the trunk compensates
    arms: float = 1.0  # length
    girth: float = 1.0  # thickness of limbs and trunk
    head_size: float = 1.0

    @classmethod
    def random(cls, rng: np.random.Generator, low: float = 1.5, high: float = 1.8) -> 'Body':
        """Return a body of random stature in metres and random build."""
        return cls(rng.uniform(low, high), *rng.normal(1, (0.05, 0.06, 0.025, 0.025, 0.08, 0.03)).clip(0.85, 1.18))

    @cached_property
    def offsets(self) -> dict[str, np.ndarray]:
        """Bone vectors at rest in metres, in the frame of their part, by their last node."""
        trunk = 1 - 1.7 * (self.legs - 1)
        head, arms, legs = self.head_size, self.arms, self.legs
        left = {
            'hip': (0, 0.052 * self.hips, 0), 'waist': (0, 0, 0.115 * trunk), 'neck': (0, 0, 0.185 * trunk),
            'shoulder': (0, 0.108 * self.shoulders, -0.018), 'head_base': (0.004, 0, 0.035),
            'head': (0.012, 0, 0.062 * head), 'nose': (0.064 * head, 0, -0.012),
            'eye': (0.052 * head, 0.02 * head, 0.008), 'ear': (-0.002, 0.047 * head, 0),
            'elbow': (0, 0, -0.178 * arms), 'wrist': (0, 0, -0.152 * arms), 'fingers': (0, 0, -0.088 * arms),
            'knee': (0, 0, -0.243 * legs), 'ankle': (0, 0, -0.237 * legs),
            'heel': (-0.025, 0, -0.028), 'toe': (0.105, 0, -0.030),
        }  # fmt: skip
        mirrored = {node: (1, -1 if node.startswith('r_') else 1, 1) for node, *_ in BONES}
        return {node: self.stature * np.array(left[_without_side(node)]) * sign for node, sign in mirrored.items()}

    @cached_property
    def contact_radii(self) -> np.ndarray:
        """(28,) thickness of the body around each node in metres, for contact with the floor."""
        thick = {
            'pelvis': 0.062, 'waist': 0.06, 'neck': 0.05, 'head': 0.068, 'shoulder': 0.035, 'elbow': 0.025,
            'wrist': 0.02, 'fingers': 0.008, 'hip': 0.055, 'knee': 0.03, 'ankle': 0.02, 'heel': 0.014, 'toe': 0.012,
        }  # fmt: skip
        return self.stature * np.array([thick.get(_without_side(name), 0.0) for name in NODE])


@dataclass(frozen=True, eq=False)
class Posture:
    """Positions of a body: nodes (T, 28, 3) in metres, frames (T, 14, 3, 3), columns = forward, left, up of a part."""

    nodes: np.ndarray
    frames: np.ndarray

    @property
    def joints(self) -> np.ndarray:
        """(T, 17, 3) COCO-17 joints."""
        return self.nodes[:, COCO_INDEX]

    @property
    def centre_of_mass(self) -> np.ndarray:
        """(T, 3) metres."""
        return np.sum(_MASSES * self._segments, axis=1)

    def somersault_inertia(self) -> np.ndarray:
        """Return the (T,) moment of inertia per kg about the y axis through the centre of mass."""
        x, _, z = np.moveaxis(self._segments - self.centre_of_mass[:, None], (2, 1), (0, 1))
        return np.sum(_MASSES * (x**2 + z**2), axis=0) + 0.012

    @property
    def _segments(self) -> np.ndarray:
        """(T, 14, 3) centre of mass of each segment."""
        first, last = (self.nodes[:, ends] for ends in _SEGMENT_ENDS)
        return first * (1 - _POSITIONS) + last * _POSITIONS


def forward_kinematics(body: Body, angles: np.ndarray, root_rot: np.ndarray, root_pos: np.ndarray) -> Posture:
    """Compute the posture of a body.

    Args:
        body, angles: The body and (T, 23) radians in the order of :data:`DOFS`.
        root_rot, root_pos: (T, 3, 3) rotation of the pelvis and (T, 3) midpoint of the hips in metres.
    """
    bend = rot_y(angles[:, 0] / 2) @ rot_x(-angles[:, 1] / 2) @ rot_z(angles[:, 2] / 2)
    waist = root_rot @ bend
    chest = waist @ bend
    parts = [root_rot, waist, chest, chest @ rot_z(angles[:, 4]) @ rot_y(angles[:, 3])]
    for first, sign in ((5, 1.0), (14, -1.0)):
        shoulder, abduct, arm_rot, elbow, hip, spread, leg_rot, knee, ankle = angles[:, first : first + 9].T
        upper_arm = chest @ rot_y(-shoulder) @ rot_x(sign * abduct) @ rot_z(-sign * arm_rot)
        thigh = root_rot @ rot_y(-hip) @ rot_x(sign * spread) @ rot_z(-sign * leg_rot)
        shank = thigh @ rot_y(knee)
        parts += [upper_arm, upper_arm @ rot_y(-elbow), thigh, shank, shank @ rot_y(ankle)]
    frames = np.stack(parts)
    nodes = np.empty((len(NODE), len(angles), 3))
    nodes[0] = root_pos
    for node, start, part in BONES:
        nodes[NODE[node]] = nodes[NODE[start]] + frames[FRAME[part]] @ body.offsets[node]
    return Posture(nodes.transpose(1, 0, 2), frames.transpose(1, 0, 2, 3))


def root_rotation(yaw: ArrayLike, pitch: ArrayLike, tilt: ArrayLike = 0.0, twist: ArrayLike = 0.0) -> np.ndarray:
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
