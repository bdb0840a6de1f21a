"""VideoReader: frame numbers, colors, orientation and invalid files."""

import gc
import subprocess
import sys

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from media import (
    cut_file,
    damage_packets,
    edit_duration,
    frame_number,
    frame_picture,
    make_sound,
    make_video,
    restamp,
    rotate_by_metadata,
    write_display_matrix,
)

from benchmarks.containers import copy_packets
from vpd_mm.athlete import VideoReader
from vpd_mm.athlete.video_reader import frame_times
from vpd_mm.compat.pyav_reader import PyAVReader
from vpd_mm.errors import UserError

CODECS = [('a.mp4', 'libx264'), ('a.avi', 'mpeg4'), ('a.mkv', 'libx264')]


@pytest.mark.parametrize(('name', 'codec'), CODECS)
def test_frames_come_in_order(tmp_path, name, codec):
    reader = VideoReader(make_video(tmp_path / name, 20, codec=codec))
    assert (reader.fps, reader.num_frames, reader.width, reader.height) == (25.0, 20, 64, 48)
    for _ in range(2):  # every iteration starts from the beginning
        frames = list(reader)
        assert [i for i, _ in frames] == list(range(20))
        assert [frame_number(rgb) for _, rgb in frames] == list(range(20))
    assert reader.num_damaged == 0
    rgb = frames[7][1]
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - frame_picture(7)).mean() < 12
    rgb[:] = 0
    assert frames[8][1].any(), 'frames must not share memory'


@pytest.mark.parametrize(
    ('space', 'colour_range'),
    [(Colorspace.ITU709, ColorRange.MPEG), (Colorspace.ITU601, ColorRange.MPEG), (Colorspace.ITU709, ColorRange.JPEG)],
)
def test_colors_follow_the_matrix_and_range_of_the_file(tmp_path, space, colour_range):
    colour = (200, 60, 40)
    with av.open(str(tmp_path / 'c.mp4'), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, 'yuv420p', {'crf': '4'}
        stream.codec_context.colorspace = 1 if space == Colorspace.ITU709 else 5
        stream.codec_context.color_range = int(colour_range)
        image = np.full((48, 64, 3), colour, np.uint8)
        frame = av.VideoFrame.from_ndarray(image)
        frame = frame.reformat(format='yuv420p', dst_colorspace=space, dst_color_range=colour_range)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    [(_, rgb)] = VideoReader(tmp_path / 'c.mp4')
    assert np.abs(rgb.astype(int) - colour).max() <= 4
    [same] = PyAVReader((tmp_path / 'c.mp4').read_bytes()).get_batch([0])  # that of mmaction2's data sets
    np.testing.assert_array_equal(same, rgb)


@pytest.mark.parametrize('clockwise', [True, False])
def test_rotation_metadata_is_applied(tmp_path, clockwise):
    path = make_video(tmp_path / 'r.mp4', 3)
    upright = [rgb for _, rgb in VideoReader(path)]
    reader = VideoReader(rotate_by_metadata(path, clockwise))
    assert (reader.width, reader.height) == (48, 64)
    turned = [rgb for _, rgb in reader]
    np.testing.assert_array_equal(turned[1], np.rot90(upright[1], -1 if clockwise else 1))


@pytest.mark.parametrize(
    'abcd',
    [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0), (1, 0, 0, 1), (-1, 0, 0, -1)],
    ids=['hflip', 'vflip', 'transpose', 'transverse', 'as is', 'half turn'],
)
def test_mirroring_metadata_is_applied(tmp_path, abcd):
    path = make_video(tmp_path / 'm.mp4', 1)
    [(_, stored)] = VideoReader(path)
    [(_, shown)] = VideoReader(write_display_matrix(path, abcd))
    a, b, c, d = abcd
    y, x = np.indices(stored.shape[:2])
    to_x, to_y = a * x + c * y, b * x + d * y
    expected = np.zeros((np.ptp(to_y) + 1, np.ptp(to_x) + 1, 3), np.uint8)
    expected[to_y - to_y.min(), to_x - to_x.min()] = stored
    np.testing.assert_array_equal(shown, expected)


