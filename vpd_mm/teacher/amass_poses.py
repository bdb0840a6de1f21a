"""3D poses of AMASS (Mahmood et al., 2019)."""

from functools import cache
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..registry import TASK_UTILS
from ..structures.npz_io import read_foreign_npz

#: 52 joints of SMPL-H and the nose, which is a vertex.
NUM_JOINTS = 53
POSES_PER_SECOND = 5
_POSE_DIMS = 156
_BATCH = 512


@TASK_UTILS.register_module()
class AmassPoses:
    """3D poses of AMASS' ``*_poses.npz`` (SMPL-H), five per second, computed with the ``smplx`` package.

    Args:
        path: Folder of AMASS, searched recursively.
        body_model: Folder that holds ``smplh/SMPLH_{MALE,FEMALE,NEUTRAL}.npz`` (https://mano.is.tue.mpg.de).
        num: Largest number of poses, drawn at random; None: all.

    :meth:`poses` raises UserError where smplx, the body model or the motion files are missing, or a file is damaged.
    """

    def __init__(self, path: str, body_model: str, num: int | None = None) -> None:
        self.path, self.body_model, self.num = Path(path), Path(body_model), num
        self.origin = path

    def poses(self) -> np.ndarray:
        """Return (N, 53, 3) in meters, z up: the joints of SMPL-H and the nose."""
        files = sorted(self.path.rglob('*_poses.npz'))
        if not files:
            raise UserError(
                f'{self.path}: holds no *_poses.npz; download AMASS (SMPL-H) from https://amass.is.tue.mpg.de'
            )
        joints = np.concatenate([self._joints(file) for file in files])
        if self.num is not None and len(joints) > self.num:
            joints = joints[np.sort(np.random.default_rng(0).permutation(len(joints))[: self.num])]
        return joints

    def _joints(self, file: Path) -> np.ndarray:
        import torch

        what = 'an AMASS SMPL-H motion'
        data = read_foreign_npz(file, ('poses', 'trans', 'betas', 'gender', 'mocap_framerate'), what)
        poses = torch.from_numpy(data['poses'].astype(np.float32))
        betas = torch.from_numpy(data['betas'].ravel().astype(np.float32))
        if poses.ndim != 2 or poses.shape[1] != _POSE_DIMS:
            raise UserError(f"{file}: field 'poses' is {tuple(poses.shape)}; expected (N, {_POSE_DIMS}), {what}")
        step = max(round(float(data['mocap_framerate']) / POSES_PER_SECOND), 1)
        gender = data['gender'].item()
        gender = gender.decode() if isinstance(gender, bytes) else str(gender)
        model = _body_model(self.body_model, gender, len(betas))
        parts = []
        for theta in poses[::step].split(_BATCH):
            with torch.inference_mode():
                result = model(
                    betas=betas.expand(len(theta), -1),
                    global_orient=theta[:, :3],
                    body_pose=theta[:, 3:66],
                    left_hand_pose=theta[:, 66:111],
                    right_hand_pose=theta[:, 111:],
                    transl=theta.new_zeros(len(theta), 3),
                )
            parts.append(result.joints[:, :NUM_JOINTS].numpy())
        return np.concatenate(parts)


@cache
def _body_model(folder: Path, gender: str, num_betas: int):
    try:
        import smplx
    except ImportError as e:
        raise UserError(f'AMASS needs the smplx package ({e}); pip install --no-deps smplx') from e
    file = folder / 'smplh' / f'SMPLH_{gender.upper()}.npz'
    if not file.is_file():
        raise UserError(f'{file}: no such file; download the SMPL-H body model from https://mano.is.tue.mpg.de')
    options = {'gender': gender, 'num_betas': num_betas, 'ext': 'npz'}
    return smplx.create(str(folder), 'smplh', use_pca=False, flat_hand_mean=True, **options)
