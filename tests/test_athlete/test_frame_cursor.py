"""Frames by number in any order are those of the iteration."""

import itertools

import numpy as np
import pytest
from media import damage_packets, frame_number, make_video, rotate_by_metadata

from vpd_mm.athlete import FrameCursor, VideoReader

NUM_FRAMES = 24
ORDERS = {
    'forward': range(NUM_FRAMES),
    'backward': range(NUM_FRAMES - 1, -1, -1),
    'jumps': [20, 3, 3, 19, 0, 23, 5, 6, 7, 4, 12, 11, 13],
}
VIDEOS = {
    'bframes.mp4': {'options': {'g': '12', 'bf': '3', 'preset': 'medium', 'crf': '12'}},
    'open_gop.mp4': {'options': {'x264-params': 'open-gop=1:keyint=8:bframes=3', 'crf': '12'}},
    'vfr.mkv': {'ticks': [i + i // 3 for i in range(NUM_FRAMES)]},
    'old.avi': {'codec': 'mpeg4', 'options': {'qscale': '2', 'bf': '2'}},
    'rotated.mp4': {'size': (64, 48)},
    'stream.ts': {},
}


@pytest.fixture(scope='module')
def readers(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    for name, settings in VIDEOS.items():
        make_video(folder / name, NUM_FRAMES, **settings)
    rotate_by_metadata(folder / 'rotated.mp4')
    return {name: VideoReader(folder / name) for name in VIDEOS}


@pytest.mark.parametrize(('name', 'order'), itertools.product(VIDEOS, ORDERS))
def test_any_order_gives_the_frames_of_the_iteration(readers, name, order):
    frames = dict(readers[name])
    assert sorted(frames) == list(range(NUM_FRAMES))
    cursor = FrameCursor(readers[name])
    for position in ORDERS[order]:
        np.testing.assert_array_equal(cursor.read(position), frames[position])
    cursor.close()


def test_a_damaged_frame_is_none_and_its_neighbours_keep_their_numbers(tmp_path):
    reader = VideoReader(damage_packets(make_video(tmp_path / 'damaged.mp4', NUM_FRAMES), [8, 9]))
    intact = dict(reader)
    assert len(intact) < NUM_FRAMES
    for order in ORDERS.values():
        cursor = FrameCursor(reader)
        read = {position: cursor.read(position) for position in order}
        assert {p for p, rgb in read.items() if rgb is not None} <= set(intact)
        assert all(frame_number(rgb) == p for p, rgb in read.items() if rgb is not None and (p < 6 or p >= 12))
        cursor.close()


def test_several_cursors_read_one_file_and_one_can_be_stopped(readers):
    reader = readers['bframes.mp4']
    first, second = FrameCursor(reader), FrameCursor(reader)
    for a, b in zip(range(12), range(23, 11, -1)):
        assert (frame_number(first.read(a)), frame_number(second.read(b))) == (a, b)
    asked = iter([False, False, True])
    assert first.read(22, lambda: next(asked)) is None
    assert frame_number(first.read(22)) == 22
    first.close()
    assert frame_number(first.read(2)) == 2


@pytest.mark.parametrize('num_decoded', range(8))
def test_frames_left_out_on_a_way_that_was_stopped_are_read_later(readers, num_decoded):
    cursor = FrameCursor(readers['bframes.mp4'])
    for later in range(12, 23):  # on the way to a frame, those that no other needs are not decoded
        asked = iter([False] * num_decoded + [True])
        cursor.close()
        cursor.read(23, lambda asked=asked: next(asked, True))
        assert frame_number(cursor.read(later)) == later
    cursor.close()


def test_steps_forward_are_decoded_without_a_new_start(readers, monkeypatch):
    starts = []
    original = VideoReader.decode_from
    monkeypatch.setattr(VideoReader, 'decode_from', lambda self, first: starts.append(first) or original(self, first))
    cursor = FrameCursor(readers['bframes.mp4'])
    for position in [2, 3, 3, 5, 11, 14, 13]:
        assert frame_number(cursor.read(position)) == position
    assert starts == [2, 13]
