"""CropWriter: growth, errors, kills and full disks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crop_shards import FLOW, crop_flow, crop_image, entries_of, write_video

from vpd_mm.corpus import CropStore, CropWriter, crop_writer
from vpd_mm.corpus.shard import (
    ENVIRONMENTS,
    unfinished_videos,
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


def test_the_map_grows_and_chunks_flush(shard, monkeypatch):
    monkeypatch.setattr('vpd_mm.corpus.shard._FIRST_MAP_BYTES', 64 << 10)
    monkeypatch.setattr(crop_writer, '_CHUNK_BYTES', 10_000)
    with CropWriter(shard) as writer:
        write_video(writer, 'long', range(200))
    assert len(CropStore(shard.parent).header('long')) == 200
    assert shard.stat().st_size > 64 << 10


def test_error_in_the_middle_leaves_nothing(shard, monkeypatch):
    monkeypatch.setattr(crop_writer, '_CHUNK_BYTES', 1000)

    def frames():
        yield from range(3)
        raise ZeroDivisionError

    with CropWriter(shard) as writer:
        write_video(writer, 'whole')
        with pytest.raises(ZeroDivisionError):
            write_video(writer, 'half', frames())
        assert CropStore(shard.parent).videos() == ['whole']
        write_video(writer, 'half')
    assert CropStore(shard.parent).videos() == ['half', 'whole']


def test_kill_in_the_middle_then_again(shard, tmp_path):
    code = """
crop_writer._CHUNK_BYTES = 5000
writer = CropWriter(Path(sys.argv[1]))
write_video(writer, 'done')
with writer.video('half', 32, FLOW) as video:
    for i in range(20):
        video.add(i, (0, 0, 9), crop_image(i), crop_flow(i))
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=False).returncode == -9
    assert any(key.startswith(b'c/half/') for key in entries_of(shard)), 'the test must leave chunks'
    assert unfinished_videos(shard) == ['half']
    assert CropStore(shard.parent).videos() == ['done']
    with CropWriter(shard) as writer:
        assert not any(b'half' in key for key in _read_keys(shard))
        write_video(writer, 'half')
    whole = tmp_path / 'whole' / 'shard-000-00.lmdb'
    with CropWriter(whole) as writer:
        write_video(writer, 'done')
        write_video(writer, 'half')
    for path in (shard, whole):
        ENVIRONMENTS.close(path)
    assert entries_of(shard) == entries_of(whole)


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
    write_video(writer, 'small')
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        write_video(writer, 'large', range(400))
    except UserError as e:
        print(e)
"""
    run = subprocess.run([sys.executable, '-c', _IN_CHILD + code, shard], check=True, capture_output=True, text=True)
    assert run.stdout.startswith(f'{shard}: cannot be written'), run
    assert run.stdout.count('\n') == 1
    assert CropStore(shard.parent).videos() == ['small']
    with CropWriter(shard) as writer:
        write_video(writer, 'large', range(400))
    store = CropStore(shard.parent)
    assert store.videos() == ['large', 'small']
    assert store.crop('large', 399).shape == (32, 32, 3)


def test_writer_checks_its_arguments(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump')
        with pytest.raises(UserError, match='holds video'):
            write_video(writer, 'jump')
        for bad in (
            {'rgb': crop_image(0, 64)},
            {'flow': None},
            {'mask': np.zeros((3, 3), bool)},
            {'frame_image': crop_image(0)},
            {'frame_ind': -1},
        ):
            good = {'frame_ind': 0, 'window': (0, 0, 9), 'rgb': crop_image(0), 'flow': crop_flow(0)}
            with pytest.raises(ValueError, match='must'), writer.video('bad', 32, FLOW) as video:
                video.add(**(good | bad))
    assert CropStore(shard.parent).videos() == ['jump']
