"""Resume a training exactly."""

import random

import numpy as np
import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH

from ...registry import HOOKS


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make a resumed training end with the same result as an uninterrupted one.

    mmengine does not store the state of the random generators, and it saves a
    checkpoint before the validation of the same step, which a resumed run then
    skips: it may choose another best checkpoint.  With this hook every step
    draws from generators seeded with (seed, rank, step), and a resumed run
    first repeats that validation.

    Exact for transforms that draw from the epoch's seed (those of vpd_mm), and
    for all transforms in an ``EpochBasedTrainLoop`` without persistent workers.
    """

    priority = 'LOWEST'  # after CheckpointHook and EMAHook have restored their states

    def before_train(self, runner) -> None:
        loop = runner.train_loop
        by_epoch = type(loop).__name__.startswith('Epoch')
        step, last = (runner.epoch, loop.max_epochs) if by_epoch else (runner.iter, loop.max_iters)
        due = step % loop.val_interval == 0 or step == last
        if runner.val_loop is not None and step >= max(1, loop.val_begin) and due:
            runner.val_loop.run()

    def before_train_epoch(self, runner) -> None:
        self._seed(runner, 0)

    def before_train_iter(self, runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        self._seed(runner, 1)

    def _seed(self, runner, part: int) -> None:
        entropy = (runner.seed, dist.get_rank(), runner.iter, part)
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
