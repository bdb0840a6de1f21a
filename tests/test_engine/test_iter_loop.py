"""Steps over few data: the batches of mmengine's loop, without its rests."""

import time

import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from vpd_mm.features.bucket_sampler import LengthBatchSampler
from vpd_mm.registry import LOOPS


class ByEpoch(torch.utils.data.Sampler):
    """Another order in each epoch, as mmengine's DefaultSampler has it."""

    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        yield from torch.randperm(6, generator=torch.Generator().manual_seed(self.epoch)).tolist()

    def __len__(self):
        return 6


class Drawn(torch.utils.data.Dataset):
    """Sample i and a draw that depends on the epoch, as FeatureClipDataset's transforms make."""

    epoch = 0

    def __len__(self):
        return 6

    def get_data_info(self, i):
        return {'num_frames': i}

    def set_epoch(self, epoch, seed=None):
        self.epoch = epoch

    def __getitem__(self, i):
        return i + 10 * self.epoch


def by_sampler():
    return DataLoader(Drawn(), batch_size=3, sampler=ByEpoch())


def by_batch_sampler():
    data = Drawn()
    return DataLoader(data, batch_sampler=LengthBatchSampler(DefaultSampler(data, seed=1), batch_size=3))


def batches(kind, steps, loader):
    loop = LOOPS.get(kind)(None, loader(), max_iters=steps)
    return [next(loop.dataloader_iterator).tolist() for _ in range(steps)]


@pytest.mark.parametrize('loader', [by_sampler, by_batch_sampler])
def test_same_batches_at_once(loader):
    started = time.monotonic()
    quick = batches('QuickIterLoop', 8, loader)
    assert time.monotonic() - started < 1
    assert quick[:4] == batches('IterBasedTrainLoop', 4, loader)
    passes = [quick[i] + quick[i + 1] for i in (0, 2, 4, 6)]
    assert all(sorted(i % 10 for i in one) == list(range(6)) for one in passes)
    assert len({tuple(i % 10 for i in one) for one in passes}) > 1


def test_each_pass_of_a_batch_sampler_draws_anew():
    quick = batches('QuickIterLoop', 6, by_batch_sampler)
    assert [{i // 10 for i in batch} for batch in quick] == [{0}, {0}, {1}, {1}, {2}, {2}]
