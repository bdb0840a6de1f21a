import io
import os
import struct
import zipfile

import numpy as np
import pytest
import torch

from vpd_mm.errors import UserError
from vpd_mm.structures.npz_io import NpzRows, ReplacedError, load_npz, map_npz, read_foreign_npz, save_npz

ARRAYS = {'a': np.arange(6, dtype=np.int64).reshape(2, 3), 'b': np.array([0.5, -1], np.float32)}


def write_members(path, members):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, payload in members.items():
            archive.writestr(f'{name}.npy', payload)


def npy(array, allow_pickle=False):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def test_round_trip_keeps_values_and_dtypes(tmp_path):
    save_npz(tmp_path / 'x.npz', 'Thing/1', ARRAYS)
    back = load_npz(tmp_path / 'x.npz', 'Thing/1', ('a', 'b'))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    assert [p.name for p in tmp_path.iterdir()] == ['x.npz']


def test_missing_file_other_kind_and_missing_field(tmp_path):
    with pytest.raises(UserError, match=r'x\.npz: no such file'):
        load_npz(tmp_path / 'x.npz', 'Thing/1', ('a',))
    save_npz(tmp_path / 'x.npz', 'Thing/1', ARRAYS)
    with pytest.raises(UserError, match='expected vpd_mm/Other/1'):
        load_npz(tmp_path / 'x.npz', 'Other/1', ('a',))
    with pytest.raises(UserError, match="field 'c' is missing"):
        load_npz(tmp_path / 'x.npz', 'Thing/1', ('a', 'c'))


def test_mapped_arrays_have_the_values_of_the_file_and_outlive_it(tmp_path):
    arrays = {**ARRAYS, 'c': np.asfortranarray(np.arange(6.0).reshape(2, 3)), 'none': np.zeros((0, 2))}
    save_npz(tmp_path / 'x.npz', 'Thing/1', arrays)
    mapped = map_npz(tmp_path / 'x.npz', 'Thing/1', tuple(arrays))
    save_npz(tmp_path / 'x.npz', 'Thing/1', {'a': np.zeros(3)})
    for name, array in arrays.items():
        np.testing.assert_array_equal(mapped[name], array)
        assert mapped[name].dtype == array.dtype
        assert not mapped[name].flags.writeable


def test_a_mapping_leaves_no_file_open(tmp_path):
    save_npz(tmp_path / 'x.npz', 'Thing/1', ARRAYS)
    kept = [map_npz(tmp_path / 'x.npz', 'Thing/1', ('a',))]
    before = os.dup(0)
    os.close(before)
    kept += [map_npz(tmp_path / 'x.npz', 'Thing/1', ('a',)) for _ in range(5)]
    after = os.dup(0)
    os.close(after)
    assert before == after
    assert all(np.array_equal(arrays['a'], ARRAYS['a']) for arrays in kept)


def test_what_a_mapping_refuses(tmp_path, monkeypatch):
    path = tmp_path / 'x.npz'
    save_npz(path, 'Thing/1', ARRAYS)
    with pytest.raises(UserError, match='expected vpd_mm/Other/1'):
        map_npz(path, 'Other/1', ('a',))
    np.savez_compressed(path, format=np.array('vpd_mm/Thing/1'), a=np.zeros(9))
    with pytest.raises(UserError, match='compressed'):
        map_npz(path, 'Thing/1', ('a',))
    save_npz(path, 'Thing/1', ARRAYS)
    content = path.read_bytes()
    # entries that place the array where the file ends before it
    monkeypatch.setattr('vpd_mm.structures.npz_io._LOCAL_HEADER', struct.Struct('<18xII4x'))
    with pytest.raises(UserError, match="field 'b' is cut short"):
        map_npz(path, 'Thing/1', ('b',))
    monkeypatch.undo()
    monkeypatch.setattr('torch.from_file', lambda *args, **kwargs: replaced(path, content))
    with pytest.raises(UserError, match='was replaced'):
        map_npz(path, 'Thing/1', ('a',))


def replaced(path, content):
    path.with_name('new').write_bytes(content)
    path.with_name('new').rename(path)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


