"""Log the loss of all processes."""

from mmengine import dist
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH

from ...registry import HOOKS


@HOOKS.register_module()
class ReduceLossHook(Hook):
    """Log the mean loss over all processes instead of that of rank 0.

    mmengine logs the loss on rank 0's part of the batch, so the curve of a run
    depends on the number of processes.  Runs before ``RuntimeInfoHook``, which
    writes the log variables; does nothing in a single process.
    """

    priority = 'HIGHEST'

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        if not outputs or dist.get_world_size() == 1:
            return
        for name, value in outputs.items():
            outputs[name] = value.detach().clone()
            dist.all_reduce(outputs[name], 'mean')
