"""3D poses of the public VPD release's preprocessing (3DPeople, NBA2K and others)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError, one_line
from ..registry import TASK_UTILS
from .pickle_data import PickledArray, read_pickle_data


@TASK_UTILS.register_module()
class ReleasePoses:
    """3D poses of a ``ground_truth_3d_pose.pkl``, read as data: nothing in it is run.

    The file holds {sequence: [(hips (3,), heading in degrees, offsets (K - 1, 3)) of each frame]}: bone vectors
    (left, forward, up), each from its parent.

    Args:
        path: The file.
        parents: Parent of joint 1, 2, ..., K - 1 (joint 0 is the root).
        every: Take every n-th pose of each sequence.
        exclude: Persons to leave out, named in a sequence's name.

    Raises:
        UserError: a parent comes after its child; :meth:`poses`: the file is missing, damaged, or of another format.
    """

    def __init__(self, path: str, parents: Sequence[int], every: int = 1, exclude: Sequence[str] = ()) -> None:
        for i, parent in enumerate(parents, 1):
            if not 0 <= parent < i:
                raise UserError(f'ReleasePoses: joint {i} must come after its parent, found {parent}')
        self.path, self.parents, self.every, self.exclude = path, tuple(parents), every, frozenset(exclude)
        self.origin = str(path)

    def poses(self) -> list[np.ndarray]:
        """Return (T, K, 3) float64 of each sequence: x forward, y left, z up, hips at the origin.

        Frames without a pose are left out.
        """
        sequences = read_pickle_data(self.path)
        if not isinstance(sequences, dict):
            raise UserError(f'{self.path}: needs {{sequence: frames}}, found a {type(sequences).__name__}')
        joints = []
        for key, frames in sequences.items():
            name = one_line(repr(key))
            if not isinstance(frames, list):
                raise UserError(f'{self.path}: sequence {name} must be a list, found a {type(frames).__name__}')
            if self.exclude & set(key if isinstance(key, tuple) else (key,)):
                continue
            kept = range(0, len(frames), self.every)
            offsets = [
                self._offsets(frames[i], f'{self.path}: {name} frame {i}') for i in kept if frames[i] is not None
            ]
            bones = np.array(offsets, np.float64).reshape(-1, len(self.parents), 3)[..., [1, 0, 2]]
            points = np.zeros((len(bones), len(self.parents) + 1, 3))
            for joint, parent in enumerate(self.parents, 1):
                points[:, joint] = points[:, parent] + bones[:, joint - 1]
            joints.append(points)
        if not any(map(len, joints)):
            raise UserError(f'{self.path}: holds no pose')
        return joints

    def _offsets(self, frame: Any, where: str) -> np.ndarray:
        last = frame[2] if isinstance(frame, tuple) and len(frame) == 3 else None
        array = last.array if isinstance(last, PickledArray) else None
        wanted = (len(self.parents), 3)
        if array is None or array.shape != wanted or array.dtype.kind not in 'fiu' or not np.isfinite(array).all():
            actual = 'no array' if array is None else f'{array.shape} {array.dtype}'
            raise UserError(f'{where}: offsets must be {wanted}, found {actual}; name the skeleton of this file')
        return array
