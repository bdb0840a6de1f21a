"""The measurements of the GPU benchmark, on the CPU."""

import os
import subprocess
from pathlib import Path

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


@pytest.mark.parametrize('share', [0.8, 0.95])
def test_all_measurements_are_in_one_table(corpus, monkeypatch, capsys, share):
    """Crops that the GPU augments or decodes are measured in the fastest mode."""

    def training(config, corpus, batch_size, mode, seconds, device, handovers):
        assert seconds == 0.5
        for handover in handovers:
            yield gpu.Row(f'batch {batch_size}, {mode.name}, {handover}', 1.0, 'samples/s', share, gpu.SHARE)

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'card of a test')
    monkeypatch.setattr(gpu, 'training', training)
    for name in ('crops_alone', 'extraction', 'dtw', 'recognition'):
        monkeypatch.setattr(gpu, name, lambda *args, name=name: [gpu.Row(name, 1.0, 'samples/s')])
    status = gpu.main(['--corpus', str(corpus.root), '--seconds', '0.5', '--batch-sizes', '100'])
    assert status == int(share < gpu.SHARE)
    lines = [line.split(' | ')[0] for line in capsys.readouterr().out.splitlines() if ' | ' in line]
    assert lines == [
        'batch 100, fp32, augmented',
        'batch 100, AMP, augmented',
        'batch 100, AMP, channels_last, augmented',
        *(f'batch 100, AMP, channels_last, compiled, {handover}' for handover in ('augmented', 'decoded', 'encoded')),
        *('crops_alone', 'extraction', 'dtw', 'recognition'),
    ]


def test_the_script_calls_the_benchmark_with_its_arguments(tmp_path):
    """The ``python`` of the caller's PATH runs it, from any folder."""
    (tmp_path / 'python').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'python').chmod(0o755)
    script = Path(gpu.__file__).with_suffix('.sh')
    environment = {**os.environ, 'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'}
    done = subprocess.run(['bash', script, '--gallery', '5'], env=environment, cwd=tmp_path, capture_output=True)
    tool, *arguments = done.stdout.decode().split()
    assert Path(tool).resolve() == script.parents[1] / 'tools/benchmark.py'
    assert arguments == ['gpu', '--seconds', '4', '--gallery', '5']


@pytest.mark.skipif(torch.cuda.is_available(), reason='has a GPU')
def test_without_a_gpu():
    with pytest.raises(UserError, match='torch finds no GPU'):
        gpu.main([])
