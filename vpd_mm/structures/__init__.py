"""Data that one step hands to the next: validated on creation, saved and loaded without pickle."""

from .action import Action, load_actions, load_classes, save_actions, save_classes
from .sequences import MAX_FRAMES, VPD_JOINTS, AthleteTrack, FeatureSequence, PoseSequence, frames_in_order
from .table_io import read_lines

__all__ = [
    'Action',
    'AthleteTrack',
    'FeatureSequence',
    'PoseSequence',
    'MAX_FRAMES',
    'VPD_JOINTS',
    'frames_in_order',
    'load_actions',
    'load_classes',
    'read_lines',
    'save_actions',
    'save_classes',
]
