"""The measurements of the GPU benchmark, on the CPU."""

import pytest
import torch

from benchmarks import gpu
from benchmarks.distill import make_corpus
from vpd_mm.engine.paths import find_config
from vpd_mm.errors import UserError


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp('gpu') / 'corpus', num_frames=6, size=64)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A student of an eighth of the width."""
    path = tmp_path_factory.mktemp('config') / 'small.py'
    base = find_config('configs/distill/resnet18_2d-vpd_40e_real.py')
    path.write_text(f'_base_ = {str(base)!r}\nmodel = dict(student=dict(backbone=dict(base_channels=8)))\n')
    return str(path)


def test_share_is_that_of_the_bare_network(config, corpus):
    bare, *disk = gpu.training(config, corpus, 4, gpu.MODES[0], 0.01, 'cpu', ['augmented', 'encoded'])
    assert [row.share for row in disk] == [row.speed / bare.speed for row in disk]
    assert [row.what.split(': ')[1] for row in disk] == ['from disk', 'from disk, decoded on the device']
    assert min(row.speed for row in disk) > 0
    bare, disk = gpu.extraction(config, corpus, 0.01, 'cpu')
    assert disk.share == disk.speed / bare.speed > 0


def test_the_way_to_the_network_is_measured_without_it(config, corpus):
    rows = list(gpu.crops_alone(config, corpus, 4, 0.01, 'cpu'))
    assert [row.what for row in rows] == [
        'loader alone',
        'loader alone, augmented on the device',
        'copy and augmentation alone',
        'loader alone, decoded on the device',
        'decoding alone',
    ]
    assert min(row.speed for row in rows) > 0


def test_goal_is_of_the_share_or_of_the_speed():
    row = gpu.Row('x', 500.0, 'frames/s', 0.895, 0.9)
    assert not row.reached
    assert row.cells() == ('x', '500 frames/s', '89.5%', '90%', 'no')
    assert gpu.Row('x', 2e6, 'pairs/s', None, 1e6).reached
    assert gpu.Row('x', 5.0, 'epochs/min').cells() == ('x', '5 epochs/min', '', '', '')


def test_pairs_are_counted_for_both_views():
    (row,) = gpu.dtw(20, 0.01, 'cpu:0')
    assert row.unit == 'pairs/s'
    assert row.speed > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason='has a GPU')
def test_without_a_gpu():
    with pytest.raises(UserError, match='torch finds no GPU'):
        gpu.main([])
