"""3D poses of AMASS (Mahmood et al., 2019)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import UserError
from ..files import list_folder
from ..registry import TASK_UTILS
from ..structures.npz_io import read_foreign_npz

#: 52 joints of SMPL-H and the nose, which is a vertex.
NUM_JOINTS = 53
POSES_PER_SECOND = 5
#: The files of the body model that there are; the name of one is part of a path.
GENDERS = ('male', 'female', 'neutral')
_POSE_DIMS, _MAX_BETAS = 156, 300
_BATCH = 512


@TASK_UTILS.register_module()
class AmassPoses:
    """3D poses of AMASS' ``*_poses.npz`` (SMPL-H), five per second, computed with the ``smplx`` package.

    Args:
        path: Folder of AMASS, searched recursively.
        body_model: Folder that holds ``smplh/SMPLH_{MALE,FEMALE,NEUTRAL}.npz`` (https://mano.is.tue.mpg.de).
        repeat: Folder in ``path`` to the number of times that its sequences count; 0 leaves them out.

    :meth:`poses` raises UserError where smplx, the body model or the motion files are missing, or a file is damaged.
    """

    def __init__(self, path: str, body_model: str, repeat: Mapping[str, int] = MappingProxyType({})) -> None:
        self.path, self.body_model, self.repeat = Path(path), Path(body_model), repeat
        self.origin = path

    def poses(self) -> list[np.ndarray]:
        """Return (T, 53, 3) in meters, z up, of each sequence: the joints of SMPL-H and the nose."""
        files = list_folder(self.path, '**/*_poses.npz')
        if not files:
            raise UserError(
                f'{self.path}: holds no *_poses.npz; download AMASS (SMPL-H) from https://amass.is.tue.mpg.de'
            )
        counts = [self.repeat.get(file.relative_to(self.path).parts[0], 1) for file in files]
        return [joints for file, count in zip(files, counts) if count for joints in [self._joints(file)] * count]

    def _joints(self, file: Path) -> np.ndarray:
        import torch

        what = 'an AMASS SMPL-H motion'
        data = read_foreign_npz(file, ('poses', 'trans', 'betas', 'gender', 'mocap_framerate'), what)
        for field in ('poses', 'betas', 'mocap_framerate'):
            array = data[field]
            if array.dtype.kind not in 'fiu' or not np.isfinite(array).all():
                raise UserError(f'{file}: field {field!r} must hold finite numbers, {what}')
        poses = torch.from_numpy(data['poses'].astype(np.float32))
        betas = torch.from_numpy(data['betas'].ravel().astype(np.float32))
        if poses.ndim != 2 or poses.shape[1] != _POSE_DIMS:
            raise UserError(f"{file}: field 'poses' is {tuple(poses.shape)}; expected (N, {_POSE_DIMS}), {what}")
        if data['mocap_framerate'].size != 1 or len(betas) > _MAX_BETAS:
            raise UserError(f'{file}: needs one mocap_framerate and up to {_MAX_BETAS} betas, {what}')
        step = max(round(data['mocap_framerate'].item() / POSES_PER_SECOND), 1)
        genders: dict = {text.encode() if data['gender'].dtype.kind == 'S' else text: text for text in GENDERS}
        gender = genders.get(data['gender'].item() if data['gender'].size == 1 else None)
        if gender is None:
            raise UserError(f'{file}: gender must be one of {", ".join(GENDERS)}, {what}')
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
