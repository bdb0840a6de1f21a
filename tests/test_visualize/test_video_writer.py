"""VideoWriter: round trip, frame rates, atomic files, foreign files."""

from fractions import Fraction

import av
import numpy as np
import pytest
from media import frame_number, frame_picture, make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.errors import UserError
from vpd_mm.files import check_output
from vpd_mm.visualize.video_writer import VideoWriter


def write(path, images, fps=25, **options):
    with VideoWriter(path, fps, **options) as writer:
        for image in images:
            writer.write(image)
    return path


def test_frames_come_back_in_order_and_alike(tmp_path):
    images = [frame_picture(i) for i in range(9)]
    path = write(tmp_path / 'deep' / 'f.mp4', images)
    decoded = [rgb for _, rgb in VideoReader(path)]
    assert [frame_number(rgb) for rgb in decoded] == list(range(9))
    for image, rgb in zip(images, decoded, strict=True):
        plain = np.s_[:, : image.shape[1] // 2 - 4]
        assert np.abs(image[plain].astype(int) - rgb[plain]).mean() < 4


@pytest.mark.parametrize('fps', [30, 29.97, 30000 / 1001, 23.976, Fraction(24000, 1001), 12.5])
def test_frame_rates_are_kept(tmp_path, fps):
    path = write(tmp_path / 'f.mp4', [frame_picture(i) for i in range(6)], fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(float(fps), abs=1e-5)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
        assert sum(1 for _ in container.decode(video=0)) == 6


def test_frames_are_shown_at_their_times(tmp_path):
    seconds = [0, 0.04, 0.08, 0.3, 1.001]
    with VideoWriter(tmp_path / 'f.mp4', 25) as writer:
        for i, second in enumerate(seconds):
            writer.write(frame_picture(i), second)
    reader = VideoReader(tmp_path / 'f.mp4')
    assert [frame_number(rgb) for _, rgb in reader] == [0, 1, 2, 3, 4]
    assert reader.times.seconds(np.arange(5)).tolist() == pytest.approx(seconds, abs=2e-5)


def test_odd_sides_lose_their_last_row_and_column(tmp_path):
    path = write(tmp_path / 'f.mp4', [np.full((51, 33, 3), 120, np.uint8)] * 2)
    assert [rgb.shape for _, rgb in VideoReader(path)] == [(50, 32, 3)] * 2


def test_options_reach_the_encoder(tmp_path):
    images = [frame_picture(i) for i in range(12)]
    small, large = (write(tmp_path / f'{crf}.mp4', images, options={'crf': crf, 'g': '4'}) for crf in ('40', '5'))
    assert small.stat().st_size < large.stat().st_size / 2
    with av.open(str(small)) as container:
        assert [p.is_keyframe for p in container.demux(video=0) if p.size].count(True) == 3


def test_the_file_appears_when_it_is_finished_and_an_exception_leaves_nothing(tmp_path):
    with VideoWriter(tmp_path / 'f.mp4', 25) as writer:
        writer.write(frame_picture(0))
        assert not (tmp_path / 'f.mp4').exists()
    before = (tmp_path / 'f.mp4').read_bytes()

    def fail(path):
        with VideoWriter(path, 25) as writer:
            writer.write(frame_picture(1))
            raise KeyError('x')

    for name in ('f.mp4', 'g.mp4'):
        with pytest.raises(KeyError):
            fail(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ['f.mp4']
    assert (tmp_path / 'f.mp4').read_bytes() == before


def test_bad_frames_are_refused(tmp_path):
    for error, message, images in (
        (UserError, 'no frame was written', []),
        (ValueError, r'\(H, W, 3\) uint8 of 2 px or more, found \(8, 8\)', [np.zeros((8, 8), np.uint8)]),
        (ValueError, 'all frames have one shape', [frame_picture(0), frame_picture(0, (64, 50))]),
    ):
        with pytest.raises(error, match=message):
            write(tmp_path / 'f.mp4', images)
    assert not list(tmp_path.iterdir())


def test_only_marked_videos_may_be_replaced(tmp_path):
    ours = write(tmp_path / 'ours.mp4', [frame_picture(0)])
    data = write(tmp_path / 'data.mp4', [frame_picture(0)], mark=False)
    foreign = make_video(tmp_path / 'foreign.mp4', 2)
    (tmp_path / 'text.mp4').write_text('mine')
    check_output(ours)
    check_output(tmp_path / 'new.mp4')
    for path in (data, foreign, tmp_path / 'text.mp4'):
        with pytest.raises(UserError, match=f'{path.name}: exists and was not written by this tool'):
            check_output(path)


def test_a_long_video_is_recognised(tmp_path):
    frames = [frame_picture(i % 7) for i in range(3000)]
    assert write(tmp_path / 'x.mp4', frames, options={'g': '1'}).stat().st_size > 3 * (64 << 10)
    check_output(tmp_path / 'x.mp4')