def test_frames_outside_an_edit_list_are_hidden_but_not_missing(tmp_path):
    source = make_video(tmp_path / 'whole.mp4', 24)
    trimmed = VideoReader(copy_packets(source, tmp_path / 'trim.mp4', earlier=4 / 25))
    assert trimmed.num_frames == 20
    assert [(i, frame_number(rgb)) for i, rgb in trimmed] == [(i, i + 4) for i in range(20)]
    shortened = VideoReader(edit_duration(source, 0.4))
    assert [(i, frame_number(rgb)) for i, rgb in shortened] == [(i, i) for i in range(10)]


@pytest.mark.parametrize(
    'ticks', [[*range(10), *range(10, 150, 10)], range(100, 124)], ids=['slower in the end', 'starts at 4 s']
)
def test_matroska_completeness_is_checked_by_duration(tmp_path, ticks):
    path = make_video(tmp_path / 'v.mkv', 24, ticks=ticks)
    assert [(i, frame_number(rgb)) for i, rgb in VideoReader(path)] == [(i, i) for i in range(24)]
    with pytest.raises(UserError, match=rf'cut short, holds \d\.\d\d of {(ticks[-1] + 1) / 25:.2f} s'):
        VideoReader(cut_file(path, 0.3))


@pytest.mark.parametrize('name', ['cut.ts', 'cut.mkv', 'cut.mp4'])
def test_open_gop_starts_with_the_first_shown_frame(tmp_path, name):
    x265 = 'log-level=0:open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0'
    source = make_video(tmp_path / 'whole.mp4', 24, codec='libx265', options={'x265-params': x265})
    path = copy_packets(source, tmp_path / name, from_key=1)
    reader = VideoReader(path)
    frames = dict(reader)
    assert [(i, frame_number(rgb)) for i, rgb in frames.items()] == [(i, i + 8) for i in range(16)]
    assert (reader.num_frames, reader.num_damaged) == (16, 0)
    for frame_ind in (0, 1, 15):
        np.testing.assert_array_equal(reader.read([frame_ind])[frame_ind], frames[frame_ind])
    assert [frame_number(rgb) for _, rgb in VideoReader(path, fps=25)] == list(range(8, 24))


def test_variable_rate_keeps_frames_or_resamples(tmp_path):
    path = make_video(tmp_path / 'v.mp4', 5, fps=20, ticks=[0, 1, 2, 6, 10])
    assert [(i, frame_number(rgb)) for i, rgb in VideoReader(path)] == [(i, i) for i in range(5)]
    reader = VideoReader(path, fps=20)
    resampled = [(i, frame_number(rgb)) for i, rgb in reader]
    shown = [0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]
    assert resampled == list(enumerate(shown))
    assert (reader.fps, reader.num_frames) == (20.0, 11)


def test_resampling_to_half_drops_every_other_frame(tmp_path):
    reader = VideoReader(make_video(tmp_path / 'v.mp4', 13, fps=30), fps=15)
    inds, numbers = zip(*((i, frame_number(rgb)) for i, rgb in reader))
    assert inds == tuple(range(reader.num_frames))
    assert {type(i) for i in inds} == {int}, 'they go into JSON'
    assert set(np.diff(numbers)) == {2}


@pytest.mark.parametrize('fps', [None, 25])
@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('ts', lambda i, pts: pts + 10 * 3600 * (i >= 12)),  # a jump by 10 hours
        ('mkv', lambda i, pts: pts + 10 * 3600 * (i >= 12)),
        ('mp4', lambda i, pts: pts + 10 * 3600 * (i >= 12)),
        ('mkv', lambda i, pts: pts + 1000 * (i == 7)),  # one wrong stamp
        ('mkv', lambda i, pts: pts - 0.04 * (i == 7)),  # a repeated stamp
        ('mkv', lambda i, pts: pts + 7.5),
    ],
)
def test_a_clock_that_jumps_or_has_a_wrong_stamp_goes_on(tmp_path, name, change, fps):
    path = make_video(tmp_path / f'a.{name}', 24, options={'g': '6', 'bf': '0', 'crf': '12'})
    path = restamp(path, tmp_path / f'b.{name}', change)
    reader = VideoReader(path, fps)
    assert (reader.fps, reader.num_frames) == (25.0, 24)
    assert [(i, frame_number(rgb)) for i, rgb in reader] == [(i, i) for i in range(24)]
    assert [frame_number(reader.read([i])[i]) for i in (0, 6, 13, 23)] == [0, 6, 13, 23]


