"""Batches of sequences of similar length."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from ..errors import UserError
from ..registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class LengthBatchSampler(Sampler):
    """Batch sampler that sorts pools of indices by length and shuffles the batches.

    ``pool_batches * batch_size`` indices of the sampler form a pool, are sorted by ``num_frames`` and split into
    batches whose sizes differ by at most one.  The order of the batches depends on the sampler's seed and epoch only,
    so all processes work on batches of similar length at the same time.

    Args:
        sampler: Sampler of indices with ``dataset``, ``seed`` and ``epoch``, such as mmengine's ``DefaultSampler``.
        batch_size: Largest size of a batch.
        pool_batches: Batches per pool; None: all.

    Raises:
        UserError: the sampler or its data set lacks these attributes, or a number is below 1.
    """

    def __init__(self, sampler: Sampler, batch_size: int, pool_batches: int | None = None) -> None:
        if any(not hasattr(sampler, name) for name in ('dataset', 'seed', 'epoch')):
            raise UserError(f'LengthBatchSampler: needs DefaultSampler, found {type(sampler).__name__}')
        if min(batch_size, 1 if pool_batches is None else pool_batches) < 1:
            raise UserError(f'LengthBatchSampler: batch_size {batch_size} and pool_batches {pool_batches} must be >= 1')
        self.sampler = sampler
        self.batch_size = batch_size
        dataset = sampler.dataset
        try:
            self.lengths = np.array([dataset.get_data_info(i)['num_frames'] for i in range(len(dataset))])
        except KeyError as e:
            raise UserError('LengthBatchSampler: samples have no num_frames; use FeatureClipDataset') from e
        self.pool = batch_size * pool_batches if pool_batches else max(1, len(dataset))

    def __iter__(self) -> Iterator[list[int]]:
        epoch, seed = self.sampler.epoch, self.sampler.seed
        rng = np.random.default_rng((seed, epoch))
        _set_epoch(self.sampler.dataset, epoch, seed)
        indices = np.fromiter(self.sampler, dtype=np.int64)
        batches: list[np.ndarray] = []
        for start in range(0, len(indices), self.pool):
            pool = indices[start : start + self.pool]
            pool = pool[np.argsort(self.lengths[pool], kind='stable')]
            batches += np.array_split(pool, -(-len(pool) // self.batch_size))
        for i in rng.permutation(len(batches)):
            yield batches[i].tolist()

    def __len__(self) -> int:
        pools, rest = divmod(len(self.sampler), self.pool)  # type: ignore[arg-type]
        return pools * -(-self.pool // self.batch_size) + -(-rest // self.batch_size)


def _set_epoch(dataset: object, epoch: int, seed: int) -> None:
    """Set the epoch of the data set inside all wrappers (RepeatDataset, ConcatDataset, ...)."""
    for inner in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if inner is not None:
            _set_epoch(inner, epoch, seed)
    if hasattr(dataset, 'set_epoch'):
        dataset.set_epoch(epoch, seed)
