"""The rivals: mmaction2's models on the same clips, and the comparison of all methods in one table."""

from .clip_score_metric import ClipScoreMetric
from .clip_scores import ClipScores, mean_scores
from .generated_dataset import GeneratedActionDataset

__all__ = ['ClipScoreMetric', 'ClipScores', 'GeneratedActionDataset', 'mean_scores']
