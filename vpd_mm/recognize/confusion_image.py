"""Write the confusion matrix as an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.visualization import Visualizer

from ..files import check_output
from ..registry import METRICS
from ..visualize.panels import save_image
from ..visualize.plots import confusion_figure, figure_to_rgb


def confusion_matrix(predicted: Sequence[int], ground_truth: Sequence[int], num_classes: int) -> np.ndarray:
    """(C, C) counts; row = true class, column = predicted class."""
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (np.asarray(ground_truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return matrix


@METRICS.register_module()
class ConfusionImage(BaseMetric):
    """Write the confusion matrix as a PNG.

    Required of data samples: ``pred_label`` (1,), ``gt_label`` (1,), ``pred_score`` (C,).  Returns no number.

    Args:
        out_file: Path of the PNG; None = through mmengine's visualizer, into the work dir as
            ``vis_data/vis_image/confusion_*.png``.
    """

    default_prefix = 'confusion'

    def __init__(self, out_file: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_file = out_file
        if out_file is not None:
            check_output(out_file)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results += [(int(s['pred_label']), int(s['gt_label']), len(s['pred_score'])) for s in data_samples]

    def compute_metrics(self, results: list) -> dict:
        predicted, ground_truth, sizes = zip(*results, strict=True)
        num_classes = max(sizes)
        classes = (self.dataset_meta or {}).get('classes') or [str(i) for i in range(num_classes)]
        image = figure_to_rgb(confusion_figure(confusion_matrix(predicted, ground_truth, num_classes), classes))
        if self.out_file is None:
            Visualizer.get_current_instance().add_image('confusion', image)
        else:
            save_image(Path(self.out_file), image)
        return {}
