"""CropWriter and CropStore: round trips, processes, interruptions, damage."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from vpd_mm.corpus import CropHeader, CropStore, CropWriter, crop_codec, crop_writer
from vpd_mm.corpus.shard import (
    CROP,
    ENVIRONMENTS,
    IMAGE,
    VIDEOS,
    frame_key,
    header_key,
    is_sealed,
    read_stored,
    read_value,
    seal,
    unfinished_videos,
    unseal,
)
from vpd_mm.errors import UserError

FLOW = {'method': 'dis', 'clip': 20.0, 'subtract_median': False}


def _image(i, size=32):
    noise = np.random.default_rng(i).integers(0, 255, (size // 4, size // 4, 3), dtype=np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def _flow(i, size=32):
    coarse = np.random.default_rng(i).uniform(-15, 15, (4, 4, 2)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _write(writer, name, frames=(0, 1, 5), size=32, flow=FLOW, mask=True, whole=False):
    with writer.video(name, size, flow, whole) as video:
        for i in frames:
            video.add(
                i,
                (i - 10, 2 * i, 50),
                _image(i, size),
                _flow(i, size) if flow else None,
                np.eye(size, dtype=bool) if mask and i % 2 else None,
                _image(i, 64)[:48] if whole else None,
                start=i in (0, 5),
            )


_IN_CHILD = f"""
import os, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_crop_store import FLOW, CropWriter, UserError, _flow, _image, _write, crop_writer
"""


@pytest.fixture
def shard(tmp_path) -> Path:
    return tmp_path / 'crops' / 'shard-000-00.lmdb'


def test_round_trip(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'jump', whole=True)
    store = CropStore(shard.parent)
    assert store.videos() == ['jump']
    header = store.header('jump')
    assert header.frame_inds.tolist() == [0, 1, 5]
    assert header.windows.tolist() == [[-10, 0, 50], [-9, 2, 50], [-5, 10, 50]]
    assert (header.size, header.flow, header.frame_shape) == (32, FLOW, (48, 64))
    assert header.starts.tolist() == [0, 5]
    for i in (0, 1, 5):
        rgb, flow, mask = store.read('jump', i)
        assert np.abs(rgb.astype(int) - _image(i)).mean() < 3
        assert np.linalg.norm(flow - _flow(i), axis=-1).mean() < 0.25
        assert (mask is None) == (i % 2 == 0)
        np.testing.assert_array_equal(store.crop('jump', i), rgb)
        np.testing.assert_array_equal(store.flow('jump', i), flow)
        assert np.abs(store.frame_image('jump', i).astype(int) - _image(i, 64)[:48]).mean() < 12
    np.testing.assert_array_equal(store.mask('jump', 5), np.eye(32, dtype=bool))
    assert store.mask('jump', 0) is None


def test_crop_flow_and_mask_of_a_frame_are_one_fetch(shard, monkeypatch):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    store, keys = CropStore(shard.parent), []
    monkeypatch.setattr(
        'vpd_mm.corpus.crop_store.read_stored', lambda path, key: keys.append(key) or read_stored(path, key)
    )
    for frame in (0, 1, 0):
        store.crop('jump', frame), store.flow('jump', frame), store.mask('jump', frame)
    assert keys == [frame_key(CROP, 'jump', frame) for frame in (0, 1, 0)]


def test_channels_and_signs_do_not_swap(shard):
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[...] = (250, 120, 10)
    flow = np.zeros((32, 32, 2), np.float32)
    flow[...] = (7, -3)
    with CropWriter(shard) as writer, writer.video('v', 32, FLOW) as video:
        video.add(0, (0, 0, 32), rgb, flow)
        video.add(1, (0, 0, 32), rgb, np.zeros_like(flow))
        video.add(2, (0, 0, 32), rgb, np.full_like(flow, 99))
    store = CropStore(shard.parent)
    assert np.abs(store.crop('v', 0).astype(int) - (250, 120, 10)).max() <= 2
    assert store.flow('v', 0).mean(axis=(0, 1)) == pytest.approx((7, -3), abs=0.08)
    assert not store.flow('v', 1).any(), 'zero flow is exact'
    assert store.flow('v', 2).max() == 20


def test_all_shards_are_read_as_one(shard):
    for k, names in enumerate((['a', 'c'], ['b'])):
        with CropWriter(shard.with_name(f'shard-00{k}-00.lmdb')) as writer:
            for name in names:
                _write(writer, name)
    store = CropStore(shard.parent)
    assert store.videos() == ['a', 'b', 'c']
    assert len(store) == 3
    assert 'b' in store
    np.testing.assert_array_equal(store.crop('a', 5), store.crop('b', 5))


def test_the_settings_of_all_videos_are_kept_and_frames_of_some(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.corpus.crop_store._CACHED_FRAMES', 5)
    with CropWriter(shard) as writer:
        for name in ('a', 'b'):
            _write(writer, name)
    store, read = CropStore(shard.parent), []
    monkeypatch.setattr(
        'vpd_mm.corpus.crop_store.read_value', lambda path, key: read.append(key) or read_value(path, key)
    )
    for _ in range(2):
        for name in ('a', 'b'):
            assert len(store.header(name)) == 3
            store.crop(name, 5), store.flow(name, 5), store.mask(name, 5)
    assert read == [header_key(name) for name in ('a', 'b', 'a', 'b')]
    store = pickle.loads(pickle.dumps(store))
    settings = store.settings('a')
    assert (settings.size, settings.flow, len(settings), settings.starts.size) == (32, FLOW, 0, 0)
    assert len(read) == 4


def test_threads_share_the_headers(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.corpus.crop_store._CACHED_FRAMES', 8)
    names = [f'v{i}' for i in range(8)]
    with CropWriter(shard) as writer:
        for name in names:
            _write(writer, name)
    store = CropStore(shard.parent)
    draws = np.random.default_rng(0).choice(names, 1000)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda name: len(store.header(name)) == 3 and store.settings(name).size == 32, draws))
    finally:
        sys.setswitchinterval(before)


def test_reading_writes_nothing(shard):
    """A shard on a read-only medium is read as any other."""
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    ENVIRONMENTS.close(shard)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shard.parent.iterdir()}
    CropStore(shard.parent).read('jump', 0)
    assert ENVIRONMENTS.reader(shard).flags()['readonly']
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shard.parent.iterdir()} == before


def test_the_map_grows_and_chunks_flush(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.corpus.shard._FIRST_MAP_BYTES', 64 << 10)
    monkeypatch.setattr(crop_writer, '_CHUNK_BYTES', 10_000)
    with CropWriter(shard) as writer:
        _write(writer, 'long', range(200))
    assert len(CropStore(shard.parent).header('long')) == 200
    assert shard.stat().st_size > 64 << 10


def test_error_in_the_middle_leaves_nothing(shard, monkeypatch):
    monkeypatch.setattr(crop_writer, '_CHUNK_BYTES', 1000)

    def frames():
        yield from range(3)
        raise ZeroDivisionError

    with CropWriter(shard) as writer:
        _write(writer, 'whole')
        with pytest.raises(ZeroDivisionError):
            _write(writer, 'half', frames())
        assert CropStore(shard.parent).videos() == ['whole']
        _write(writer, 'half')
    assert CropStore(shard.parent).videos() == ['half', 'whole']


def _entries(shard):
    env = lmdb.open(str(shard), subdir=False, readonly=True, lock=False)
    with env.begin() as txn:
        entries = dict(txn.cursor())
    env.close()
    return entries


def test_kill_in_the_middle_then_again(shard, tmp_path):
    code = """
