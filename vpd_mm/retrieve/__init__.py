"""What is most like this: DTW nearest neighbours and ranked retrieval."""

from .corpus_search import ActionClips, ClipQuery, find_query, load_clips, own_places, rank_corpus
from .dtw import PATTERNS, SequencePack, dtw_distance, dtw_matrix
from .dtw_retriever import DTWRetriever, Neighbours, vote
from .retrieval_metric import RetrievalMetric, hit_at, precision_at
from .side_by_side import ClipPainter, Shot, save_side_by_side

__all__ = [
    'ActionClips',
    'ClipPainter',
    'DTWRetriever',
    'ClipQuery',
    'Neighbours',
    'PATTERNS',
    'RetrievalMetric',
    'SequencePack',
    'Shot',
    'dtw_distance',
    'dtw_matrix',
    'find_query',
    'hit_at',
    'load_clips',
    'own_places',
    'precision_at',
    'rank_corpus',
    'save_side_by_side',
    'vote',
]
