"""Data that one step hands to the next: validated on creation, saved and loaded without pickle."""

from .action import Action, load_actions, load_classes, save_actions, save_classes
from .feature import FeatureSequence
from .npz_io import atomic_write
from .pose import PoseSequence
from .track import AthleteTrack

__all__ = [
    'Action',
    'AthleteTrack',
    'FeatureSequence',
    'PoseSequence',
    'atomic_write',
    'load_actions',
    'load_classes',
    'save_actions',
    'save_classes',
]