crop_writer._CHUNK_BYTES = 5000
writer = CropWriter(Path(sys.argv[1]))
_write(writer, 'done')
with writer.video('half', 32, FLOW) as video:
    for i in range(20):
        video.add(i, (0, 0, 9), _image(i), _flow(i))
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=False).returncode == -9
    assert any(key.startswith(b'c/half/') for key in _entries(shard)), 'the test must leave chunks'
    assert unfinished_videos(shard) == ['half']
    assert CropStore(shard.parent).videos() == ['done']
    with CropWriter(shard) as writer:
        assert not any(b'half' in key for key in _read_keys(shard))
        _write(writer, 'half')
    whole = tmp_path / 'whole' / 'shard-000-00.lmdb'
    with CropWriter(whole) as writer:
        _write(writer, 'done')
        _write(writer, 'half')
    for path in (shard, whole):
        ENVIRONMENTS.close(path)
    assert _entries(shard) == _entries(whole)


def _read_keys(shard):
    with ENVIRONMENTS.reader(shard).begin() as txn:
        return list(txn.cursor().iternext(values=False))


def test_a_shard_has_one_writer(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.engine.locks.time.sleep', lambda _: None)
    monkeypatch.setattr('vpd_mm.engine.locks.time.monotonic', iter(range(0, 10_000, 20)).__next__)
    with CropWriter(shard), pytest.raises(UserError, match='another process writes this shard'):
        CropWriter(shard)
    CropWriter(shard).close()


def test_disk_full_is_one_line_and_recoverable(shard):
    code = """
crop_writer._CHUNK_BYTES = 20000
with CropWriter(Path(sys.argv[1])) as writer:
    _write(writer, 'small')
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        _write(writer, 'large', range(400))
    except UserError as e:
        print(e)
"""
    run = subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=True, capture_output=True, text=True)
    assert run.stdout.startswith(f'{shard}: cannot be written'), run
    assert run.stdout.count('\n') == 1
    assert CropStore(shard.parent).videos() == ['small']
    with CropWriter(shard) as writer:
        _write(writer, 'large', range(400))
    store = CropStore(shard.parent)
    assert store.videos() == ['large', 'small']
    assert store.crop('large', 399).shape == (32, 32, 3)


