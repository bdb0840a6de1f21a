"""Detection, tracking and cropping of the athlete, video decoding and optical flow."""

from .flow import FlowEstimator
from .frame_cursor import FrameCursor
from .square_cropper import SquareCropper
from .video_reader import FrameSource, VideoReader

__all__ = ['FlowEstimator', 'FrameCursor', 'FrameSource', 'SquareCropper', 'VideoReader']
