"""Boxes of the VPD release and npz: values, athletes, errors with file and entry."""

import gzip
import json

import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.importers import read_boxes
from vpd_mm.structures import AthleteTrack


def write_boxes(root, video, entries):
    folder = root / video
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'boxes.json').write_text(json.dumps(entries))


def test_real_boxes(shared):
    track = read_boxes(shared / 'videos/poses', 'wall_flip', (1768, 994), 230)['']
    assert len(track) == 225
    assert track.boxes[0].tolist() == [578.0, 98.0, 752.0, 472.0]


def test_xywh_becomes_xyxy_in_order_of_frames(tmp_path):
    write_boxes(tmp_path, 'v', [[3, [10, 20, 30, 40]], [1, [-5, 0, 10.5, 8]]])
    track = read_boxes(tmp_path, 'v', (100, 100), 4)['']
    assert track.frame_inds.tolist() == [1, 3]
    assert track.boxes.tolist() == [[-5, 0, 5.5, 8], [10, 20, 40, 60]]
    assert track.scores.tolist() == [1, 1]


def test_two_players_of_one_clip(tmp_path):
    write_boxes(tmp_path, 'front__clip', [[0, [0, 0, 5, 5]]])
    write_boxes(tmp_path, 'back__clip', [[0, [9, 0, 5, 5]]])
    write_boxes(tmp_path, 'front__other', [[0, [1, 1, 5, 5]]])
    tracks = read_boxes(tmp_path, 'clip')
    assert list(tracks) == ['back', 'front']
    assert tracks['back'].boxes[0, 0] == 9
    assert list(read_boxes(tmp_path, 'front__clip')) == ['']


def test_own_npz_comes_first(tmp_path):
    write_boxes(tmp_path, 'v', [[0, [0, 0, 5, 5]]])
    own = AthleteTrack(np.array([2]), np.array([[1, 2, 3, 4]], np.float32), np.ones(1, np.float32))
    own.save(tmp_path / 'v.npz')
    assert read_boxes(tmp_path, 'v')[''].frame_inds.tolist() == [2]
    with pytest.raises(UserError, match=r'v\.npz: frame 2 is past the end, the video has 2'):
        read_boxes(tmp_path, 'v', num_frames=2)


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ([[0, [0, 0, 5, 5]], [0, [1, 0, 5, 5]]], r'entry 1: frame 0 occurs twice'),
        ([[0, [0, 0, 0, 5]]], r'box .* of frame 0 has no area'),
        ([[0, [0, float('nan'), 5, 5]]], r'entry 0 \(frame 0\): a box .* NaN or infinity at index 1'),
        ([[9, [0, 0, 5, 5]]], r'entry 0: frame 9 is past the end, the video has 9'),
        ([[-1, [0, 0, 5, 5]]], r'entry 0: frame -1 is negative'),
        ([[1.5, [0, 0, 5, 5]]], r'entry 0: frame must be a whole number'),
        ([[10**400, [0, 0, 5, 5]]], r'entry 0: frame must be a whole number'),
        ([[0, [100, 0, 5, 5]]], r'box \[100\.0, 0\.0, 105\.0, 5\.0\] .* of frame 0 lies outside the 100x50 frame'),
        ([[0, [0, 0, 5]]], r'entry 0 \(frame 0\): needs a box \[x, y, w, h\], found a list of 3'),
        ([[0, 'box']], r'entry 0 \(frame 0\): needs a box'),
        ([[0, [1e300, 0, 5, 5]]], r'NaN or infinity'),
        ([0], r'entry 0: needs \[frame, \[x, y, w, h\]\]'),
        ({'a': 1}, r'needs a list of \[frame, \[x, y, w, h\]\]'),
    ],
)
def test_errors_name_file_and_entry(tmp_path, entries, message):
    write_boxes(tmp_path, 'v', entries)
    with pytest.raises(UserError, match=message) as caught:
        read_boxes(tmp_path, 'v', (100, 50), 9)
    assert 'boxes.json' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'data',
    [
        b'[[0, [1, 2, 3',
        b'',
        b'\xff\xfe',
        b'[' * 200_000,
        gzip.compress(b'[[0, [1, 2, 3, 4]]]', mtime=0)[:-9],
        b'\x1f\x8bxxxxxxxx',
    ],
    ids=['cut', 'empty', 'not text', 'deep', 'cut gzip', 'no gzip'],
)
def test_damaged_json(tmp_path, data):
    (tmp_path / 'v').mkdir()
    (tmp_path / 'v/boxes.json').write_bytes(data)
    with pytest.raises(UserError, match=r'boxes\.json: .*(truncated|damaged|nested too deep)'):
        read_boxes(tmp_path, 'v')


def test_gzip_bomb_is_not_unpacked(tmp_path):
    (tmp_path / 'v').mkdir()
    (tmp_path / 'v/boxes.json').write_bytes(gzip.compress(b' ' * (40 << 20)))
    with pytest.raises(UserError, match='unpacks to more than'):
        read_boxes(tmp_path, 'v')


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"no boxes of 'v'; expected v\.npz, v/boxes\.json"):
        read_boxes(tmp_path, 'v')
    with pytest.raises(UserError, match='no such folder of boxes'):
        read_boxes(tmp_path / 'x', 'v')
