"""Accuracy of frame scores, with which the published code chooses an epoch."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from ..registry import METRICS


@METRICS.register_module()
class FrameAccuracy(BaseMetric):
    """Accuracy of the frames of whole videos at threshold 0.5; equal accuracies are ordered by the lower log loss.

    The published code measures 5,000 random windows.  Required of data samples: ``frame_scores`` and ``gt_frames``,
    (T, C).
    """

    default_prefix = 'detect'
    meanings = ('frame_accuracy = share of the frames that are rightly called action or not',)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            scores, targets = sample['frame_scores'].cpu(), sample['gt_frames'].cpu()
            right = ((scores > 0.5) == (targets > 0.5)).sum()
            loss = torch.nn.functional.binary_cross_entropy(scores, targets, reduction='sum')
            self.results.append((int(right), float(loss), targets.numel()))

    def compute_metrics(self, results: list) -> dict[str, float]:
        right, loss, count = map(sum, zip(*results, strict=True))
        return {'frame_accuracy': (right - 1e-9 * loss) / count}
