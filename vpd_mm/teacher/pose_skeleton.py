"""Joint sets of 3D pose sources: the 13 joints that VIPE* encodes and the tree that it decodes (paper, supplement)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import UserError
from .joint_feature import HIPS, SHOULDERS

#: Bones of the 13 joints as pairs (from, to); 13 = hip midpoint, 14 = shoulder midpoint.
VPD_BONES = (
    (13, 14), (14, 0), (8, 7), (2, 1), (1, 3), (3, 5), (2, 4), (4, 6), (7, 9), (9, 11), (8, 10), (10, 12),
)  # fmt: skip
#: Poses that face +x are mirrored by this factor and swapping left and right.
MIRROR = np.array([1.0, -1.0, 1.0])


class Skeleton:
    """Joint set of a source of 3D poses.

    Args:
        num_joints: Number of joints K of the source.
        vpd_joints: Indices of VPD's 13 joints (nose, left/right shoulder, elbow, wrist, hip, knee, ankle); several
            indices stand for the mean of the joints.
        tree: (name, index or indices, parent name) of each decoded joint, parents first; the root comes first and has
            parent None.

    Raises UserError: an index is out of range, or the tree is invalid.
    """

    def __init__(self, num_joints: int, vpd_joints: Sequence[Any], tree: Sequence[tuple[str, Any, str | None]]) -> None:
        if len(vpd_joints) != 13:
            raise UserError(f'skeleton: vpd_joints must name 13 joints, found {len(vpd_joints)}')
        self.num_joints = num_joints
        names, inds, parents = zip(*tree)
        for i, (name, parent) in enumerate(zip(names, parents)):
            if parent not in (names[:i] or [None]):
                raise UserError(f'skeleton: joint {name!r}: its parent {parent!r} must be one of {names[:i]}')
            if _other_side(name) not in names:
                raise UserError(f'skeleton: the tree has no joint {_other_side(name)!r}, the other side of {name!r}')
        self.parents = np.array([-1, *map(names.index, parents[1:])])
        self._swap = [names.index(_other_side(name)) for name in names]
        self._vpd, self._tree = self._weights(vpd_joints), self._weights(inds)
        self._jointed = np.flatnonzero(self.parents > 0)  # joints whose parent has a bone of its own

    def _weights(self, joints: Sequence[Any]) -> np.ndarray:
        """Return a matrix (len(joints), K) whose rows average the given source joints."""
        weights = np.zeros((len(joints), self.num_joints))
        for row, joint in zip(weights, joints):
            inds = [joint] if isinstance(joint, int) else list(joint)
            if not inds or not all(isinstance(i, int) and 0 <= i < self.num_joints for i in inds):
                raise UserError(f'skeleton: {joint!r} is no joint of {self.num_joints}')
            row[inds] = 1 / len(inds)
        return weights

    def check(self, joints: np.ndarray, origin: str) -> None:
        """Raise UserError, naming ``origin``, if joints are not (N, K, 3) with N > 0, or not finite."""
        if joints.ndim != 3 or joints.shape[1:] != (self.num_joints, 3):
            raise UserError(
                f'{origin}: poses have shape {joints.shape}, this skeleton needs (N, {self.num_joints}, 3); '
                'name the skeleton of this file'
            )
        if not len(joints):
            raise UserError(f'{origin}: holds no pose')
        if not np.isfinite(joints).all():
            first = int(np.argwhere(~np.isfinite(joints))[0, 0])
            raise UserError(f'{origin}: pose {first} holds NaN or infinity; leave it out')

    def vpd(self, joints: np.ndarray) -> np.ndarray:
        """Convert joints (N, K, 3) to VPD's (N, 13, 3)."""
        return self._vpd @ joints

    @property
    def target_dims(self) -> int:
        """Length of the decoded target of a pose."""
        return 6 * (len(self.parents) - 1) + len(self._jointed)

    def target(self, joints: np.ndarray, mirrored: bool = False) -> np.ndarray:
        """Compute the decoding targets (N, target_dims) float32 of poses that face +x, or of their mirror images.

        A target is: unit offset of each non-root joint from its parent; angle of its bone to the parent's bone, if
        there is one (arccos / pi - 0.5); unit direction from the root.  ``joints`` (N, K, 3), z up, are those of
        :func:`face_forward`.
        """
        points = self._tree @ joints
        if mirrored:
            points = points[:, self._swap] * MIRROR
        offsets = unit(points[:, 1:] - points[:, self.parents[1:]])
        directions = unit(points[:, 1:] - points[:, :1])
        own, parent = offsets[:, self._jointed - 1], offsets[:, self.parents[self._jointed] - 1]
        parts = (offsets, bone_angles(own, parent) / np.pi - 0.5, directions)
        return np.concatenate([part.reshape(len(joints), -1) for part in parts], axis=1).astype(np.float32)


def _other_side(name: str) -> str:
    side, _, part = name.partition('_')
    return {'left': f'right_{part}', 'right': f'left_{part}'}.get(side, name)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., 3) to length 1; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def bone_angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the angles (...) between unit vectors (..., 3), in radians."""
    return np.arccos(np.clip((a * b).sum(-1), -1, 1))


def vpd_bones(joints: np.ndarray) -> np.ndarray:
    """Convert joints (N, 13, 3) to the unit vectors (N, 12, 3) of :data:`VPD_BONES`."""
    middles = [joints[:, pair].mean(axis=1, keepdims=True) for pair in (HIPS, SHOULDERS)]
    points = np.concatenate([joints, *middles], axis=1)
    start, end = np.array(VPD_BONES).T
    return unit(points[:, end] - points[:, start])


def face_forward(joints: np.ndarray, vpd: np.ndarray) -> np.ndarray:
    """Rotate poses (N, K, 3), z up, about the vertical axis to face +x, with the hips at the origin and trunk length 1.

    ``vpd`` (N, 13, 3) are the 13 joints of the same poses.  The mean line from right to left shoulder and hip points to
    +y afterwards; if it is vertical, the pose is not rotated.  A trunk of length 0 is not scaled.
    """
    x, y, _ = ((vpd[:, 1] - vpd[:, 2]) + (vpd[:, 7] - vpd[:, 8])).T
    turn = np.where(np.hypot(x, y) > 1e-9, np.pi / 2 - np.arctan2(y, x), 0)
    rotation = Rotation.from_euler('z', turn[:, None]).as_matrix()
    hips = vpd[:, HIPS].mean(axis=1)
    length = np.linalg.norm(vpd[:, SHOULDERS].mean(axis=1) - hips, axis=-1)
    scale = np.where(length > 1e-9, 1 / np.maximum(length, 1e-9), 1)
    return np.einsum('nij,nkj->nki', rotation, joints - hips[:, None]) * scale[:, None, None]
