"""LengthBatchSampler: every sample once, similar lengths, reproducible."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, DefaultSampler, RepeatDataset
from torch.utils.data import SequentialSampler

from vpd_mm.errors import UserError
from vpd_mm.features import LengthBatchSampler


class Lengths(BaseDataset):
    """Data set with known lengths only."""

    def __init__(self, lengths):
        self.lengths = lengths
        self.epochs = []
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [{'num_frames': int(n)} for n in self.lengths]

    def set_epoch(self, epoch, seed):
        self.epochs.append((epoch, seed))


@pytest.fixture
def dataset():
    return Lengths(np.random.default_rng(0).integers(10, 500, 103))


def batches_of(dataset, epoch=0, rank=0, world=1, **kwargs):
    sampler = DefaultSampler(dataset, shuffle=True, seed=3)
    if world > 1:  # as DefaultSampler does in each process
        sampler.rank, sampler.world_size = rank, world
        sampler.num_samples = -(-len(dataset) // world)
        sampler.total_size = sampler.num_samples * world
    sampler.set_epoch(epoch)
    batches = LengthBatchSampler(sampler, **kwargs)
    result = list(batches)
    assert len(result) == len(batches)
    return result


@pytest.mark.parametrize('pool', [None, 1, 3])
def test_every_sample_once_in_batches_of_similar_size(dataset, pool):
    batches = batches_of(dataset, batch_size=10, pool_batches=pool)
    assert sorted(i for batch in batches for i in batch) == list(range(103))
    assert max(map(len, batches)) <= 10
    assert min(map(len, batches)) >= 3


def test_batches_have_similar_lengths(dataset):
    spread = [np.ptp(dataset.lengths[batch]) for batch in batches_of(dataset, batch_size=10)]
    plain = [np.ptp(dataset.lengths[batch]) for batch in batches_of(dataset, batch_size=10, pool_batches=1)]
    assert np.mean(spread) < 0.25 * np.mean(plain)


def test_the_same_seed_and_epoch_give_the_same_batches(dataset):
    assert batches_of(dataset, 2, batch_size=10) == batches_of(dataset, 2, batch_size=10)
    assert batches_of(dataset, 2, batch_size=10) != batches_of(dataset, 3, batch_size=10)
    assert dataset.epochs[-1] == (3, 3)


def test_processes_partition_the_samples_and_have_similar_lengths(dataset):
    first, second = (batches_of(dataset, rank=rank, world=2, batch_size=10) for rank in range(2))
    assert len(first) == len(second)
    assert {i for batches in (first, second) for batch in batches for i in batch} == set(range(103))
    means = [[dataset.lengths[batch].mean() for batch in batches] for batches in (first, second)]
    assert np.corrcoef(means)[0, 1] > 0.9


def test_works_inside_wrappers_and_refuses_other_samplers(dataset):
    repeated = RepeatDataset(dataset, 2)
    assert sum(map(len, batches_of(repeated, batch_size=10))) == 206
    assert dataset.epochs
    with pytest.raises(UserError, match='DefaultSampler'):
        LengthBatchSampler(SequentialSampler(dataset), 10)