def _sum_in_child(store, queue):
    queue.put(int(store.crop('jump', 1).sum()))


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_other_processes_can_read(shard, method):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    store = CropStore(shard.parent)
    here = int(store.crop('jump', 1).sum())
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    if method == 'spawn':  # a spawned worker gets the pickle
        assert int(pickle.loads(pickle.dumps(store)).crop('jump', 1).sum()) == here
        return
    process = context.Process(target=_sum_in_child, args=(store, queue))
    process.start()
    assert queue.get(timeout=20) == here
    process.join()


def test_two_readers_and_a_writer_in_one_process(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'a')
        first = CropStore(shard.parent)
        assert first.crop('a', 0).any()
        _write(writer, 'b')
        second = CropStore(shard.parent)
        assert second.videos() == ['a', 'b']
        assert first.crop('a', 1).any()
    assert first.crop('a', 1).any()
    assert second.crop('b', 1).any()


def test_reader_follows_growth_by_another_process(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'a')
    store = CropStore(shard.parent)
    assert store.crop('a', 0).any()
    code = """
with CropWriter(Path(sys.argv[1])) as writer:
    for k in range(4):
        _write(writer, f'b{k}', range(60), size=128)
"""
    subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=True)
    assert store.crop('a', 5).any()
    assert len(CropStore(shard.parent)) == 5


def test_missing_shards_videos_and_frames_are_named(shard):
    assert CropStore(shard.parent).videos() == []
    with pytest.raises(UserError, match="no crops of video 'jump' among 0; run tools/prepare"):
        CropStore(shard.parent).crop('jump', 0)
    with CropWriter(shard) as writer:
        _write(writer, 'jump', flow=None, mask=False)
    store = CropStore(shard.parent)
    with pytest.raises(UserError, match="no crops of video 'dive' among 1"):
        store.crop('dive', 0)
    with pytest.raises(UserError, match=r"'jump' has no frame 2; it holds 3 \(0\.\.5\)"):
        store.crop('jump', 2)
    with pytest.raises(UserError, match=r'has no flow.*--flow'):
        store.flow('jump', 0)
    with pytest.raises(UserError, match=r'no whole frames.*--full-frame'):
        store.frame_image('jump', 0)
    assert store.read('jump', 0).flow is None
    os.remove(shard)
    with pytest.raises(UserError, match='shard is missing'):
        store.crop('jump', 0)


