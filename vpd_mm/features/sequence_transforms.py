"""Transforms of feature sequences."""

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from ..teacher import JointFeature
from .clips import read_at


@TRANSFORMS.register_module()
class RandomTimeCrop(BaseTransform):
    """Remove a random share of the sequence at each end.

    Required keys: ``feats`` (V, T, D), ``rng``.  Modified keys: ``feats``.

    Args:
        max_share: Largest share at one end; below 0.5.
    """

    def __init__(self, max_share: float = 0.15) -> None:
        self.max_share = max_share

    def transform(self, results: dict) -> dict:
        last = results['feats'].shape[1] - 1
        start, end = results['rng'].uniform(0, self.max_share, 2) * last
        frames = max(1, round(last - start - end) + 1)
        results['feats'] = read_at(results['feats'], np.linspace(start, last - end, frames))
        return results


@TRANSFORMS.register_module()
class ResampleFrames(BaseTransform):
    """Resample the sequence to a fixed number of frames.

    Required keys: ``feats`` (V, T, D).  Modified keys: ``feats`` (V, num_frames, D).
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def transform(self, results: dict) -> dict:
        last = results['feats'].shape[1] - 1
        results['feats'] = read_at(results['feats'], np.linspace(0, last, self.num_frames))
        return results


@TRANSFORMS.register_module()
class RandomJointAffine(BaseTransform):
    """Rotate, scale, shear and shift normalized 2D joints, with one draw per sequence.

    Required keys: ``feats`` (V, T, 26) of ``JointFeature``, ``rng``.  Modified keys: ``feats``.

    Args:
        angle: Largest rotation about the hips, radians.
        scale: Largest relative scale of x and of y.
        shear: Largest shear of x by y.
        offset: Standard deviation of a constant offset of each joint.
        noise: Standard deviation of an offset of each joint in each frame.

    Raises:
        UserError: D is not 26.
    """

    def __init__(
        self, angle: float = 0.2, scale: float = 0.1, shear: float = 0.0, offset: float = 0.0, noise: float = 0.01
    ) -> None:
        self.angle, self.scale, self.shear, self.offset, self.noise = angle, scale, shear, offset, noise

    def transform(self, results: dict) -> dict:
        rng, feats = results['rng'], results['feats']
        if feats.shape[-1] != JointFeature.dims:
            raise UserError(
                f'RandomJointAffine changes 2D joints (d=26), these features have d={feats.shape[-1]}; drop it'
            )
        joints = feats.reshape(*feats.shape[:2], -1, 2)
        angle, shear = rng.uniform(-1, 1, 2) * (self.angle, self.shear)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretch = np.diag(1 + rng.uniform(-self.scale, self.scale, 2))
        joints = joints @ (turn @ stretch @ [[1, 0], [shear, 1]]).astype(np.float32)
        if self.offset:
            joints = joints + rng.normal(0, self.offset, joints.shape[2:]).astype(np.float32)
        if self.noise:
            joints = joints + self.noise * rng.standard_normal(joints.shape, dtype=np.float32)
        results['feats'] = joints.reshape(feats.shape)
        return results


@TRANSFORMS.register_module()
class AddVelocity(BaseTransform):
    """Append the change of each dimension since the previous frame (0 at the first) times ``scale``.

    Required keys: ``feats`` (V, T, D).  Modified keys: ``feats`` (V, T, 2D).

    Args:
        scale: Factor that gives changes about the magnitude of the features.
    """

    def __init__(self, scale: float = 8.0) -> None:
        self.scale = scale

    def transform(self, results: dict) -> dict:
        feats = results['feats']
        change = self.scale * np.diff(feats, axis=1, prepend=feats[:, :1])
        results['feats'] = np.concatenate([feats, change], axis=2)
        return results


@TRANSFORMS.register_module()
class PackSequenceInputs(BaseTransform):
    """Pack a sequence for the model.

    Required keys: ``feats`` (V, T, D), ``label`` int, ``action_id``.
    Returned keys: ``inputs`` (V, T, D) float32 tensor; ``data_samples``, an ``ActionDataSample`` with ``gt_label``
    (1,) and meta ``action_id``.
    """

    def transform(self, results: dict) -> dict:
        sample = ActionDataSample(metainfo={'action_id': results['action_id']})
        sample.set_gt_label(results['label'])
        return {'inputs': torch.from_numpy(np.ascontiguousarray(results['feats'])), 'data_samples': sample}
