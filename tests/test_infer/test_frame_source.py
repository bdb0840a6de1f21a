"""Every kind of input gives the same frames; other inputs are an error."""

import cv2
import numpy as np
import pytest
from media import frame_number, frame_picture, make_unreadable, make_video

from vpd_mm.errors import UserError
from vpd_mm.infer.frame_source import FrameStream, capture_frames, list_inputs, open_source
from vpd_mm.visualize.video_writer import VideoWriter

FRAMES = np.stack([frame_picture(i) for i in range(12)])


def open_input(item, fps=None):
    [(name, entry)] = list_inputs(item).items()
    return open_source(name, entry, fps)


def names(inputs, output_dirs=()):
    return list(list_inputs(inputs, output_dirs).values())


def numbers(source):
    return [(i, frame_number(rgb)) for i, rgb in source]


def test_every_kind_gives_the_frames(tmp_path):
    video = make_video(tmp_path / 'v' / 'a.mp4')
    for i, rgb in enumerate(FRAMES):  # 10.png after 9.png
        (tmp_path / 'p').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / 'p' / f'{i}.png'), rgb[..., ::-1])
    expected = [(i, i) for i in range(12)]
    for item in (video, str(video), tmp_path / 'p', FRAMES):
        source = open_input(item)
        assert (source.fps, source.num_frames, source.width, source.height) == (25.0, 12, 64, 48)
        assert numbers(source) == expected
        assert numbers(source) == expected
    stream = open_source('stream3', iter(FRAMES), 50)
    assert (stream.path.name, stream.fps, stream.num_frames, stream.width) == ('stream3', 50, 0, 64)
    assert numbers(stream) == expected
    with pytest.raises(UserError, match='can be read once'):
        next(iter(stream))
    capture = FrameStream(capture_frames(cv2.VideoCapture(str(video))), 25, 'camera')
    assert numbers(capture) == expected


def test_images_are_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / 'red.png'), np.full((8, 8, 3), (0, 0, 255), np.uint8))
    [(_, rgb)] = open_input(tmp_path)
    assert rgb[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize('name', ['dangling', 'loop', 'fifo'])
def test_no_image_of_a_folder_is_skipped(tmp_path, name):
    (tmp_path / 'all').mkdir()
    make_unreadable(tmp_path / 'all', '.png')
    for i in (0, 2):
        cv2.imwrite(str(tmp_path / f'{i}.png'), FRAMES[i])
    assert len(list(open_input(tmp_path))) == 2
    (tmp_path / 'all' / f'{name}.png').rename(tmp_path / '1.png')
    with pytest.raises(UserError, match=r'1\.png: (no such file|is not a regular file|cannot be opened)'):
        list(open_input(tmp_path))


def test_lists_and_folders(tmp_path):
    one, two = make_video(tmp_path / 'v' / 'a.mp4'), make_video(tmp_path / 'v' / 'deep' / 'b.mp4')
    assert names(str(tmp_path / 'v')) == [one, two]
    assert names([one, 0]) == [one, 0]
    (tmp_path / 'p').mkdir()
    cv2.imwrite(str(tmp_path / 'p' / '0.png'), FRAMES[0])
    assert names(tmp_path / 'p') == [tmp_path / 'p']
    (tmp_path / 'none').mkdir()
    with pytest.raises(UserError, match='folder holds no video and no image'):
        list_inputs(tmp_path / 'none')
    with pytest.raises(UserError, match='no input given'):
        list_inputs([])
    with pytest.raises(UserError, match='a list holds videos, not frames'):
        list_inputs(list(FRAMES))


def test_a_number_is_a_camera_unless_it_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('0', '0001', 'camera:1', '.hidden'):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / '0.png'), FRAMES[0])
    (tmp_path / '0001' / '._0.png').write_bytes(b'')  # of macOS
    make_video(tmp_path / '7.mp4').rename(tmp_path / '7')
    inputs = ['0', '0001', 'camera:1', '7', '1', 'camera:0', 'webcam:2', 'camera', '0003']
    paths = [tmp_path / name for name in inputs[:4]]
    assert [tmp_path / e if isinstance(e, type(tmp_path)) else e for e in names(inputs[:-2])] == [*paths, 1, 0, 2]
    assert [names(one) for one in inputs[-2:]] == [[0], [3]]
    assert numbers(open_input('0001')) == [(0, 0)]
    monkeypatch.chdir(tmp_path / '0001')
    assert list(list_inputs('.')) == ['0001']


