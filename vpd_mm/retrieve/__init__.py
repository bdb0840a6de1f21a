"""Retrieve similar clips: DTW nearest neighbours and ranked retrieval."""

from .corpus_search import (
    NEAREST,
    RANKING,
    ActionClips,
    ClipQuery,
    RankingContext,
    find_query,
    items_to_exclude,
    load_clips,
    rank_corpus,
    ranking_context,
)
from .dtw import dtw_distance, dtw_matrix
from .dtw_retriever import NO_PATH, DTWRetriever, Neighbours, step_patterns
from .retrieval_metric import RetrievalMetric, hit_at, precision_at
from .search_parts import SearchParts
from .side_by_side import ClipPainter, Shot, check_side_by_side, save_side_by_side

__all__ = [
    'NEAREST',
    'NO_PATH',
    'RANKING',
    'ActionClips',
    'ClipPainter',
    'ClipQuery',
    'DTWRetriever',
    'Neighbours',
    'RankingContext',
    'RetrievalMetric',
    'SearchParts',
    'Shot',
    'check_side_by_side',
    'dtw_distance',
    'dtw_matrix',
    'find_query',
    'hit_at',
    'items_to_exclude',
    'load_clips',
    'precision_at',
    'rank_corpus',
    'ranking_context',
    'save_side_by_side',
    'step_patterns',
]