def test_a_jump_and_a_restart_are_reported_with_their_place(tmp_path, monkeypatch):
    path = make_video(tmp_path / 'a.ts', 24)
    path.write_bytes(2 * path.read_bytes())
    lines = []
    monkeypatch.setattr('vpd_mm.athlete.video_reader.print_log', lambda line, *_: lines.append(line))
    assert VideoReader(path).num_frames == 48
    [line] = lines
    assert line.startswith(f'{path}: the clock jumps by -0.92 s after frame 23 (0.92 s)')


@pytest.mark.parametrize(
    ('stamps', 'seconds', 'jumps'),
    [
        ([5, 6, 7], [0, 1, 2], []),
        ([-3, -2, -1], [0, 1, 2], []),
        ([0, 1, np.nan, np.nan, 4, np.nan], [0, 1, 2, 3, 4, 5], []),
        ([0, 1, 2, 2, 4, 4, 4, 7], [0, 1, 2, 3, 4, 5, 6, 7], []),
        ([0, 1, 2, -90, 4, 5], [0, 1, 2, 3, 4, 5], []),
        ([0, 1, 3, 2, 4, 5], [0, 1, 2, 3, 4, 5], []),
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 5], [(2, -2)]),
        ([0, 1, 2, 602, 603], [0, 1, 2, 602, 603], []),
        ([0, 1, 2, 604, 605], [0, 1, 2, 3, 4], [(2, 602)]),
        ([0, 900, 1800, 2700], [0, 900, 1800, 2700], []),
    ],
)
def test_times_always_advance(stamps, seconds, jumps):
    times, found = frame_times(np.array(stamps, float), 1e-3, [25.0])
    assert times.seconds(np.arange(len(seconds))).tolist() == pytest.approx(seconds)
    assert found == jumps


def test_a_rate_that_fits_all_stamps_is_exact():
    exact = np.arange(100) * 1001 / 30000
    for tick in (1e-3, 1 / 90000):
        times, _ = frame_times(exact.round(3) if tick == 1e-3 else exact, tick, [1000.0, 60.0])
        assert (times.fps, times.edges) == (30 / 1.001, None)
    assert frame_times(exact + 0.004 * (np.arange(100) == 50), 1e-3, [30 / 1.001])[0].edges is not None


def test_one_frame_odd_size_and_ten_bit(tmp_path):
    for name in ('one.mp4', 'one.mkv', 'one.avi'):
        assert len(list(VideoReader(make_video(tmp_path / name, 1)))) == 1
    odd = VideoReader(make_video(tmp_path / 'odd.mp4', 3, size=(65, 49), pix_fmt='yuv444p'))
    assert [rgb.shape for _, rgb in odd] == [(49, 65, 3)] * 3
    ten = VideoReader(make_video(tmp_path / 'ten.mp4', 5, pix_fmt='yuv420p10le'))
    assert [(frame_number(rgb), rgb.dtype) for _, rgb in ten] == [(i, np.uint8) for i in range(5)]


@pytest.mark.parametrize(('name', 'codec'), CODECS[:2])
def test_damaged_packets_lose_only_their_frames(tmp_path, name, codec):
    reader = VideoReader(damage_packets(make_video(tmp_path / name, 24, codec=codec), [8, 9]))
    frames = list(reader)
    assert reader.num_damaged >= 1
    assert 18 <= len(frames) < 24
    assert frames[-1][0] == 23
    # what comes after the next key frame is sound again and has its old number
    sound = [(i, frame_number(rgb)) for i, rgb in frames if i < 6 or i >= 18]
    assert all(i == number for i, number in sound)
    assert len(sound) == 12


def _fast_start_cut(path):
    return cut_file(make_video(path, 40, container_options={'movflags': 'faststart'}), 0.6)


