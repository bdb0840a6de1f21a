"""Data that one step hands to the next: validated on creation, saved and loaded without pickle."""

from .action import Action, left_out_videos, load_actions, load_classes, load_splits, save_actions, save_classes
from .frame_times import FrameTimes
from .label import Label
from .sequences import (
    MAX_FRAMES,
    VPD_JOINTS,
    AthleteTrack,
    FeatureScores,
    FeatureSequence,
    PoseSequence,
    frames_in_order,
    rows_of,
)
from .share import Share, guess_chance, wilson_interval
from .table_io import read_lines

__all__ = [
    'Action',
    'AthleteTrack',
    'FeatureScores',
    'FeatureSequence',
    'FrameTimes',
    'Label',
    'PoseSequence',
    'Share',
    'MAX_FRAMES',
    'VPD_JOINTS',
    'frames_in_order',
    'guess_chance',
    'left_out_videos',
    'load_actions',
    'load_classes',
    'load_splits',
    'read_lines',
    'rows_of',
    'save_actions',
    'save_classes',
    'wilson_interval',
]
