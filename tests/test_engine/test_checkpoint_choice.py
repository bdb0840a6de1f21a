"""The last and the best checkpoint of a training."""

import json
import os

import pytest
import torch

from vpd_mm.engine.checkpoint_choice import (
    best_checkpoint,
    last_checkpoint,
    remove_set_aside,
    replaced_checkpoints,
    set_aside_replaced,
)
from vpd_mm.engine.resume import sole_training
from vpd_mm.errors import UserError


def save(path, mtime):
    torch.save({'state_dict': {'weight': torch.zeros(100)}}, path)
    os.utime(path, (mtime, mtime))


def test_the_last_readable_checkpoint_is_resumed_and_no_file_is_removed(tmp_path):
    folder = tmp_path / 'moved'
    folder.mkdir()
    with sole_training(folder) as resume:
        assert not resume
    with pytest.raises(UserError, match=r'moved: has no readable checkpoint'):
        last_checkpoint(folder)
    for number in (1, 2, 10):
        save(folder / f'epoch_{number}.pth', 1e9 + number)
    (folder / 'notes.txt').write_text('mine')
    (folder / 'last_checkpoint').write_text('/where/it/was/epoch_2.pth')
    assert last_checkpoint(folder) == folder / 'epoch_2.pth'
    for text in ('', '..', 'epoch_3.pth', '\0', '\udcff'.encode('utf-8', 'surrogateescape'), 'x' * 20_000):
        (folder / 'last_checkpoint').write_bytes(text if isinstance(text, bytes) else text.encode())
        assert last_checkpoint(folder) == folder / 'epoch_10.pth'
    content = (folder / 'epoch_10.pth').read_bytes()
    for damaged in (b'', content[:-40], content.replace(bytes(100), bytes(99) + b'1', 1)):
        (folder / 'epoch_10.pth').write_bytes(damaged)
        os.utime(folder / 'epoch_10.pth', (2e9, 2e9))
        with sole_training(folder) as resume:
            assert resume
        assert last_checkpoint(folder) == folder / 'epoch_2.pth'
    files = {'epoch_1.pth', 'epoch_2.pth', 'epoch_10.pth', 'notes.txt', 'last_checkpoint'}
    assert {path.name for path in folder.iterdir()} == files


def test_checkpoints_are_chosen_by_their_steps_whatever_the_clock_says(tmp_path):
    for number in (1, 2, 3, 10):
        save(tmp_path / f'epoch_{number}.pth', 1e9 - number)  # later ones are older: the clock was set back
        save(tmp_path / f'best_nll_epoch_{number}.pth', 1e9 - number)
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'
    assert best_checkpoint(tmp_path) == tmp_path / 'best_nll_epoch_10.pth'
    (tmp_path / 'last_checkpoint').write_text('/where/it/was/epoch_3.pth')  # it was resumed from 2, before 10
    (tmp_path / 'training.json').write_text(json.dumps({'best': {'checkpoint': 'best_nll_epoch_3.pth'}}))
    assert best_checkpoint(tmp_path) == tmp_path / 'best_nll_epoch_3.pth'
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_3.pth'
    (tmp_path / 'epoch_3.pth').write_bytes(b'')
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    for number in (1, 2):
        (tmp_path / f'epoch_{number}.pth').unlink()
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_10.pth'
    for record in ([], {}, {'best': None}, {'best': {'checkpoint': '../x.pth'}}, {'best': {'checkpoint': []}}, 'best'):
        (tmp_path / 'training.json').write_text(json.dumps(record))
        assert best_checkpoint(tmp_path) == tmp_path / 'best_nll_epoch_10.pth'


def test_a_training_replaces_what_it_does_not_continue(tmp_path):
    work, other = tmp_path / 'w', tmp_path / 'other' / 'epoch_2.pth'
    work.mkdir()
    mine = ['best_of_mine.pth', 'mine.pth']
    names = ['best_nll_epoch_1.pth', 'best_nll_epoch_3.pth', mine[0], 'epoch_2.pth', 'epoch_3.pth', mine[1]]
    records = ['last_checkpoint', 'training.json']
    for name in names + records:
        (work / name).write_text('')
    assert replaced_checkpoints(work, 'auto') == []
    assert replaced_checkpoints(work, None) == replaced_checkpoints(work, str(other)) == [work / n for n in names]
    (tmp_path / 'link').symlink_to('w')
    assert replaced_checkpoints(tmp_path / 'link', str(work / 'epoch_2.pth')) == [
        tmp_path / 'link' / name for name in ('best_nll_epoch_3.pth', 'epoch_3.pth')
    ]
    set_aside_replaced(work, 'auto')
    assert len(list(work.iterdir())) == 8
    set_aside_replaced(work, str(work / 'epoch_2.pth'))
    assert sorted(path.name for path in (work / 'replaced').iterdir()) == ['best_nll_epoch_3.pth', 'epoch_3.pth']
    remove_set_aside(work)
    assert sorted(path.name for path in work.iterdir()) == sorted([names[0], 'epoch_2.pth', *mine, *records])
    set_aside_replaced(work, str(other))
    assert sorted(path.name for path in work.iterdir()) == [*mine, 'replaced']
    assert sorted(path.name for path in (work / 'replaced').iterdir()) == sorted([names[0], 'epoch_2.pth', *records])
    set_aside_replaced(work, None)  # nothing of a training: what was set aside stays
    assert len(list((work / 'replaced').iterdir())) == 4
    (work / 'epoch_4.pth').write_text('')  # its process was killed before it set this one aside
    set_aside_replaced(work, None)
    assert len(list((work / 'replaced').iterdir())) == 5
    (work / 'replaced' / 'notes.txt').write_text('')
    remove_set_aside(work)
    assert [path.name for path in (work / 'replaced').iterdir()] == ['notes.txt']
    (work / 'replaced' / 'notes.txt').unlink()
    remove_set_aside(work)
    assert sorted(path.name for path in work.iterdir()) == mine