def _replace(shard, key, value):
    ENVIRONMENTS.close(shard)
    env = lmdb.open(str(shard), subdir=False, lock=False, map_size=16 << 20)
    with env.begin(write=True) as txn:
        txn.delete(key) if value is None else txn.put(key, value)
    env.close()


def _bomb():
    data = bytearray(crop_codec.encode_rgb(_image(0)))
    at = data.index(b'\xff\xc0') + 5
    data[at : at + 4] = b'\xff\xff\xff\xff'
    return crop_codec.pack_record(bytes(data))


@pytest.mark.parametrize(
    ('record', 'message'),
    [
        (b'', 'record of 0 bytes'),
        (b'\xff' * 40, 'has parts of'),
        (crop_codec.pack_record(b'not an image at all'), 'neither JPEG nor 8-bit grey PNG'),
        (crop_codec.pack_record(crop_codec.encode_rgb(_image(0, 64))), r'image is \(64, 64, 3\)'),
        (_bomb(), r'image is \(65535, 65535, 3\)'),
    ],
)
def test_damaged_records_are_refused_before_decoding(shard, record, message):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    _replace(shard, frame_key(CROP, 'jump', 1), record)
    with pytest.raises(UserError, match=message) as caught:
        CropStore(shard.parent).crop('jump', 1)
    assert f"{shard}: video 'jump', frame 1" in str(caught.value)


def _header(**changes):
    valid = CropHeader(32, None, None, 900, np.array([0]), np.array([[0, 0, 9]]), np.array([0]))
    return json.dumps(valid.to_json() | changes).encode()


@pytest.mark.parametrize(
    ('header', 'message'),
    [
        (b'{"version": 2}', 'version 2'),
        (b'{"version": 1}', 'damaged'),
        (b'{"vers', 'damaged'),
        (b'[]', 'damaged'),
        (b'{"a":' * 100_000, 'nested too deep'),
        (_header(frame_inds=[10**17]), 'sizes or frame numbers'),
        (_header(frame_inds=[-1]), 'sizes or frame numbers'),
        (_header(frame_inds=[1.5]), 'not whole numbers'),
        (_header(frame_inds=[1e400]), 'not whole numbers'),
        (_header(frame_inds=[True]), 'not whole numbers'),
        (_header(windows=[[0, 0, 0]]), 'sizes or frame numbers'),
        (_header(windows=[[0, 10**17, 9]]), 'sizes or frame numbers'),
        (_header(frame_shape=[48]), 'sizes or frame numbers'),
        (_header(frame_shape=['a', 3]), 'damaged'),
        (_header(flow={'clip': 1e400}), 'sizes or frame numbers'),
        (_header(flow={'clip': 'x'}), 'damaged'),
        (_header(flow=[]), 'damaged'),
        (_header(size=32.0), 'sizes or frame numbers'),
    ],
)
def test_damaged_headers_are_refused(shard, header, message):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    _replace(shard, header_key('jump'), header)
    with pytest.raises(UserError, match=message):
        CropStore(shard.parent).header('jump')


def _as_former_version(shard):
    """Take the checksums out of a shard."""
    entries = {key: unseal(key, value) for key, value in _entries(shard).items() if key != VIDEOS}
    shard.unlink()
    for key, value in entries.items():
        _replace(shard, key, value)


