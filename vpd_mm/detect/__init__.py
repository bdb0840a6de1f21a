"""Temporal action detection in uncut videos: frame scores, proposals, average precision."""

from .frame_accuracy import FrameAccuracy
from .frame_scorer import FrameScorer
from .proposals import Proposal, ProposalRule, Spot, find_proposals, find_spots, fit_proposal, stitch_scores
from .temporal_ap import Detection, TemporalAPMetric, ap_at_tiou, interpolated_ap, spotting_ap, temporal_iou

__all__ = [
    'Detection',
    'FrameAccuracy',
    'FrameScorer',
    'Proposal',
    'ProposalRule',
    'Spot',
    'TemporalAPMetric',
    'ap_at_tiou',
    'find_proposals',
    'find_spots',
    'fit_proposal',
    'interpolated_ap',
    'spotting_ap',
    'stitch_scores',
    'temporal_iou',
]
