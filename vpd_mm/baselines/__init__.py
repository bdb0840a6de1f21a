"""The rivals: mmaction2's models, GSM and MS-G3D on the same clips, and the comparison of all methods in one table."""

from .action_dataset import ActionWindowDataset
from .clip_features import ClipFeatureExtractor
from .clip_score_metric import ClipScoreMetric
from .clip_scores import ClipScores, mean_scores
from .clip_transforms import ClipFlip, LoadClip
from .crops_to_clips import CropClipDataset
from .full_precision_head import (
    FullPrecisionGCNHead,
    FullPrecisionI3DHead,
    FullPrecisionTimeSformerHead,
    FullPrecisionTRNHead,
    FullPrecisionTSNHead,
)
from .generated_dataset import GeneratedActionDataset
from .gsm import GSM
from .msg3d import MSG3D
from .pose_to_skeleton import PoseClipDataset
from .skeleton_transforms import NormalizedJoints, SkeletonStream

__all__ = [
    'GSM',
    'MSG3D',
    'ActionWindowDataset',
    'ClipFeatureExtractor',
    'ClipFlip',
    'ClipScoreMetric',
    'ClipScores',
    'CropClipDataset',
    'FullPrecisionGCNHead',
    'FullPrecisionI3DHead',
    'FullPrecisionTRNHead',
    'FullPrecisionTSNHead',
    'FullPrecisionTimeSformerHead',
    'GeneratedActionDataset',
    'LoadClip',
    'NormalizedJoints',
    'PoseClipDataset',
    'SkeletonStream',
    'mean_scores',
]
