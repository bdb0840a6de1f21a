"""Train in channels-last memory format."""

import torch
from mmengine.hooks import Hook

from ...registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train a convolutional network in channels-last memory format, which is faster on CPUs.

    Weights are converted before the run; convolutions convert their inputs themselves.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:
        for weight in runner.model.parameters():
            # 3D convolutions have five dimensions and another format
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
