"""Training hooks."""

import random

import numpy as np
import torch
from mmengine import dist
from mmengine.hooks import Hook

from ..errors import UserError
from ..registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Train a convolutional network in channels-last memory format, which is faster on CPUs.

    Weights are converted before the run; convolutions convert their inputs themselves.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:
        for weight in runner.model.parameters():
            if weight.dim() == 4:  # 3D convolutions have five dimensions and another format
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)


@HOOKS.register_module()
class RepeatValidationHook(Hook):
    """Let a resumed training first do the validation of its step, where its checkpoint has no result of it.

    mmengine saves a checkpoint before that validation, and again after it where the result is the best.  A resumed run
    skips it: it may choose another best checkpoint, or stop later.
    """

    priority = 'LOWEST'  # after CheckpointHook and EMAHook have restored their states

    def before_train(self, runner) -> None:
        loop = runner.train_loop
        by_epoch = type(loop).__name__.startswith('Epoch')
        step, last = (runner.epoch, loop.max_epochs) if by_epoch else (runner.iter, loop.max_iters)
        due = step % loop.val_interval == 0 or step == last
        if runner.val_loop is None or step < max(1, loop.val_begin) or not due:
            return
        expected = -(-step // loop.val_interval) - (max(1, loop.val_begin) - 1) // loop.val_interval
        scalars = runner.message_hub.log_scalars.items()
        done = [len(log.data[0]) for key, log in scalars if key.startswith('val/') and not key.endswith('time')]
        if min(done, default=0) < expected:
            runner.val_loop.run()


@HOOKS.register_module()
class ExactResumeHook(RepeatValidationHook):
    """Make a resumed training end with the same result as an uninterrupted one.

    mmengine does not store the state of the random generators.  With this hook every step draws from generators seeded
    with (seed, rank, step); a resumed run may repeat a validation (:class:`RepeatValidationHook`).

    Exact for transforms that draw from the epoch's seed (those of vpd_mm), and for all transforms in an
    ``EpochBasedTrainLoop`` without persistent workers.
    """

    def before_train_epoch(self, runner) -> None:
        self._seed(runner, 0)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._seed(runner, 1)

    def _seed(self, runner, part: int) -> None:
        entropy = (runner.seed, dist.get_rank(), runner.iter, part)
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


@HOOKS.register_module()
class ReduceLossHook(Hook):
    """Log the mean loss over all processes; mmengine logs that of rank 0, on its part of the batch."""

    priority = 'HIGHEST'  # before RuntimeInfoHook, which writes the log variables

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if not outputs or dist.get_world_size() == 1:
            return
        for name, value in outputs.items():
            outputs[name] = value.detach().clone()
            dist.all_reduce(outputs[name], 'mean')


@HOOKS.register_module()
class SmoothMetricHook(Hook):
    """Add ``<key>_mean``, the mean of a metric's last values, to the validation metrics (paper: 5 epochs).

    ``key`` is, for example, 'distill/sq_error'.  Past values come from the message hub, which is part of a checkpoint,
    so a resumed run has them too.
    """

    def __init__(self, key: str, window: int = 5) -> None:
        self.key = key
        self.window = window
        self.meaning = f'mean over the last {window} validations'

    def after_val_epoch(self, runner, metrics=None) -> None:
        if self.key not in (metrics or {}):
            raise UserError(f'SmoothMetricHook: the validation has no metric {self.key!r}, but {list(metrics or {})}')
        history, _ = runner.message_hub.get_scalar(f'val/{self.key}').data
        metrics[f'{self.key}_mean'] = float(np.mean(history[-self.window :]))
