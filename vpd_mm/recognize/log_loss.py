"""A finer measure than accuracy, for choosing a checkpoint on few validation clips."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ..registry import METRICS


def mean_log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log of the true class's score; scores (N, C) sum to 1, labels (N,)."""
    chosen = scores[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


@METRICS.register_module()
class LogLoss(BaseMetric):
    """Negative log likelihood of ``pred_score``; unlike accuracy it has no ties between checkpoints.

    Required of data samples: ``pred_score`` (C,), ``gt_label`` (1,).
    """

    default_prefix = 'nll'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results += [(s['pred_score'].cpu().numpy(), int(s['gt_label'])) for s in data_samples]

    def compute_metrics(self, results: list) -> dict:
        scores, labels = zip(*results, strict=True)
        return {'log_loss': mean_log_loss(np.stack(scores), np.array(labels))}
