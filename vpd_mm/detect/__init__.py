"""Temporal action detection in uncut videos: frame scores, proposals, average precision."""

from .frame_scorer import FrameScorer
from .proposals import Proposal, Spot, find_proposals, find_spots, stitch_scores
from .temporal_ap import Detection, TemporalAPMetric, ap_at_tiou, interpolated_ap, spotting_ap, temporal_iou

__all__ = [
    'Detection',
    'FrameScorer',
    'Proposal',
    'Spot',
    'TemporalAPMetric',
    'ap_at_tiou',
    'find_proposals',
    'find_spots',
    'interpolated_ap',
    'spotting_ap',
    'stitch_scores',
    'temporal_iou',
]
