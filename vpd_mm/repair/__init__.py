"""Repair of a teacher's poses by a student: noise levels, fusion over time, placement in the frame, whole corpora."""

from .calibration import calibrate
from .corpus_repair import RepairReport, observe, repair_corpus
from .noise import Noise
from .placement import Placement, PlacementSeries, place
from .pose_repair import Observations, Repair, repair, shots
from .repaired_poses import ORIGINS, RepairedPoses

__all__ = [
    'ORIGINS',
    'Noise',
    'Observations',
    'Placement',
    'PlacementSeries',
    'Repair',
    'RepairReport',
    'RepairedPoses',
    'calibrate',
    'observe',
    'place',
    'repair',
    'repair_corpus',
    'shots',
]
