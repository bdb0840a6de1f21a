"""Feature sequences: extraction from crops and poses, data sets and transforms."""

from ..corpus import Window
from ..teacher import fill_unseen
from .action_window_dataset import ActionWindowDataset, select_actions
from .bucket_sampler import LengthBatchSampler
from .clip_dataset import FeatureClipDataset
from .clips import FeatureReader, clip_positions, interpolate, resolve_features
from .pose_features import joint_features, pose_features
from .sequence_preprocessor import SequencePreprocessor
from .sequence_transforms import AddVelocity, PackSequenceInputs, RandomJointAffine, RandomTimeCrop, ResampleFrames
from .window_dataset import FeatureWindowDataset

__all__ = [
    'ActionWindowDataset',
    'AddVelocity',
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
    'clip_positions',
    'fill_unseen',
    'interpolate',
    'joint_features',
    'pose_features',
    'resolve_features',
    'select_actions',
]
