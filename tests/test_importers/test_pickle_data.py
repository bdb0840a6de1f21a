"""Pickles of every protocol are read as data and never run."""

import builtins
import gc
import os
import pickle
import struct
import time
import tracemalloc

import numpy as np
import pytest

from vpd_mm.corpus import VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.importers import read_feature_pickle, read_video_meta
from vpd_mm.importers.pickle_data import read_pickle_data


def features(rng):
    return [
        (3, rng.standard_normal((2, 4)).astype(np.float32), {'kp_score': 0.5, 'is_3d': False, 'name': None}),
        (np.int64(4), np.asfortranarray(rng.standard_normal((2, 4))), {'kp_score': np.float64(0.75)}),
        (7, rng.standard_normal((2, 4)).astype('>f4'), {'dp_score': 0.25}),
        (8, rng.standard_normal((2, 4)).astype(np.float16), {}),
    ]


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('old_names', [False, True])
def test_every_protocol_and_both_numpys(tmp_path, protocol, old_names):
    entries = features(np.random.default_rng(0))
    data = pickle.dumps(entries, protocol)
    if old_names:  # NumPy 1 called the module numpy.core
        data = data.replace(b'numpy._core.', b'numpy.core.')
        data = data.replace(struct.pack('<B', 22) + b'numpy.core.multiarray', b'\x15numpy.core.multiarray')
        data = data.replace(struct.pack('<B', 19) + b'numpy.core.numeric', b'\x12numpy.core.numeric')
        data = _without_frames(data)
    (tmp_path / 'v.emb.pkl').write_bytes(data)
    sequence = read_feature_pickle(tmp_path / 'v.emb.pkl', num_frames=9)
    assert sequence.frame_inds.tolist() == [3, 4, 7, 8]
    np.testing.assert_array_equal(sequence.feats, np.stack([e[1].astype(np.float32) for e in entries]))
    assert sequence.scores.tolist() == [0.5, 0.75, 0.25, 1]


def _without_frames(data):
    """Frames only group bytes; the shortened names made their sizes wrong."""
    return data[:2] + data[11:] if data[2:3] == b'\x95' else data


def test_one_view_duplicates_and_nan(tmp_path):
    nan = np.full(3, np.nan, np.float32)
    entries = [(0, np.ones(3), {}), (1, nan, {}), (2, np.zeros(3), {}), (2, np.full(3, 4.0), {'kp_score': 0.5})]
    (tmp_path / 'v.emb.pkl').write_bytes(pickle.dumps(entries))
    sequence = read_feature_pickle(tmp_path / 'v.emb.pkl')
    assert sequence.frame_inds.tolist() == [0, 2]
    assert sequence.feats.tolist() == [[[1, 1, 1]], [[2, 2, 2]]]
    assert sequence.scores.tolist() == [1, 0.75]


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ({'a': 1}, r'needs a list of \(frame, array, dict\), found a dict'),
        ([], 'holds no features'),
        ([(0, np.ones(3))], 'entry 0: needs'),
        ([(0, np.ones(3), {}), (1, np.ones(4), {})], r'entry 1: feature has shape \(1, 4\)'),
        ([(9, np.ones(3), {})], 'entry 0: frame 9 is past the end'),
        ([(0, np.ones(3, int), {})], 'entry 0: feature must be a float array'),
        ([(0, [1.0, 2.0], {})], 'entry 0: feature must be a float array'),
        ([(0, np.ones((3, 2)), {})], r'feats must be \(T, V, D\) with V 1 or 2'),
        ([(0, np.ones(3), {'kp_score': 'x'})], 'entry 0: needs a number as kp_score/dp_score, found'),
        ([(0, np.ones(3), None)], 'entry 0: needs a dict'),
    ],
)
def test_invalid_entries(tmp_path, entries, message):
    (tmp_path / 'v.emb.pkl').write_bytes(pickle.dumps(entries))
    with pytest.raises(UserError, match=message):
        read_feature_pickle(tmp_path / 'v.emb.pkl', num_frames=9)


