"""open_video: containers, sizes, names."""

import os
import struct

import pytest
from media import make_video

from vpd_mm.errors import UserError
from vpd_mm.files import MAX_PIXELS, open_video


def gif(width, height, image_width=1):
    """A GIF of two frames."""
    frame = b'\x21\xf9\4\4\x0a\0\0\0\x2c' + struct.pack('<HHHHB', 0, 0, image_width, 1, 0) + b'\2\2\x44\1\0'
    head = b'GIF89a' + struct.pack('<HHBBB', width, height, 0x80, 0, 0) + b'\0\0\0\xff\xff\xff'
    return head + 2 * frame + b'\x3b'


def source_of(path, data, in_memory):
    path.write_bytes(data)
    return data if in_memory else path


@pytest.mark.parametrize('in_memory', [False, True])
@pytest.mark.parametrize(
    'text',
    [
        'ffconcat version 1.0\nfile run.mp4\n',
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nrun.mp4\n#EXT-X-ENDLIST\n',
        'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n',
        'no video',
    ],
    ids=['concat', 'hls', 'sdp', 'text'],
)
def test_lists_of_other_files_are_no_video(tmp_path, text, in_memory):
    make_video(tmp_path / 'run.mp4', 2)
    with pytest.raises(UserError, match=r'^(.*bad\.mp4|video in memory): no readable video container'):
        open_video(source_of(tmp_path / 'bad.mp4', text.encode(), in_memory))


@pytest.mark.parametrize('in_memory', [False, True])
def test_size_of_the_frames_is_limited(tmp_path, in_memory):
    with open_video(source_of(tmp_path / 'x.mp4', gif(40, 30), in_memory)) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(40, 30), (40, 30)]
    with pytest.raises(UserError, match=f'the frames are 16000x16000; at most {MAX_PIXELS} pixels'):
        open_video(source_of(tmp_path / 'x.mp4', gif(16000, 16000), in_memory))


def test_size_is_limited_within_a_stream_too(tmp_path, monkeypatch):
    """A stream of which only later frames are large: the decoder refuses them."""
    small, large = make_video(tmp_path / 's.h264', 3), make_video(tmp_path / 'l.h264', 3, (128, 96))
    data = small.read_bytes() + large.read_bytes()
    with open_video(data) as container:
        assert {f.width for f in container.decode(video=0)} == {64, 128}
    monkeypatch.setattr('vpd_mm.files.video.MAX_PIXELS', 64 * 64)
    sizes = set()
    with open_video(data) as container:
        for packet in container.demux(video=0):
            try:
                sizes |= {frame.width for frame in packet.decode()}
            except ValueError:
                continue
    assert sizes == {64}


@pytest.mark.parametrize('name', ['pipe:0', 'a%03d.mp4', 'concat:a', '-'])
def test_no_name_is_an_address(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.rename(make_video(tmp_path / 'v.mp4', 2), name)
    with open_video(name) as container:
        assert container.streams.video[0].frames == 2


@pytest.mark.parametrize(
    ('name', 'codec'),
    [
        *(('a.mp4', 'libx264'), ('a.mov', 'libx264'), ('a.mkv', 'libx264'), ('a.avi', 'mpeg4'), ('a.ts', 'libx264')),
        *(('a.mpg', 'mpeg2video'), ('a.wmv', 'mpeg4'), ('a.flv', 'flv'), ('a.mxf', 'mpeg2video'), ('a.3gp', 'mpeg4')),
        *(
            ('a.m4v', 'libx264'),
            ('a.m2v', 'mpeg2video'),
            ('a.webm', 'libvpx'),
            ('a.h264', 'libx264'),
            ('a.y4m', 'wrapped_avframe'),
        ),
    ],
)
def test_usual_containers_are_read(tmp_path, name, codec):
    with open_video(make_video(tmp_path / name, 3, codec=codec)) as container:
        assert len(list(container.decode(video=0))) == 3
