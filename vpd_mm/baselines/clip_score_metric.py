"""A metric that keeps what it is given."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ..registry import METRICS
from .clip_scores import ClipScores


@METRICS.register_module()
class ClipScoreMetric(BaseMetric):
    """Write the scores of every test clip to a :class:`ClipScores` file.

    Scores that are not between 0 and 1 with sum 1 (some heads give logits) are
    soft-maxed; those of several segments of a clip are averaged.

    Required of data samples: ``pred_score`` (C,) or (S, C), ``gt_label`` (1,);
    ``action_id`` where the pipeline hands it on, else a clip's id is its place
    in the data set.

    Args:
        out_file: The npz to write.
        collect_device, prefix: As in mmengine's BaseMetric.
    """

    default_prefix = 'scores'

    def __init__(self, out_file: str, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)
        self.out_file = out_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            scores = as_probabilities(sample['pred_score'].cpu().numpy())
            self.results.append((sample.get('action_id'), scores, int(sample['gt_label'])))

    def compute_metrics(self, results: list) -> dict:
        ids, scores, labels = zip(*results, strict=True)
        names = [str(i) if name is None else name for i, name in enumerate(ids)]
        ClipScores(np.array(names), np.stack(scores), np.array(labels, np.int64)).save(self.out_file)
        return {'clips': len(names)}


def as_probabilities(scores: np.ndarray) -> np.ndarray:
    """(C,) float32 that sum to 1, from (C,) or (S, C) probabilities or logits."""
    rows = np.atleast_2d(scores).astype(np.float64)
    if (rows < 0).any() or (abs(rows.sum(axis=1) - 1) > 1e-3).any():
        rows = np.exp(rows - rows.max(axis=1, keepdims=True))
        rows /= rows.sum(axis=1, keepdims=True)
    return rows.mean(axis=0).astype(np.float32)
