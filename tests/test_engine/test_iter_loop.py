"""Steps over few data: the batches of mmengine's loop, without its rests."""

import time

import torch
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import DataLoader

from vpd_mm.engine.iter_loop import QuickIterLoop
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


def batches(kind, steps):
    data = torch.arange(6)
    loop = kind(None, DataLoader(data, batch_size=3, sampler=ByEpoch()), max_iters=steps)
    return [next(loop.dataloader_iterator).tolist() for _ in range(steps)]


def test_same_batches_at_once():
    started = time.monotonic()
    quick = batches(QuickIterLoop, 8)
    assert time.monotonic() - started < 1
    assert quick[:4] == batches(IterBasedTrainLoop, 4)
    assert all(sorted(quick[i] + quick[i + 1]) == list(range(6)) for i in (0, 2, 4, 6))
    assert quick[:2] != quick[2:4]


def test_configs_find_it():
    assert LOOPS.get('QuickIterLoop') is QuickIterLoop
