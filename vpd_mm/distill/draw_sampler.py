"""Epochs of a fixed number of draws with replacement (paper, supplement)."""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..errors import UserError
from ..registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class EpochDrawSampler(Sampler):
    """Draw ``num_samples`` samples per epoch with replacement, over all processes together.

    Yields (index, draw).  ``draw`` is unique in the run and seeds the augmentation, so training depends neither on the
    number of processes nor on interruptions.  Process r of R takes draws r, r + R, ...: the n-th batches of all
    processes together are the n-th batch of a single process.

    Without ``seed``, a random one is shared by all processes.
    """

    def __init__(self, dataset: Sized, num_samples: int = 20000, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        if num_samples < self.world_size:
            raise UserError(f'EpochDrawSampler: num_samples {num_samples} is less than {self.world_size} processes')
        self.dataset = dataset
        self.num_samples = num_samples - num_samples % self.world_size
        self.seed = sync_random_seed() if seed is None else int(seed)
        self.epoch = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        indices = rng.integers(len(self.dataset), size=self.num_samples)
        first = (self.seed % 2**20 << 42) + self.epoch * self.num_samples
        for i in range(self.rank, self.num_samples, self.world_size):
            yield int(indices[i]), first + i

    def __len__(self) -> int:
        return self.num_samples // self.world_size

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
