"""Find the athlete in a video, cut the square around him or her, and see how it moves."""

from .flow import FlowEstimator
from .square_cropper import SquareCropper
from .video_reader import VideoReader

__all__ = ['FlowEstimator', 'SquareCropper', 'VideoReader']