@pytest.mark.parametrize('keep', [0, 10, 200, -30])
def test_truncated_file(tmp_path, keep):
    save_npz(tmp_path / 'x.npz', 'Thing/1', ARRAYS)
    whole = (tmp_path / 'x.npz').read_bytes()
    (tmp_path / 'x.npz').write_bytes(whole[:keep])
    with pytest.raises(UserError, match='unreadable'):
        load_npz(tmp_path / 'x.npz', 'Thing/1', ('a', 'b'))


def test_pickled_objects_are_refused_and_do_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    payload = npy(np.array([Bomb()], dtype=object), allow_pickle=True)
    write_members(tmp_path / 'x.npz', {'format': npy(np.array('vpd_mm/Thing/1')), 'a': payload})
    with pytest.raises(UserError, match='Python objects'):
        load_npz(tmp_path / 'x.npz', 'Thing/1', ('a',))
    assert not (tmp_path / 'ran').exists()


def test_a_shape_that_the_file_does_not_hold_is_refused_before_allocation(tmp_path):
    payload = npy(np.zeros(4, np.float32)).replace(b'(4,)', b'(4000000000000,)', 1)
    header_end = payload.index(b'\n') + 1
    shift = len('4000000000000') - 1
    # keep the header length: drop as many padding blanks as the number grew
    payload = payload[: header_end - 1 - shift] + payload[header_end - 1 :]
    write_members(tmp_path / 'x.npz', {'format': npy(np.array('vpd_mm/Thing/1')), 'a': payload})
    with pytest.raises(UserError, match='declares shape'):
        load_npz(tmp_path / 'x.npz', 'Thing/1', ('a',))


def test_damaged_and_encrypted_files_are_reported(tmp_path):
    path = tmp_path / 'x.npz'
    np.savez_compressed(path, a=np.arange(1000))
    whole = path.read_bytes()
    start = 30 + len('a.npy') + int.from_bytes(whole[28:30], 'little')  # of the packed bytes, after name and extras
    path.write_bytes(whole[:start] + b'\xff' * 40 + whole[start + 40 :])
    with pytest.raises(UserError, match=r'x\.npz: unreadable as an npz .*decompressing'):
        read_foreign_npz(path, ('a',), 'numbers')
    save_npz(path, 'Thing/1', ARRAYS)
    content = bytearray(path.read_bytes())
    content[content.index(b'PK\x01\x02') + 8] |= 1  # the flag of the first member: encrypted
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'x\.npz: unreadable .*encrypted'):
        load_npz(path, 'Thing/1', ('a',))


def test_a_foreign_array_that_expands_too_far_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / 'x.npz', a=np.zeros(1 << 22))  # 32 MB in 32 KB
    with pytest.raises(UserError, match=r"x\.npz: field 'a' expands from \d+ to 33554560 bytes"):
        read_foreign_npz(tmp_path / 'x.npz', ('a',), 'numbers')
    np.savez_compressed(tmp_path / 'x.npz', a=np.zeros(1000))
    assert read_foreign_npz(tmp_path / 'x.npz', ('a',), 'numbers')['a'].shape == (1000,)


def test_rows_are_read_from_the_file_that_was_opened(tmp_path):
    path = tmp_path / 'x.npz'
    save_npz(path, 'Thing/1', ARRAYS)
    stored = NpzRows(path, 'Thing/1', tuple(ARRAYS))
    assert list(stored.shapes) == [array.shape for array in ARRAYS.values()]
    with stored.reading() as read:
        for field, array in enumerate(ARRAYS.values()):
            for start, end in ((0, len(array)), (1, len(array)), (1, 1)):
                np.testing.assert_array_equal(read(field, start, end), array[start:end])
            assert read(field, 0, 1).dtype == array.dtype
    save_npz(path, 'Thing/1', ARRAYS)
    with pytest.raises(ReplacedError, match=f'^{path}: was replaced'), stored.reading():
        pass
    path.unlink()
    with pytest.raises(UserError, match=f'^{path}: cannot be opened'), stored.reading():
        pass
    save_npz(path, 'Thing/1', {'a': np.asfortranarray(np.arange(6.0).reshape(2, 3))})
    with pytest.raises(UserError, match='Fortran order'):
        NpzRows(path, 'Thing/1', ('a',))
