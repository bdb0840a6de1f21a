"""Iteration-based training without the pause of mmengine after every pass over the data."""

from collections.abc import Iterator, Sequence

from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator

from ..registry import LOOPS


class _Endless(_InfiniteDataloaderIterator):
    _iterator: Iterator

    def __next__(self) -> Sequence[dict]:
        try:
            return next(self._iterator)
        except StopIteration:
            self._epoch += 1
            # a loader with a batch sampler also has an unused sampler of its own
            for sampler in (self._dataloader.sampler, self._dataloader.batch_sampler.sampler):
                if hasattr(sampler, 'set_epoch'):
                    sampler.set_epoch(self._epoch)  # type: ignore[union-attr]
                    break
            self._iterator = iter(self._dataloader)
            return next(self._iterator)


@LOOPS.register_module()
class QuickIterLoop(IterBasedTrainLoop):
    """``IterBasedTrainLoop`` without its pause of two seconds after every pass over the data.

    The pause avoids a deadlock of worker processes; with workers it remains.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.dataloader.num_workers:
            self.dataloader_iterator = _Endless(self.dataloader)
