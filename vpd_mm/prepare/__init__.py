"""Turn videos into a corpus."""

from .corpus_builder import build_corpus
from .report import PrepareReport, VideoReport, report_table

__all__ = ['PrepareReport', 'VideoReport', 'build_corpus', 'report_table']
