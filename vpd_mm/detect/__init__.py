"""Actions in uncut videos: scores of frames, proposals, average precision."""

from .frame_scorer import FrameScorer

__all__ = ['FrameScorer']