def test_an_input_without_a_name_of_its_own_is_refused_alone(tmp_path):
    for name in ('a.mp4', 'b.mp4', 'deep/a.mov', 'c,d.mp4', 'La\u0308ufer.mp4'):
        make_video(tmp_path / name)
    entries = list_inputs(tmp_path)
    good = {name: entry for name, entry in entries.items() if not isinstance(entry, UserError)}
    assert good == {'L\u00e4ufer': tmp_path / 'La\u0308ufer.mp4', **{n: tmp_path / f'{n}.mp4' for n in 'ab'}}
    refused = {name: str(entry) for name, entry in entries.items() if isinstance(entry, UserError)}
    assert len(refused) == 2
    assert "two inputs are named 'a'" in refused[str(tmp_path / 'deep/a.mov')]
    assert "video name 'c,d': must be" in refused[str(tmp_path / 'c,d.mp4')]


def test_results_are_not_inputs(tmp_path):
    """Videos in the output folder and overlays in a folder of images are skipped."""
    one = make_video(tmp_path / 'v' / 'a.mp4')
    make_video(tmp_path / 'v' / 'out' / 'a.mp4')
    assert names(tmp_path / 'v', [tmp_path / 'v' / 'out', '']) == [one]
    assert names(one.parent / 'out', [tmp_path]) == [one.parent / 'out' / 'a.mp4']  # inside, not around
    images = tmp_path / 'p'
    images.mkdir()
    cv2.imwrite(str(images / '0.png'), FRAMES[0])
    with VideoWriter(images / 'p.mp4', 25.0) as writer:
        writer.write(FRAMES[0])
    assert names(images) == [images]
    mine = make_video(images / 'mine.mp4')
    assert names(images) == [mine]


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        ('none.mp4', r'none\.mp4: no such file'),
        (FRAMES[None], r'array0: frames must be \(T, H, W, 3\) uint8 RGB, found \(1, 12, 48, 64, 3\)'),
        (FRAMES.astype(np.float32), 'float32'),
        (iter([]), 'stream0: the iterator gives no frame'),
        (iter([np.zeros((4, 4))]), r'frame 0 must be \(H, W, 3\) uint8 RGB'),
        (99, 'camera 99: cannot be opened'),
        ('camera:99', 'camera 99: cannot be opened'),
        (1.5, 'input of type float'),
        (None, 'input of type NoneType'),
    ],
)
def test_bad_inputs(item, message):
    with pytest.raises(UserError, match=message):
        open_input(item)


def test_frames_of_another_size(tmp_path):
    source = open_input(iter([FRAMES[0], FRAMES[1][:40]]))
    with pytest.raises(UserError, match=r'frame 1 must be \(48, 64, 3\) uint8 RGB, found \(40, 64, 3\)'):
        list(source)
    cv2.imwrite(str(tmp_path / '0.png'), FRAMES[0])
    cv2.imwrite(str(tmp_path / '1.png'), FRAMES[0][:40])
    with pytest.raises(UserError, match='is 64x40, the first image 64x48'):
        list(open_input(tmp_path))
    (tmp_path / '1.png').write_bytes(b'no')
    with pytest.raises(UserError, match=r'1\.png: not a readable PNG, JPEG or BMP'):
        list(open_input(tmp_path))
    with pytest.raises(UserError, match='fps must be above 0'):
        open_input(FRAMES, -1)
