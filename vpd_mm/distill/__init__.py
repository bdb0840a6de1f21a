"""Distillation: student network, data set, augmentation and training (paper 3.2, 3.3)."""

from .athlete_rotation import AthleteRotation, LoadBox, LoadPose
from .crop_dataset import CropDataset
from .crop_preprocessor import CropPreprocessor
from .crop_rotation import CropRotation
from .crop_transforms import (
    BackgroundNoise,
    ChiralFlip,
    CropColorJitter,
    LoadCrop,
    LoadFlow,
    PackCropInputs,
    ResizedCrop,
    StackFlow,
)
from .distill_metric import DistillMetric
from .draw_sampler import EpochDrawSampler
from .motion_decoder import MotionDecoder
from .pose_distiller import PoseDistiller
from .pose_student import PoseStudent
from .torchvision_backbone import TorchvisionBackbone
from .turned_vipe import TurnedVipe

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
    'LoadPose',
    'LoadCrop',
    'LoadFlow',
    'MotionDecoder',
    'PackCropInputs',
    'PoseDistiller',
    'PoseStudent',
    'ResizedCrop',
    'StackFlow',
    'TorchvisionBackbone',
    'TurnedVipe',
]
