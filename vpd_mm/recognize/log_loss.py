"""Negative log likelihood, a finer measure than accuracy for choosing checkpoints on few clips."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ..registry import METRICS


def mean_log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log of the scores (N, C) of the labels (N,)."""
    return float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-12)).mean())


@METRICS.register_module()
class LogLoss(BaseMetric):
    """Negative log likelihood of ``pred_score``; unlike accuracy it hardly ever ties.

    Metrics (under ``nll/``): ``log_loss``; ``top1_then_loss``, larger for a higher accuracy and, between equal ones,
    for a lower loss.

    Required of data samples: ``pred_score`` (C,), ``gt_label`` (1,).
    """

    default_prefix = 'nll'
    meanings = (
        'log_loss = mean of -log of the probability of the right class (chance: log of the number of classes)',
        'top1_then_loss = top1, where equal less with more log_loss',
    )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results += [(s['pred_score'].cpu().numpy(), int(s['gt_label'])) for s in data_samples]

    def compute_metrics(self, results: list) -> dict:
        scores, labels = (np.array(column) for column in zip(*results, strict=True))
        loss, hits = mean_log_loss(scores, labels), (scores.argmax(axis=1) == labels).sum()
        return {'log_loss': loss, 'top1_then_loss': float(hits - loss / (1 + loss)) / len(labels)}