class Call:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class WithState:
    def __reduce__(self):
        return np.dtype, ('f4',), {'evil': 1}


def evil(mark):
    touch = f'touch {mark}'
    return {
        'os.system': Call(os.system, touch),
        'eval': Call(builtins.eval, f'open({str(mark)!r}, "w")'),
        'exec in a list': [(0, np.ones(3), {'kp_score': Call(builtins.exec, f'open({str(mark)!r}, "w")')})],
        'getattr': Call(getattr, 'x', 'upper'),
        'open': Call(open, str(mark), 'w'),
        'object array': np.array([Call(os.system, touch)], dtype=object),
        'numpy.load': Call(np.load, str(mark)),
        'function': np.ones,
        'a class': WithState,
        'ndarray of a terabyte': Call(np.ndarray, (1 << 40,)),
        'state for a dtype': WithState(),
        'structured array': np.zeros(2, dtype=[('a', 'f4')]),
        'datetimes': np.zeros(2, dtype='M8[s]'),
        'set': {1, 2},
        'complex number': 1j,
    }


@pytest.mark.parametrize('name', list(evil('mark')))
@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_malicious_pickles_are_refused_and_nothing_runs(tmp_path, name, protocol):
    mark = tmp_path / 'ran'
    things = evil(mark)
    if name == 'a class':
        data = b'\x80\x04c__main__\nWithState\n.'
    else:
        data = pickle.dumps(things[name], protocol)
    (tmp_path / 'v.emb.pkl').write_bytes(data)
    with pytest.raises(UserError, match='refused, the pickle holds'):
        read_feature_pickle(tmp_path / 'v.emb.pkl')
    assert not mark.exists()


@pytest.mark.parametrize(
    'data',
    [
        b'cposix\nsystem\n(S"touch x"\ntR.',  # protocol 0
        b'(S"touch x"\nios\nsystem\n.',  # INST
        b'\x80\x02(cos\nsystem\nU\x07touch xo.',  # OBJ
        b'\x80\x02U\x01xQ.',  # persistent id
        b"cbuiltins\neval\n(S'1'\ntR.",
        b'\x80\x02\x82\x01.',  # extension registry
        b'\x80\x05\x97.',  # out-of-band buffer
        b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.',
    ],
)
def test_other_opcodes_and_names_are_refused(tmp_path, data):
    (tmp_path / 'v.pkl').write_bytes(data)
    with pytest.raises(UserError, match='refused'):
        read_pickle_data(tmp_path / 'v.pkl')


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\x80\x04',
        b'not a pickle',
        b'\x80\x04.',
        b'\x80\x04(.',
        b'\x80\x04h\x05.',
        b'\x80\x04]u.',
        b'\x80\x04K\x01K\x02s.',
        b'\x80\x04' + b'\x8e' + struct.pack('<Q', 1 << 60) + b'x.',  # declares an exabyte
        b'\x80\x04' + b'(' * 1000 + b'.',
        b'\x80\x04}]]s.',  # a list as key
        b'S1\n.',  # text of Python 2 without quotes
        b'\x80\x02T\xff\xff\xff\xff.',  # of negative length
        pickle.dumps([(0, np.ones(300), {})])[:-1200],
        pickle.dumps(np.zeros((2, 3), np.float32), 3).replace(b'K\x02K\x03\x86', b'K\x02K\xff\x86'),  # shape (2, 255)
    ],
)
def test_damaged_pickles(tmp_path, data):
    (tmp_path / 'v.pkl').write_bytes(data)
    with pytest.raises(UserError, match='truncated or damaged'):
        read_pickle_data(tmp_path / 'v.pkl')


def test_deep_nesting_does_not_recurse(tmp_path):
    (tmp_path / 'v.pkl').write_bytes(b'\x80\x04)' + b'\x85' * 100_000 + b'.')
    with pytest.raises(UserError, match='needs a list'):
        read_feature_pickle(tmp_path / 'v.pkl')


