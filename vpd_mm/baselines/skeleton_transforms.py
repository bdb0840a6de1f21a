"""Skeleton clips as input of graph networks, normalised like the joint features of the BiGRU."""

import numpy as np
from mmcv.transforms import BaseTransform

from ..errors import UserError
from ..registry import TRANSFORMS
from ..teacher.joint_feature import flip_joints, normalize_joints

#: Parent of each of the 13 joints; the nose is the root.
PARENTS = (0, 0, 0, 1, 2, 3, 4, 1, 2, 7, 8, 9, 10)
STREAMS = ('joint', 'bone', 'joint-motion', 'bone-motion')


@TRANSFORMS.register_module()
class NormalizedJoints(BaseTransform):
    """Normalise the 13 joints as the 2D-VPD teacher does, so that graph networks and the BiGRU get the same input.

    A training sample is the original or the flipped view, drawn at random; a
    test sample has both, and the model averages over them.

    Required keys: ``keypoint`` (1, T, 13, 2) px of ``PoseClipDataset``, ``test_mode``, ``rng``.
    Added: ``feats`` (V, T, 26) float32 as of ``JointFeature``, for the transforms of sequences (``RandomTimeCrop``,
    ``RandomJointAffine``, ``ResampleFrames``).  Removed: ``keypoint``, ``keypoint_score``.
    """

    def transform(self, results: dict) -> dict:
        keypoint = results.pop('keypoint')
        del results['keypoint_score']
        joints = normalize_joints(keypoint[0].astype(np.float64))
        views = [joints, flip_joints(joints)]
        if not results['test_mode']:
            views = [views[int(results['rng'].integers(2))]]
        results['feats'] = np.stack(views).reshape(len(views), len(joints), -1).astype(np.float32)
        return results


@TRANSFORMS.register_module()
class SkeletonStream(BaseTransform):
    """Turn sequences of 13 joints into the input of a graph network.

    Required keys: ``feats`` (V, T, 26); ``stream``, one of:

    - 'joint';
    - 'bone': each joint minus its parent (0 for the nose);
    - 'joint-motion' and 'bone-motion': their difference to the next frame (0 in the last).

    Added: ``keypoint`` (V, 1, T, 13, 2), the V views as mmaction2's clips.  Removed: ``feats``.
    """

    def transform(self, results: dict) -> dict:
        stream, feats = results['stream'], results.pop('feats')
        if stream not in STREAMS:
            raise UserError(f'SkeletonStream: stream must be one of {", ".join(STREAMS)}, found {stream!r}')
        keypoint = feats.reshape(*feats.shape[:2], -1, 2)
        if stream.startswith('bone'):
            keypoint = keypoint - keypoint[:, :, list(PARENTS)]
        if stream.endswith('motion'):
            keypoint = np.diff(keypoint, axis=1, append=keypoint[:, -1:])
        results['keypoint'] = np.ascontiguousarray(keypoint[:, None])
        return results
