"""Find the athlete in a video, cut the square around him or her, and see how it moves."""

from .flow import FlowEstimator
from .frame_reader import FrameReader
from .square_cropper import SquareCropper
from .video_reader import VideoReader

__all__ = ['FlowEstimator', 'FrameReader', 'SquareCropper', 'VideoReader']
