"""Detection, tracking and cropping of the athlete, video decoding and optical flow."""

from .flow import FlowEstimator
from .square_cropper import SquareCropper
from .video_reader import FrameSource, VideoReader

__all__ = ['FlowEstimator', 'FrameSource', 'SquareCropper', 'VideoReader']
