"""Damaged and former shards of crops."""

import json
import os
import resource

import numpy as np
import pytest
from crop_shards import crop_image, entries_of, replace_entry, write_video

from vpd_mm.corpus import CropHeader, CropStore, CropWriter, crop_codec
from vpd_mm.corpus.shard import (
    CROP,
    ENVIRONMENTS,
    IMAGE,
    VIDEOS,
    frame_key,
    header_key,
    is_sealed,
    seal,
    unseal,
)
from vpd_mm.errors import UserError


def _bomb():
    data = bytearray(crop_codec.encode_rgb(crop_image(0)))
    at = data.index(b'\xff\xc0') + 5
    data[at : at + 4] = b'\xff\xff\xff\xff'
    return crop_codec.pack_record(bytes(data))


@pytest.mark.parametrize(
    ('record', 'message'),
    [
        (b'', 'record of 0 bytes'),
        (b'\xff' * 40, 'has parts of'),
        (crop_codec.pack_record(b'not an image at all'), 'neither JPEG nor grey PNG of 8 bits or 1'),
        (crop_codec.pack_record(crop_codec.encode_rgb(crop_image(0, 64))), r'image is \(64, 64, 3\)'),
        (_bomb(), r'image is \(65535, 65535, 3\)'),
    ],
)
def test_damaged_records_are_refused_before_decoding(shard, record, message):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump')
    replace_entry(shard, frame_key(CROP, 'jump', 1), record)
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
        write_video(writer, 'jump')
    replace_entry(shard, header_key('jump'), header)
    with pytest.raises(UserError, match=message):
        CropStore(shard.parent).header('jump')


def _as_former_version(shard):
    """Take the checksums out of a shard."""
    entries = {key: unseal(key, value) for key, value in entries_of(shard).items() if key != VIDEOS}
    shard.unlink()
    for key, value in entries.items():
        replace_entry(shard, key, value)


def test_a_shard_without_checksums_stays_readable_and_gets_new_videos(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'old', whole=True)
    before = CropStore(shard.parent).read('old', 1)
    ENVIRONMENTS.close(shard)
    _as_former_version(shard)
    with CropWriter(shard) as writer:
        write_video(writer, 'new')
    store = CropStore(shard.parent)
    assert store.videos() == ['new', 'old']
    np.testing.assert_array_equal(store.read('old', 1).rgb, before.rgb)
    assert store.frame_image('old', 5).shape == (48, 64, 3)
    ENVIRONMENTS.close(shard)
    sealed = {key: is_sealed(value) for key, value in entries_of(shard).items()}
    assert {key.split(b'/')[1]: value for key, value in sealed.items()} == {
        b'videos': True,
        b'new': True,
        b'old': False,
    }


def test_every_flipped_bit_of_a_value_is_found(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump', frames=[0], whole=True)
    entries = entries_of(shard)
    rng = np.random.default_rng(0)
    for key in (frame_key(CROP, 'jump', 0), frame_key(IMAGE, 'jump', 0), header_key('jump')):
        bits = [*range(64), *rng.integers(0, 8 * len(entries[key]), 10).tolist(), 8 * len(entries[key]) - 1]
        for bit in bits:
            value = bytearray(entries[key])
            value[bit // 8] ^= 1 << bit % 8
            replace_entry(shard, key, bytes(value))
            store = CropStore(shard.parent)
            with pytest.raises(UserError, match=r"shard-000-00\.lmdb: video 'jump'"):
                store.frame_image('jump', 0) if key.startswith(IMAGE) else store.read('jump', 0)
        replace_entry(shard, key, entries[key])
    replace_entry(shard, frame_key(CROP, 'jump', 0), seal(b'c/jump/0000000001', b'of another frame'))
    with pytest.raises(UserError, match='differs from its checksum'):
        CropStore(shard.parent).crop('jump', 0)


def test_videos_that_vanished_are_noticed(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'a')
        write_video(writer, 'b')
    replace_entry(shard, header_key('a'), None)
    with pytest.raises(UserError, match='videos are missing'):
        CropStore(shard.parent).videos()


@pytest.mark.parametrize('name', ['../../../x/notes', '/notes', 'a\0b', '.hidden', 'a\x1b[2J', b'\xff\xfe'])
def test_a_key_that_names_no_video_is_refused(shard, name):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump')
    name = name if isinstance(name, bytes) else name.encode()
    replace_entry(shard, VIDEOS, None)
    replace_entry(shard, b'h/' + name, b'{}')
    with pytest.raises(UserError, match='names no video') as caught:
        CropStore(shard.parent).videos()
    assert str(caught.value).isprintable()
    replace_entry(shard, b'h/' + name, None)
    replace_entry(shard, b'w/' + name, b'')
    with pytest.raises(UserError, match='names no video'):
        CropWriter(shard)


def test_a_fifo_is_no_shard(shard):
    shard.parent.mkdir()
    os.mkfifo(shard)
    with pytest.raises(UserError, match='not a regular file'):
        CropStore(shard.parent).videos()


def test_where_memory_is_limited_an_intact_shard_is_not_called_damaged(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump', range(100))
    ENVIRONMENTS.close(shard)
    pid = os.fork()
    if pid == 0:
        answer = ''
        try:
            resource.setrlimit(resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
            ENVIRONMENTS.reader(shard)
        except Exception as e:
            answer = str(e)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.write(2, answer.encode())  # pytest shows it where the test fails
        os._exit(0 if 'Cannot allocate memory); raise ulimit -v' in answer else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_damaged_shards_are_refused(shard):
    with CropWriter(shard) as writer:
        write_video(writer, 'jump', range(100))
    os.truncate(shard, shard.stat().st_size // 2)
    ENVIRONMENTS.close(shard)
    with pytest.raises(UserError, match='cut short'):
        CropStore(shard.parent).videos()
    shard.write_bytes(b'garbage' * 9999)
    with pytest.raises(UserError, match=r'no readable shard \(.*\); delete it'):
        CropStore(shard.parent).videos()
    with pytest.raises(UserError, match='no readable shard'):
        CropWriter(shard)
