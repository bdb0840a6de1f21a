"""Smooth a validation metric over epochs."""

import numpy as np
from mmengine.hooks import Hook

from ...errors import UserError
from ...registry import HOOKS


@HOOKS.register_module()
class SmoothMetricHook(Hook):
    """Add the mean of a metric's last values to the validation metrics, for ``save_best`` (paper: 5 epochs).

    The mean is called ``<key>_mean``.  Past values come from the message hub,
    which is part of a checkpoint, so a resumed run has them too.

    Args:
        key: Metric, for example 'distill/sq_error'.
        window: Number of validations.
    """

    def __init__(self, key: str, window: int = 5) -> None:
        self.key = key
        self.window = window

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        if not metrics or self.key not in metrics:
            raise UserError(
                f'SmoothMetricHook: the validation has no metric {self.key!r}, it has {list(metrics or {})}'
            )
        history, _ = runner.message_hub.get_scalar(f'val/{self.key}').data
        metrics[f'{self.key}_mean'] = float(np.mean(history[-self.window :]))
