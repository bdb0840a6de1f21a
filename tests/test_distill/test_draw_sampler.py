import numpy as np
import pytest

from vpd_mm.distill import EpochDrawSampler
from vpd_mm.errors import UserError


def draws(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_epoch_has_num_samples_draws_and_is_reproducible():
    sampler = EpochDrawSampler(range(10), num_samples=1000, seed=3)
    first = draws(sampler, 0)
    assert len(first) == len(sampler) == 1000
    assert first == draws(EpochDrawSampler(range(10), num_samples=1000, seed=3), 0)
    assert first != draws(sampler, 1)
    assert np.bincount([i for i, _ in first]).min() > 60


def test_draw_numbers_are_unique_in_a_run():
    sampler = EpochDrawSampler(range(10), num_samples=50, seed=3)
    numbers = [d for epoch in range(4) for _, d in draws(sampler, epoch)]
    assert len(set(numbers)) == 200
    assert max(numbers) < 2**63
    other = EpochDrawSampler(range(10), num_samples=50, seed=4)
    assert not set(numbers) & {d for _, d in draws(other, 0)}


def test_two_processes_share_the_draws_of_one(monkeypatch):
    whole = draws(EpochDrawSampler(range(10), num_samples=41, seed=3), 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr('vpd_mm.distill.draw_sampler.get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(draws(EpochDrawSampler(range(10), num_samples=40, seed=3), 2))
    assert [len(p) for p in parts] == [20, 20]
    both = [pair for together in zip(*parts, strict=True) for pair in together]
    assert [i for i, _ in both] == [i for i, _ in whole][:40]


def test_fewer_draws_than_processes_are_refused(monkeypatch):
    monkeypatch.setattr('vpd_mm.distill.draw_sampler.get_dist_info', lambda: (0, 4))
    with pytest.raises(UserError, match='less than 4 processes'):
        EpochDrawSampler(range(10), num_samples=3)
