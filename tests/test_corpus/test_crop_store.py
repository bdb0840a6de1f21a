"""CropStore: round trips, and reading beside other processes and threads."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from crop_shards import FLOW, crop_flow, crop_image, write_video

from vpd_mm.corpus import CropStore, CropWriter
from vpd_mm.corpus.shard import (
    CROP,
    ENVIRONMENTS,
    frame_key,
    header_key,
    read_stored,
    read_value,
)
from vpd_mm.errors import UserError

_IN_CHILD = f"""
import os, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from crop_shards import FLOW, crop_flow, crop_image, write_video
from vpd_mm.corpus import CropWriter, crop_writer
from vpd_mm.errors import UserError
"""


def test_round_trip(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump', whole=True)
    store = CropStore(shard.parent)
    assert store.videos() == ['jump']
    header = store.header('jump')
    assert header.frame_inds.tolist() == [0, 1, 5]
    assert header.windows.tolist() == [[-10, 0, 50], [-9, 2, 50], [-5, 10, 50]]
    assert (header.size, header.flow, header.frame_shape) == (32, FLOW, (48, 64))
    assert header.starts.tolist() == [0, 5]
    for i in (0, 1, 5):
        rgb, flow, mask = store.read('jump', i)
        assert np.abs(rgb.astype(int) - crop_image(i)).mean() < 3
        assert np.linalg.norm(flow - crop_flow(i), axis=-1).mean() < 0.25
        assert (mask is None) == (i % 2 == 0)
        np.testing.assert_array_equal(store.crop('jump', i), rgb)
        np.testing.assert_array_equal(store.flow('jump', i), flow)
        assert np.abs(store.frame_image('jump', i).astype(int) - crop_image(i, 64)[:48]).mean() < 12
    np.testing.assert_array_equal(store.mask('jump', 5), np.eye(32, dtype=bool))
    assert store.mask('jump', 0) is None


def test_crop_flow_and_mask_of_a_frame_are_one_fetch(shard, monkeypatch):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump')
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
                write_video(writer, name)
    store = CropStore(shard.parent)
    assert store.videos() == ['a', 'b', 'c']
    assert len(store) == 3
    assert 'b' in store
    np.testing.assert_array_equal(store.crop('a', 5), store.crop('b', 5))


def test_the_settings_of_all_videos_are_kept_and_frames_of_some(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.corpus.crop_store._CACHED_FRAMES', 5)
    with CropWriter(shard) as writer:
        for name in ('a', 'b'):
            write_video(writer, name)
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
            write_video(writer, name)
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
        write_video(writer, 'jump')
    ENVIRONMENTS.close(shard)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shard.parent.iterdir()}
    CropStore(shard.parent).read('jump', 0)
    assert ENVIRONMENTS.reader(shard).flags()['readonly']
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shard.parent.iterdir()} == before


def _sum_in_child(store, queue):
    queue.put(int(store.crop('jump', 1).sum()))


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_other_processes_can_read(shard, method):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump')
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
        write_video(writer, 'a')
        first = CropStore(shard.parent)
        assert first.crop('a', 0).any()
        write_video(writer, 'b')
        second = CropStore(shard.parent)
        assert second.videos() == ['a', 'b']
        assert first.crop('a', 1).any()
    assert first.crop('a', 1).any()
    assert second.crop('b', 1).any()


def test_reader_follows_growth_by_another_process(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'a')
    store = CropStore(shard.parent)
    assert store.crop('a', 0).any()
    code = """
with CropWriter(Path(sys.argv[1])) as writer:
    for k in range(4):
        write_video(writer, f'b{k}', range(60), size=128)
"""
    subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=True)
    assert store.crop('a', 5).any()
    assert len(CropStore(shard.parent)) == 5


def test_missing_shards_videos_and_frames_are_named(shard):
    assert CropStore(shard.parent).videos() == []
    with pytest.raises(UserError, match="no crops of video 'jump' among 0; run tools/prepare"):
        CropStore(shard.parent).crop('jump', 0)
    with CropWriter(shard) as writer:
        write_video(writer, 'jump', flow=None, mask=False)
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
