"""Checkpoints that are damaged or made to harm: flipped bytes, compressed records, tuples that grow, wrong types."""

import codecs
import os
import time
import tracemalloc
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer

from vpd_mm.compat import load_checkpoint_safely
from vpd_mm.compat.checkpoint_loading import check_checkpoint
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


def test_no_memory_is_taken_for_a_text_that_is_not_there(tmp_path):
    file = tmp_path / 'short.pth'
    file.write_bytes(b'\x80\x02X\xff\xff\xff\x7fabc.')  # a text of 2 GB
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r'short\.pth: it is damaged'):
            check_checkpoint(file)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


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
        ({'state_dict': {'w': torch.zeros(1).expand(10**10)}}, 'has a tensor without its values'),
        ({'state_dict': {'w': torch.zeros(2, 2).to_sparse()}}, 'was refused.*_rebuild_sparse_tensor'),
        ({'state_dict': {'w': torch.zeros(1, device='meta')}}, 'was refused.*_rebuild_meta_tensor'),
        ({'optimizer': {'state': {0: {'exp_avg': torch.zeros(1).expand(10**10)}}}}, 'has a tensor without its values'),
        ({'meta': {'x': [torch.zeros(1).expand(5 << 20) for _ in range(5)]}}, 'has a tensor without its values'),
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
    with pytest.raises(UserError, match=rf'checkpoint .*wrong\.pth:? {message}'):
        load_checkpoint_safely(tmp_path / 'wrong.pth')
    torch.save([content()], tmp_path / 'list.pth')
    with pytest.raises(UserError, match=r'list\.pth: its content is not that of a checkpoint'):
        load_checkpoint_safely(tmp_path / 'list.pth')


def call(function, *arguments):
    """A value that pickle writes as a call of a function."""
    return type('Call', (), {'__reduce__': lambda self: (function, arguments)})()


def text_copied(times):
    text = 'x' * 1_000_000
    return [call(codecs.encode, text, 'latin1') for _ in range(times)]


GROWING = {
    'bytearray': call(bytearray, 1 << 40),
    'hex': call(codecs.encode, call(codecs.encode, 'x' * 1000, 'latin1'), 'hex'),
    'ndarray': call(np.ndarray, (10**11,)),
    'reconstruct': call(np._core.multiarray._reconstruct, np.ndarray, (10**11,), b'b'),
    'tensor': call(torch.FloatTensor, 10**11),
    'copies': text_copied(1000),
    'history': call(HistoryBuffer, [1.0], [1.0]),
}


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('name', GROWING)
def test_a_call_that_grows_is_refused_before_torch_reads_it(tmp_path, name, legacy):
    file = tmp_path / 'grown.pth'
    torch.save(content() | {'x': GROWING[name]}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r'grown\.pth'):
        check_checkpoint(file)


def test_what_a_training_writes_is_read_back(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1.0, 1.0])
    values = [np.float64(2), np.int64(3), np.arange(6.0), np.array(['a']), Counter([1, 1]), torch.Size([2]), b'\xff']
    extra = {'x': [*values, {1}, torch.float16, torch.device('cpu'), torch.nn.Parameter(torch.ones(2))], 'h': history}
    for legacy in (False, True):
        torch.save(content() | extra, tmp_path / 'c.pth', _use_new_zipfile_serialization=not legacy)
        loaded = load_checkpoint_safely(tmp_path / 'c.pth')
        assert list(map(str, loaded['x'])) == list(map(str, extra['x']))
        assert loaded['h'].mean() == 1.5