@pytest.mark.parametrize(
    ('name', 'make', 'expected'),
    [
        ('gone.mp4', lambda p: p, 'no such file'),
        ('folder.mp4', lambda p: p.mkdir() or p, 'is not a regular file'),
        ('empty.mp4', lambda p: p.touch() or p, 'empty file'),
        ('text.mp4', lambda p: p.write_text('not a video\n' * 50) and p, 'no readable video'),
        ('sound.m4a', make_sound, 'has no video stream (it holds: audio)'),
        ('cut.mp4', lambda p: cut_file(make_video(p, 40)), 'no readable video'),
        ('fast.mp4', _fast_start_cut, 'cut short'),
        ('cut.mkv', lambda p: cut_file(make_video(p, 40), 0.4), 'cut short'),
        ('none.mp4', lambda p: make_video(p, 0), ''),
        ('noise.mp4', lambda p: damage_packets(make_video(p, 3), [0, 1, 2]), 'no frame decodes'),
    ],
)
def test_invalid_files_raise_one_line_that_names_the_file(tmp_path, name, make, expected):
    path = make(tmp_path / name)
    with pytest.raises(UserError) as caught:
        VideoReader(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert expected in message
    assert '\n' not in message


def test_invalid_rate_is_refused(tmp_path):
    path = make_video(tmp_path / 'a.mp4', 2)
    with pytest.raises(UserError, match='fps must be above 0'):
        VideoReader(path, fps=0)


@pytest.mark.parametrize(('name', 'codec'), CODECS)
def test_read_equals_the_iteration(tmp_path, name, codec):
    path = make_video(tmp_path / name, 20, codec=codec)
    expected = dict(VideoReader(path))
    reader = VideoReader(path)
    for asked in ([13], [19, 2, 2], [0], [7, 8, 12]):
        frames = reader.read(asked)
        assert sorted(frames) == sorted(set(asked))
        for frame, rgb in frames.items():
            np.testing.assert_array_equal(rgb, expected[frame])
    assert reader.read([]) == {}


@pytest.mark.parametrize('fps', [10, 25, 40])
def test_read_at_a_constant_rate(tmp_path, fps):
    path = make_video(tmp_path / 'v.mp4', 9, fps=20, ticks=[0, 1, 2, 3, 6, 10, 11, 12, 13])
    expected = dict(VideoReader(path, fps))
    reader = VideoReader(path, fps)
    for frame in expected:
        np.testing.assert_array_equal(reader.read([frame])[frame], expected[frame])


def test_read_outside_the_video_is_refused(tmp_path):
    with pytest.raises(UserError, match=r'has frames 0..4, asked for 3..5'):
        VideoReader(make_video(tmp_path / 'a.mp4', 5)).read([3, 5])


def test_a_reader_closes_while_its_decoder_is_busy(tmp_path):
    """Of a fragmented mp4, as of OBS: once the threads of the decoder waited for Python, and it for them."""
    path = make_video(tmp_path / 'a.mp4', 24, container_options={'movflags': 'frag_keyframe+empty_moov'})
    code = f'from vpd_mm.athlete import VideoReader; r = VideoReader({str(path)!r}); print(r.num_frames, *r.read([5]))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.stdout == '24 5\n'


def test_frames_lost_behind_an_error_at_the_end_are_counted(tmp_path):
    """Of a fragmented mp4 that was cut short, whose header announces no length."""
    path = make_video(tmp_path / 'a.mp4', 24, container_options={'movflags': 'frag_keyframe+empty_moov'})
    reader = VideoReader(cut_file(path, 0.64))
    frames = [frame_number(rgb) for _, rgb in reader]
    assert frames == list(range(len(frames)))
    assert 0 < len(frames) < reader.num_frames <= len(frames) + reader.num_damaged


def test_frames_are_freed_without_the_garbage_collector(tmp_path):
    reader = VideoReader(make_video(tmp_path / 'video.mp4', 40))
    list(reader)
    gc.collect()
    gc.disable()
    try:
        num_frames = sum(1 for _ in reader)
        assert gc.collect() < num_frames  # a frame in a reference cycle is three objects
    finally:
        gc.enable()