def test_a_shard_without_checksums_stays_readable_and_gets_new_videos(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'old', whole=True)
    before = CropStore(shard.parent).read('old', 1)
    ENVIRONMENTS.close(shard)
    _as_former_version(shard)
    with CropWriter(shard) as writer:
        _write(writer, 'new')
    store = CropStore(shard.parent)
    assert store.videos() == ['new', 'old']
    np.testing.assert_array_equal(store.read('old', 1).rgb, before.rgb)
    assert store.frame_image('old', 5).shape == (48, 64, 3)
    ENVIRONMENTS.close(shard)
    sealed = {key: is_sealed(value) for key, value in _entries(shard).items()}
    assert {key.split(b'/')[1]: value for key, value in sealed.items()} == {
        b'videos': True,
        b'new': True,
        b'old': False,
    }


def test_every_flipped_bit_of_a_value_is_found(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'jump', frames=[0], whole=True)
    entries = _entries(shard)
    rng = np.random.default_rng(0)
    for key in (frame_key(CROP, 'jump', 0), frame_key(IMAGE, 'jump', 0), header_key('jump')):
        bits = [*range(64), *rng.integers(0, 8 * len(entries[key]), 10).tolist(), 8 * len(entries[key]) - 1]
        for bit in bits:
            value = bytearray(entries[key])
            value[bit // 8] ^= 1 << bit % 8
            _replace(shard, key, bytes(value))
            store = CropStore(shard.parent)
            with pytest.raises(UserError, match=r"shard-000-00\.lmdb: video 'jump'"):
                store.frame_image('jump', 0) if key.startswith(IMAGE) else store.read('jump', 0)
        _replace(shard, key, entries[key])
    _replace(shard, frame_key(CROP, 'jump', 0), seal(b'c/jump/0000000001', b'of another frame'))
    with pytest.raises(UserError, match='differs from its checksum'):
        CropStore(shard.parent).crop('jump', 0)


def test_videos_that_vanished_are_noticed(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'a')
        _write(writer, 'b')
    _replace(shard, header_key('a'), None)
    with pytest.raises(UserError, match='videos are missing'):
        CropStore(shard.parent).videos()


@pytest.mark.parametrize('name', ['../../../x/notes', '/notes', 'a\0b', '.hidden', 'a\x1b[2J', b'\xff\xfe'])
def test_a_key_that_names_no_video_is_refused(shard, name):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
    name = name if isinstance(name, bytes) else name.encode()
    _replace(shard, VIDEOS, None)
    _replace(shard, b'h/' + name, b'{}')
    with pytest.raises(UserError, match='names no video') as caught:
        CropStore(shard.parent).videos()
    assert str(caught.value).isprintable()
    _replace(shard, b'h/' + name, None)
    _replace(shard, b'w/' + name, b'')
    with pytest.raises(UserError, match='names no video'):
        CropWriter(shard)


def test_a_fifo_is_no_shard(shard):
    shard.parent.mkdir()
    os.mkfifo(shard)
    with pytest.raises(UserError, match='not a regular file'):
        CropStore(shard.parent).videos()


def test_damaged_shards_are_refused(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'jump', range(100))
    os.truncate(shard, shard.stat().st_size // 2)
    ENVIRONMENTS.close(shard)
    with pytest.raises(UserError, match='cut short'):
        CropStore(shard.parent).videos()
    shard.write_bytes(b'garbage' * 9999)
    with pytest.raises(UserError, match='no readable shard'):
        CropStore(shard.parent).videos()
    with pytest.raises(UserError, match='no readable shard'):
        CropWriter(shard)


def test_writer_checks_its_arguments(shard):
    with CropWriter(shard) as writer:
        _write(writer, 'jump')
        with pytest.raises(UserError, match='holds video'):
            _write(writer, 'jump')
        for bad in (
            {'rgb': _image(0, 64)},
            {'flow': None},
            {'mask': np.zeros((3, 3), bool)},
            {'frame_image': _image(0)},
            {'frame_ind': -1},
        ):
            good = {'frame_ind': 0, 'window': (0, 0, 9), 'rgb': _image(0), 'flow': _flow(0)}
            with pytest.raises(ValueError, match='must'), writer.video('bad', 32, FLOW) as video:
                video.add(**(good | bad))
    assert CropStore(shard.parent).videos() == ['jump']
