"""Checkpoints that are damaged or made to harm: flipped bytes, compressed records, tuples that grow, wrong types."""

import os
import time
import zipfile

import numpy as np
import pytest
import torch

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.compat.checkpoint import check_checkpoint
from vpd_mm.errors import UserError


def content():
    rng = torch.Generator().manual_seed(0)
    state = {f'layer{i}.weight': torch.randn(40, 40, generator=rng) for i in range(4)}
    return {'state_dict': state, 'meta': {'epoch': 1, 'iter': 2, 'seed': None}, 'message_hub': {}}


def test_flipped_bytes_are_refused_or_change_nothing(tmp_path):
    whole, flipped = tmp_path / 'whole.pth', tmp_path / 'flipped.pth'
    torch.save(content(), whole)
    data, weights = whole.read_bytes(), content()['state_dict']
    values = b''.join(value.numpy().tobytes() for value in weights.values())
    refused = 0
    for i, place in enumerate(np.random.default_rng(0).integers(0, len(data), 60)):
        changed = bytearray(data)
        changed[place] ^= 1 << i % 8
        flipped.write_bytes(changed)
        try:
            loaded = load_checkpoint_safely(flipped)
        except UserError:
            refused += 1
        else:
            assert b''.join(value.numpy().tobytes() for value in loaded['state_dict'].values()) == values
            assert loaded['meta'] == content()['meta']
    assert refused > 60 * 0.9 * len(values) / len(data)


def test_compressed_and_inflated_records_are_refused_before_they_are_read(tmp_path):
    whole, bomb = tmp_path / 'whole.pth', tmp_path / 'bomb.pth'
    torch.save(content(), whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, bytes(1 << 28) if '/data/0' in member.filename else source.read(member))
    assert bomb.stat().st_size < 1 << 20
    start = time.perf_counter()
    with pytest.raises(UserError, match=r'bomb\.pth: it is damaged'):
        load_checkpoint_safely(bomb)
    assert time.perf_counter() - start < 0.1
    for data in (b'x' + whole.read_bytes(), whole.read_bytes() + b'x', whole.read_bytes() * 2):
        bomb.write_bytes(data)
        with pytest.raises(UserError, match=r'bomb\.pth'):
            load_checkpoint_safely(bomb)


@pytest.mark.parametrize('legacy', [False, True])
def test_a_tuple_that_doubles_is_refused_before_it_is_hashed(tmp_path, legacy):
    grown = ()
    for _ in range(60):
        grown = (grown, grown)
    file = tmp_path / 'grown.pth'
    torch.save({'state_dict': {}, 'meta': {'x': grown}}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r'grown\.pth'):
        check_checkpoint(file)
    torch.save(content(), file, _use_new_zipfile_serialization=not legacy)
    check_checkpoint(file)


def test_a_fifo_and_a_folder_do_not_block(tmp_path):
    os.mkfifo(tmp_path / 'fifo.pth')
    (tmp_path / 'folder.pth').mkdir()
    for name in ('fifo', 'folder'):
        with pytest.raises(UserError, match=rf'checkpoint .*{name}\.pth: is not a regular file'):
            load_checkpoint_safely(tmp_path / f'{name}.pth')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'state_dict': None}, 'has no weights'),
        ({'state_dict': []}, 'has no weights'),
        ({'state_dict': {1: torch.zeros(1)}}, 'has no weights'),
        ({'state_dict': {'w': 'text'}}, 'w is no weight'),
        ({'state_dict': {'w': torch.zeros(1).expand(10**10)}}, 'w is no weight'),
        ({'state_dict': {'w': torch.zeros(2, 2).to_sparse()}}, 'w is no weight'),
        ({'state_dict': {'w': torch.zeros(1, device='meta')}}, 'w is no weight'),
        ({'meta': None}, 'its content is not that of a checkpoint'),
        ({'meta': {'epoch': '1'}}, 'epoch is no count'),
        ({'meta': {'iter': 10**400}}, 'iter is no count'),
        ({'meta': {'epoch': True}}, 'epoch is no count'),
        ({'meta': {'seed': 'x'}}, 'seed is no whole number'),
        ({'message_hub': [1]}, 'its content is not that of a checkpoint'),
        ({3: 4}, 'its content is not that of a checkpoint'),
    ],
)
def test_wrong_types_are_named(tmp_path, changes, message):
    torch.save(content() | changes, tmp_path / 'wrong.pth')
    with pytest.raises(UserError, match=rf'checkpoint .*wrong\.pth: {message}'):
        load_checkpoint_safely(tmp_path / 'wrong.pth')
    torch.save([content()], tmp_path / 'list.pth')
    with pytest.raises(UserError, match=r'list\.pth: its content is not that of a checkpoint'):
        load_checkpoint_safely(tmp_path / 'list.pth')
