"""Retrieve similar clips: DTW nearest neighbours and ranked retrieval."""

from .corpus_search import (
    NEAREST,
    RANKING,
    ActionClips,
    ClipQuery,
    find_query,
    load_clips,
    own_positions,
    rank_corpus,
)
from .dtw import dtw_distance, dtw_matrix
from .dtw_retriever import DTWRetriever, Neighbours
from .retrieval_metric import RetrievalMetric, hit_at, precision_at
from .side_by_side import ClipPainter, Shot, check_side_by_side, save_side_by_side

__all__ = [
    'NEAREST',
    'RANKING',
    'ActionClips',
    'ClipPainter',
    'ClipQuery',
    'DTWRetriever',
    'Neighbours',
    'RetrievalMetric',
    'Shot',
    'check_side_by_side',
    'dtw_distance',
    'dtw_matrix',
    'find_query',
    'hit_at',
    'load_clips',
    'own_positions',
    'precision_at',
    'rank_corpus',
    'save_side_by_side',
]
