"""VideoReader.read returns frames by number."""

import numpy as np
import pytest
from media import make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.errors import UserError


@pytest.mark.parametrize(('name', 'codec'), [('a.mp4', 'libx264'), ('a.avi', 'mpeg4'), ('a.mkv', 'libx264')])
def test_frames_equal_those_of_the_iteration(tmp_path, name, codec):
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
def test_frames_at_a_constant_rate(tmp_path, fps):
    path = make_video(tmp_path / 'v.mp4', 9, fps=20, ticks=[0, 1, 2, 3, 6, 10, 11, 12, 13])
    expected = dict(VideoReader(path, fps))
    reader = VideoReader(path, fps)
    for frame in expected:
        np.testing.assert_array_equal(reader.read([frame])[frame], expected[frame])


def test_frame_outside_the_video_is_refused(tmp_path):
    with pytest.raises(UserError, match=r'has frames 0..4, asked for 3..5'):
        VideoReader(make_video(tmp_path / 'a.mp4', 5)).read([3, 5])
