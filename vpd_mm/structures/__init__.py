"""Data that one step hands to the next: validated on creation, saved and loaded without pickle."""

from .action import Action, load_actions, load_classes, save_actions, save_classes
from .sequences import VPD_JOINTS, AthleteTrack, FeatureSequence, PoseSequence

__all__ = [
    'Action',
    'AthleteTrack',
    'FeatureSequence',
    'PoseSequence',
    'VPD_JOINTS',
    'load_actions',
    'load_classes',
    'save_actions',
    'save_classes',
]
