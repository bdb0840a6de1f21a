"""Models and data sets of the methods that VPD is compared with: mmaction2's models, GSM and MS-G3D."""

from .clip_features import ClipFeatureExtractor
from .clip_scores import ClipScoreMetric, ClipScores, mean_scores
from .clip_transforms import ClipFlip, LoadClip
from .crop_clip_dataset import CropClipDataset
from .full_precision_head import FullPrecisionHead
from .generated_action_dataset import GeneratedActionDataset
from .gsm import GSM
from .msg3d import MSG3D
from .pose_clip_dataset import PoseClipDataset
from .skeleton_transforms import NormalizedJoints, SkeletonStream
from .stacked_flow_backbone import StackedFlowBackbone

__all__ = [
    'GSM',
    'MSG3D',
    'ClipFeatureExtractor',
    'ClipFlip',
    'ClipScoreMetric',
    'ClipScores',
    'CropClipDataset',
    'FullPrecisionHead',
    'GeneratedActionDataset',
    'LoadClip',
    'NormalizedJoints',
    'PoseClipDataset',
    'SkeletonStream',
    'StackedFlowBackbone',
    'mean_scores',
]
