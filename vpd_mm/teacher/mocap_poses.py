"""3D poses of motion capture files in mmpose's format (Human3.6M and others)."""

import numpy as np

from ..errors import UserError
from ..registry import TASK_UTILS
from ..structures.npz_io import read_foreign_npz

#: Rotations that make z point up.
UPRIGHT = {
    'z': np.eye(3),
    'y': np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    '-y': np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}


@TASK_UTILS.register_module()
class MocapPoses:
    """3D poses of an mmpose ``.npz``: field ``S``, (N, K, 3) or (N, K, 4) with visibility.

    Args:
        path: The file, for example ``annotation_body3d/fps10/h36m_train.npz``.
        up: Axis that points up: 'z', 'y' or '-y'.  mmpose's Human3.6M has camera axes ('-y'), so its up axis is off
            by the tilt of the camera, about 10 degrees.

    :meth:`poses` raises UserError where the file is missing, damaged, or of another format.
    """

    def __init__(self, path: str, up: str = '-y') -> None:
        if up not in UPRIGHT:
            raise UserError(f'MocapPoses: up must be one of {", ".join(UPRIGHT)}, found {up!r}')
        self.path, self.origin, self.up = path, path, up

    def poses(self) -> list[np.ndarray]:
        """Return (T, K, 3) float64, z up, of each sequence, without the poses that have invisible joints.

        Poses are of one sequence if their ``imgname`` is equal up to the frame number after the last underscore.
        """
        what = "an mmpose mocap file with fields 'S', (N, joints, 3 or 4), and 'imgname', (N,)"
        data = read_foreign_npz(self.path, ('S', 'imgname'), what)
        joints, names = data['S'], data['imgname']
        if joints.ndim != 3 or joints.shape[2] not in (3, 4) or joints.dtype.kind != 'f':
            raise UserError(f"{self.path}: field 'S' is {joints.dtype} {joints.shape}; expected {what}")
        if names.shape != joints.shape[:1] or names.dtype.kind != 'U':
            raise UserError(f"{self.path}: field 'imgname' is {names.dtype} {names.shape}; expected {what}")
        joints = joints.astype(np.float64)
        if not np.isfinite(joints).all():
            raise UserError(f"{self.path}: field 'S' holds NaN or infinity")
        if joints.shape[2] == 4:
            visible = (joints[..., 3] > 0).all(axis=1)
            joints, names = joints[visible, :, :3], names[visible]
        _, sequence, counts = np.unique(
            [name.rpartition('_')[0] for name in names], return_inverse=True, return_counts=True
        )
        joints = joints[np.argsort(sequence, kind='stable')] @ UPRIGHT[self.up].T
        return np.split(joints, np.cumsum(counts)[:-1])
