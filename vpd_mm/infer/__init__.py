"""Apply trained models to videos."""

from .passes import FrameResult
from .segments import Segment
from .vpd_inferencer import VPDInferencer

__all__ = ['FrameResult', 'Segment', 'VPDInferencer']
