"""Iteration-based training without the pause of mmengine after every pass over the data."""

from collections.abc import Iterator, Sequence

from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator

from ..registry import LOOPS


class _Endless(_InfiniteDataloaderIterator):
    """Infinite iterator over a loader without worker processes; the next pass starts immediately."""

    _iterator: Iterator

    def __next__(self) -> Sequence[dict]:
        try:
            return next(self._iterator)
        except StopIteration:
            self._epoch += 1
            # A loader with a batch sampler also has an unused sampler of its own.
            samplers = self._dataloader.sampler, getattr(self._dataloader.batch_sampler, 'sampler', None)
            for sampler in samplers:
                if hasattr(sampler, 'set_epoch'):
                    sampler.set_epoch(self._epoch)  # type: ignore[union-attr]
                    break
            self._iterator = iter(self._dataloader)
            return next(self._iterator)


@LOOPS.register_module()
class QuickIterLoop(IterBasedTrainLoop):
    """``IterBasedTrainLoop`` with the same batches and without pauses.

    mmengine sleeps for two seconds after every pass, to avoid a deadlock of worker processes; with a hundred clips that
    is a pause after every few steps.  With workers the pause remains.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.dataloader.num_workers:
            self.dataloader_iterator = _Endless(self.dataloader)
