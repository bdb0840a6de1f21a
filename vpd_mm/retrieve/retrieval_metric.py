"""Metrics of ranked retrieval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ..errors import UserError
from ..registry import METRICS


def precision_at(relevant: np.ndarray, k: int) -> float:
    """Mean share of relevant items among the first k; relevant (Q, K) bool in rank order, K >= k."""
    return float(_first(relevant, k).mean())


def hit_at(relevant: np.ndarray, k: int) -> float:
    """Share of queries with a relevant item among the first k; relevant (Q, K) bool in rank order, K >= k."""
    return float(_first(relevant, k).any(axis=1).mean())


def metrics_at(relevant: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """Compute ``precision@k`` and ``hit@k`` for every k; relevant as of :func:`precision_at`."""
    return {f'precision@{k}': precision_at(relevant, k) for k in ks} | {f'hit@{k}': hit_at(relevant, k) for k in ks}


def _first(relevant: np.ndarray, k: int) -> np.ndarray:
    relevant = np.asarray(relevant, bool)
    if relevant.ndim != 2 or not len(relevant) or not 1 <= k <= relevant.shape[1]:
        raise UserError(f'precision and hit at {k} need (queries, {k} or more) ranked items, found {relevant.shape}')
    return relevant[:, :k]


def _to_array(value: Any) -> np.ndarray:
    """Convert a tensor of any device, or a sequence."""
    return value.cpu().numpy() if hasattr(value, 'cpu') else np.asarray(value)


@METRICS.register_module()
class RetrievalMetric(BaseMetric):
    """precision@k and hit@k of ranked retrieval (paper 4.2), between 0 and 1.

    An item is relevant where it has the query's class.

    Required keys of a data sample:

        - gt_label: the query's class, an int or an array of one.
        - ranked_labels: (K,) classes of the retrieved items, best first; K at least the largest of ``ks``.

    Args:
        ks: The k of precision@k and hit@k.
        collect_device, prefix: As in mmengine's BaseMetric.

    Raises:
        UserError: a sample ranks fewer items than ``ks`` needs.
    """

    default_prefix = 'retrieval'

    def __init__(self, ks: Sequence[int] = (1, 10, 50), collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ks = tuple(ks)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            ranked = _to_array(sample['ranked_labels'])[: max(self.ks)]
            if len(ranked) < max(self.ks):
                raise UserError(f'RetrievalMetric: ks needs {max(self.ks)} ranked items, a sample has {len(ranked)}')
            self.results.append(ranked == int(_to_array(sample['gt_label']).item()))

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        return metrics_at(np.stack(results), self.ks)
