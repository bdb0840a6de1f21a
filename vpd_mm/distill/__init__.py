"""Distillation: student network, data set, augmentation and training (paper 3.2, 3.3)."""

from .crop_dataset import CropDataset
from .crop_preprocessor import CropPreprocessor
from .crop_transforms import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    LoadBox,
    LoadCrop,
    LoadFlow,
    LoadPose,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
    flow_to_px,
)
from .distill_metric import DistillMetric
from .draw_sampler import EpochDrawSampler
from .motion_decoder import MotionDecoder
from .neighbor_frames import NeighborFrames
from .pose_distiller import PoseDistiller
from .pose_student import PoseStudent
from .rotations import AthleteRotation, CropRotation, TurnedVipe
from .torchvision_backbone import TorchvisionBackbone

__all__ = [
    'AthleteRotation',
    'BackgroundNoise',
    'ChiralFlip',
    'CropColorJitter',
    'CropDataset',
    'CropPreprocessor',
    'CropRotation',
    'DistillMetric',
    'EpochDrawSampler',
    'LoadBox',
    'LoadCrop',
    'LoadFlow',
    'LoadPose',
    'MotionDecoder',
    'NeighborFrames',
    'PackCropInputs',
    'PoseDistiller',
    'PoseStudent',
    'ResizedCrop',
    'StackFlow',
    'TorchvisionBackbone',
    'TurnedVipe',
    'flow_to_px',
]
