"""Feature sequences: extraction from crops and poses, data sets and transforms."""

from ..corpus import Window
from ..teacher import fill_unseen
from .bucket_sampler import LengthBatchSampler
from .clip_dataset import FeatureClipDataset
from .clips import (
    EpochDraws,
    FeatureReader,
    action_name,
    action_windows,
    clip_positions,
    interpolate,
    report_missing,
    resolve_features,
    select_actions,
)
from .pose_features import joint_features, vipe_features
from .sequence_preprocessor import SequencePreprocessor
from .sequence_transforms import AddVelocity, PackSequenceInputs, RandomJointAffine, RandomTimeCrop, ResampleFrames
from .window_dataset import FeatureWindowDataset

__all__ = [
    'AddVelocity',
    'EpochDraws',
    'FeatureClipDataset',
    'FeatureReader',
    'FeatureWindowDataset',
    'LengthBatchSampler',
    'PackSequenceInputs',
    'RandomJointAffine',
    'RandomTimeCrop',
    'ResampleFrames',
    'SequencePreprocessor',
    'Window',
    'action_name',
    'action_windows',
    'clip_positions',
    'fill_unseen',
    'interpolate',
    'joint_features',
    'report_missing',
    'vipe_features',
    'resolve_features',
    'select_actions',
]
