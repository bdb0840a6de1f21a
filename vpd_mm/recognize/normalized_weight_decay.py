"""Weight decay that does not depend on the length of the training."""

from collections.abc import Sequence
from typing import Any

from mmengine.optim.scheduler.param_scheduler import CosineRestartParamScheduler

from ..registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class NormalizedWeightDecay(CosineRestartParamScheduler):
    """Divide the weight decay by the square root of the steps of a period, and anneal it with the learning rate.

    Equation 15 of Loshchilov and Hutter (Decoupled Weight Decay Regularization, ICLR 2019).  Use it with
    ``convert_to_iter_based=True`` and the ``periods`` (epochs) of ``CosineRestartLR``.
    """

    def __init__(self, optimizer: Any, periods: Sequence[int], **kwargs: Any) -> None:
        weights = [steps**-0.5 for steps in periods]
        super().__init__(optimizer, 'weight_decay', list(periods), weights, eta_min=0.0, **kwargs)
