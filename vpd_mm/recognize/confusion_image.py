"""The confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.evaluator import BaseMetric
from mmengine.visualization import Visualizer

from ..registry import METRICS


def confusion_matrix(predicted: Sequence[int], truth: Sequence[int], num_classes: int) -> np.ndarray:
    """(C, C) counts; row = true class, column = predicted class."""
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return matrix


def draw_confusion(matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """(H, W, 3) RGB uint8: each row in shares of its class, with the counts written in."""
    n = len(matrix)
    side = min(4 + 0.4 * n, 30)
    figure = Figure(figsize=(side, side), dpi=100, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    axes.set(xlabel='predicted', ylabel='true', xticks=range(n), yticks=range(n))
    axes.set_xticklabels(classes, rotation=90)
    axes.set_yticklabels(classes)
    for i, j in zip(*np.nonzero(matrix), strict=True):
        color = 'white' if shares[i, j] > 0.5 else 'black'
        axes.text(j, i, str(matrix[i, j]), ha='center', va='center', color=color, fontsize=7)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@METRICS.register_module()
class ConfusionImage(BaseMetric):
    """Write the confusion matrix as a PNG: into the work dir, through mmengine's visualizer, or to ``out_file``.

    Required of data samples: ``pred_label`` (1,), ``gt_label`` (1,).  Returns
    no number.

    Args:
        out_file: Path of the picture; None: the visualizer, as
            ``vis_data/vis_image/confusion_*.png``.
    """

    default_prefix = 'confusion'

    def __init__(self, out_file: str | None = None, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)
        self.out_file = out_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.results += [(int(s['pred_label']), int(s['gt_label']), len(s['pred_score'])) for s in data_samples]

    def compute_metrics(self, results: list) -> dict:
        predicted, truth, sizes = zip(*results, strict=True)
        num_classes = max(sizes)
        classes = (self.dataset_meta or {}).get('classes') or [str(i) for i in range(num_classes)]
        image = draw_confusion(confusion_matrix(predicted, truth, num_classes), classes)
        if self.out_file is None:
            Visualizer.get_current_instance().add_image('confusion', image)
        else:
            Path(self.out_file).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(self.out_file, image[..., ::-1])
        return {}
