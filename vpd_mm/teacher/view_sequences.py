"""Poses of one athlete from several synchronized cameras."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ..errors import UserError, errors_name
from ..files import list_folder
from ..registry import DATASETS
from ..structures import PoseSequence
from .vipe_feature import sequence_inputs


@DATASETS.register_module()
class PoseViewDataset(Dataset):
    """Frames that have a pose in all views.

    A sample has ``inputs`` (V, 13, 3) float32 and ``data_samples`` with ``moment`` (frame number) and ``video``
    (number).

    Args:
        views: One path per camera: a PoseSequence ``.npz``, or a folder of them with the same names in each.  Equal
            frame numbers are the same moment.

    Raises UserError: fewer than two cameras, a missing file, no common video or frame, a file without visible joints.
    """

    def __init__(self, views: Sequence[str]) -> None:
        if len(views) < 2:
            raise UserError(f'--views: needs two or more cameras, found {len(views)}')
        paths = [Path(view) for view in views]
        inputs, moments, numbers = [], [], []
        for number, files in enumerate(_videos(paths)):
            loaded = [_inputs(file) for file in files]
            frames = reduce(np.intersect1d, [frame_inds for _, frame_inds in loaded])
            inputs.append(np.stack([x[np.searchsorted(f, frames)] for x, f in loaded], axis=1))
            moments.append(frames)
            numbers.append(np.full(len(frames), number))
        self.inputs, self.moments, self.numbers = map(np.concatenate, (inputs, moments, numbers))
        if not len(self.inputs):
            raise UserError(f'{paths[0]} and {paths[1]}: share no frame; are they of the same moment?')

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> dict:
        moment = {'moment': self.moments[index], 'video': self.numbers[index]}
        return {'inputs': self.inputs[index], 'data_samples': moment}


def _videos(paths: list[Path]) -> list[list[Path]]:
    """Return the files of each video, one per camera."""
    if not paths[0].is_dir():
        return [paths]
    for path in paths:
        if not path.is_dir():
            raise UserError(f'{path}: must be a folder of pose files, as {paths[0]} is')
    names = sorted(set.intersection(*({file.name for file in list_folder(path, '*.npz')} for path in paths)))
    if not names:
        raise UserError(f'{paths[0]} and {paths[1]}: hold no pose file of the same name')
    return [[path / name for path in paths] for name in names]


def _inputs(file: Path) -> tuple[np.ndarray, np.ndarray]:
    poses = PoseSequence.load(file)
    with errors_name(file):
        inputs, rows = sequence_inputs(poses)
    return inputs, poses.frame_inds[rows]