def test_video_table_of_the_release_as_pickle(tmp_path):
    """Its namedtuples become plain tuples; their module is never imported."""
    data = b'\x80\x04}\x8c\x01v\x8c\nutil.video\x8c\rVideoMetadata\x93(G' + struct.pack('>d', 25.0)
    data += b'K\x64M\x40\x01K\xf0t\x81s.'
    (tmp_path / 'x.video_meta.pkl').write_bytes(data)
    assert read_video_meta(tmp_path / 'x.video_meta.pkl') == {'v': VideoInfo('v', '', 25.0, 100, 320, 240)}


def nested(levels, start=b'K\x01', put=b'\x94', get=b'h'):
    """A tuple that holds itself twice, again and again, by references: 2 ** levels items."""
    data = start + b'\x85' + put
    for level in range(levels):
        data += get + bytes([level]) + get + bytes([level]) + b'\x86' + put
    return data


def prove_linear(path, message):
    """Each reader raises an error, in less than a second and 100 MB."""
    tracemalloc.start()
    gc.disable()  # a collection goes over all objects of the tests before
    for read in (read_pickle_data, read_feature_pickle, read_video_meta):
        begin = time.process_time()
        with pytest.raises(UserError, match=message) as raised:
            read(path)
        assert time.process_time() - begin < 1
        assert str(raised.value).isprintable()
    gc.enable()
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


BOMB = nested(40)


@pytest.mark.parametrize(
    'data',
    [
        b']' + BOMB + b'a',
        b'}' + BOMB + b'K\x01s',
        b'cnumpy\ndtype\n' + BOMB + b'\x85R',
        b'cnumpy\ndtype\n\x8c\x02f4\x85R' + BOMB + b'b',
        b'cutil.video\nVideoMetadata\n' + BOMB + b'R',
        b'\x8c\x05numpy' + BOMB + b'\x93',
        b'cnumpy.core.numeric\n_frombuffer\nC\x04abcdcnumpy\ndtype\n\x8c\x02f4\x85R' + BOMB + b'\x8c\x01C(R',
        pickle.dumps([np.zeros(100_000)] * 1000, 4)[2:-1],
        b']\x94(h\x00h\x00e',  # holds itself
        b'}\x94K\x01h\x00s',
        b']\x85\x94h\x00\x86',
        b'cnumpy.core.multiarray\n_reconstruct\n)R\x94h\x00\x86',
    ],
    ids=range(12),
)
def test_references_are_counted(tmp_path, data):
    (tmp_path / 'v.pkl').write_bytes(b'\x80\x04' + data + b'.')
    prove_linear(tmp_path / 'v.pkl', 'refused, the pickle holds (references|a list, dict or unfinished array)')


@pytest.mark.parametrize(
    'data',
    [
        b'})' + b'\x85' * 10_000 + b'K\x01s',
        b'}(' + b'K\x01' * 10_000 + b'tK\x01s',
        b'}]K\x01s',
        b')' + b'\x85' * 10_000 + b'cnumpy\ndtype\n\x93',
        b'\x8a\xff' + b'\xff' * 254 + b'\x01',
        b'\x8b' + struct.pack('<i', 1 << 20) + b'\x01' * (1 << 20),
        b'I' + b'9' * 4000 + b'\n',
        b'L0x' + b'f' * 10_000 + b'L\n',
    ],
    ids=range(8),
)
def test_keys_and_numbers_are_limited(tmp_path, data):
    (tmp_path / 'v.pkl').write_bytes(b'\x80\x04' + data + b'.')
    prove_linear(tmp_path / 'v.pkl', 'truncated or damaged')


def test_small_things_may_be_shared(tmp_path):
    shared = ('a', 1.5, np.float32(2))
    content = {('man01', 'walk'): [shared] * 20, 'b': [np.ones(2), (shared, shared)]}
    for protocol in (2, 4, 5):
        (tmp_path / 'v.pkl').write_bytes(pickle.dumps(content, protocol))
        assert read_pickle_data(tmp_path / 'v.pkl')['man01', 'walk'] == [('a', 1.5, 2.0)] * 20
