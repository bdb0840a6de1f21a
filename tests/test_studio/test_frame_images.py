"""Images of frames: numbers, errors, what is made ahead, what is kept."""

import time
from concurrent.futures import CancelledError, Future, wait

import cv2
import numpy as np
import pytest
from media import damage_packets, frame_number, make_video

from vpd_mm.athlete import VideoReader
from vpd_mm.corpus import VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.studio import frame_images
from vpd_mm.studio.frame_images import FrameImages, encode_jpeg

NUM_FRAMES = 26


def row_of(path, fps=None) -> VideoInfo:
    reader = VideoReader(path, fps)
    return VideoInfo(path.stem, str(path), reader.fps, reader.num_frames, reader.width, reader.height)


def number_of(jpeg: bytes) -> int:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    return frame_number(image)


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope='module')
def row(tmp_path_factory):
    return row_of(make_video(tmp_path_factory.mktemp('videos') / 'steps.mp4', NUM_FRAMES))


@pytest.fixture
def images():
    made = FrameImages()
    yield made
    made.close()


def get(images: FrameImages, row: VideoInfo, frame: int, height: int | None = None) -> bytes:
    return images.request(row, images.open(row), frame, height).result(20)


@pytest.mark.parametrize('order', [range(NUM_FRAMES), range(NUM_FRAMES - 1, -1, -1), [20, 0, 25, 7, 6, 8, 24, 1]])
def test_numbers_in_any_order(images, row, order):
    assert [number_of(get(images, row, frame)) for frame in order] == list(order)


def test_viewers_at_many_places_get_their_own_frames(row):
    images = FrameImages(max_workers=3)
    opened = images.open(row)
    frames = np.random.default_rng(0).integers(0, NUM_FRAMES, 200).tolist()
    futures = [images.request(row, opened, frame) for frame in frames]
    assert [number_of(future.result(20)) for future in futures] == frames
    assert images.num_waiting == 0
    images.close()


def test_frames_around_are_made_ahead_and_work_ends(images, row):
    get(images, row, 13)
    tag = images.open(row).tag
    until(lambda: all(images.is_made((tag, frame, row.height)) for frame in range(NUM_FRAMES)))
    before = images.num_bytes
    time.sleep(0.1)
    assert images.num_bytes == before
    assert images.request(row, images.open(row), 25).done()


def test_a_resampled_corpus_counts_its_own_frames(tmp_path):
    path = make_video(tmp_path / 'slow.mp4', 12, ticks=[2 * i for i in range(12)])
    images = FrameImages(fps=25)
    row = row_of(path, 25)
    expected = {frame: frame_number(rgb) for frame, rgb in VideoReader(path, 25)}
    assert [number_of(get(images, row, frame)) for frame in range(row.num_frames)] == list(expected.values())
    images.close()


def test_a_damaged_frame_is_an_error_and_no_neighbour(tmp_path, images):
    path = make_video(tmp_path / 'damaged.mp4', 24)
    row = row_of(damage_packets(path, [8]))
    intact = {frame for frame, _ in VideoReader(path)}
    assert intact < set(range(24))
    for frame in [*range(24), *range(23, -1, -1)]:
        if frame in intact:
            get(images, row, frame)
        else:
            with pytest.raises(UserError, match=rf'damaged\.mp4: frame {frame} does not decode'):
                get(images, row, frame)


def test_height(images, row):
    tall = VideoInfo(row.video, row.path, row.fps, row.num_frames, row.width, row.height)
    for asked, height in ((None, 48), (16, 48), (4320, 48)):
        image = cv2.imdecode(np.frombuffer(get(images, tall, 3, asked), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[0] == height
    rgb = np.zeros((400, 801, 3), np.uint8)
    assert cv2.imdecode(np.frombuffer(encode_jpeg(rgb, 180), np.uint8), cv2.IMREAD_COLOR).shape == (180, 360, 3)


@pytest.mark.parametrize('frame', [-1, NUM_FRAMES, 10**12])
def test_there_are_no_other_frames(images, row, frame):
    with pytest.raises(UserError, match=rf'steps: has frames 0\.\.25, asked for {frame}'):
        get(images, row, frame)


def test_a_file_that_is_missing_or_was_replaced(tmp_path, images):
    row = row_of(make_video(tmp_path / 'video.mp4', 20))
    assert number_of(get(images, row, 19)) == 19
    make_video(tmp_path / 'video.mp4', 12)
    with pytest.raises(UserError, match=r'video\.mp4: has 12 frames of 64x48, videos\.csv says 20 of 64x48; prepare'):
        images.open(row)
    make_video(tmp_path / 'video.mp4', 20, picture=lambda i: np.full((48, 64, 3), 255, np.uint8))
    assert number_of(get(images, row, 19)) > 25  # the new content, not what was kept
    (tmp_path / 'video.mp4').unlink()
    with pytest.raises(UserError, match=r'video\.mp4: no such file'):
        images.open(row)


def test_memory_and_readers_are_bounded(tmp_path, monkeypatch, row):
    monkeypatch.setattr(frame_images, 'MAX_READERS', 2)
    size = len(encode_jpeg(next(iter(VideoReader(row.path)))[1], 48))
    images = FrameImages(max_bytes=4 * size, max_workers=2)
    rows = [row_of(make_video(tmp_path / f'{name}.mp4', 20)) for name in 'abc']
    for frame in (3, 19, 0):
        for one in rows:
            assert number_of(get(images, one, frame)) == frame
    assert images.num_bytes <= 5 * size
    assert [images.is_open(one) for one in rows] == [False, True, True]
    until(lambda: all(worker.budget <= 0 or not worker.waiting for worker in images._workers))
    images.close()


def test_a_request_that_was_cancelled_is_not_answered_and_close_ends_all(row):
    images = FrameImages(max_workers=1)
    opened = images.open(row)
    futures = [images.request(row, opened, frame) for frame in (25, 3, 20, 7)]
    cancelled = futures[2].cancel()
    wait([future for future in futures if not future.cancelled()], 20)
    assert number_of(futures[3].result()) == 7
    if cancelled:
        with pytest.raises(CancelledError):
            futures[2].result()
    images.close()
    assert not any(worker.is_alive() for worker in images._workers)


def test_an_idle_decoder_is_released(row, monkeypatch):
    monkeypatch.setattr(frame_images, 'IDLE_SEC', 0.05)
    images = FrameImages(max_workers=1)
    assert number_of(get(images, row, 9)) == 9
    [worker] = images._workers
    until(lambda: worker._cursor is None)
    assert number_of(get(images, row, 25)) == 25
    images.close()


def test_an_unexpected_error_answers_the_request_and_the_next_one_works(images, row, monkeypatch):
    def broken(*args):
        raise OSError('disk is gone')

    with monkeypatch.context() as patched:
        patched.setattr(frame_images.FrameCursor, 'read', broken)
        with pytest.raises(OSError, match='disk is gone'):
            get(images, row, 5)
    assert number_of(get(images, row, 5)) == 5


def test_an_image_that_was_made_is_given_though_others_take_its_room_meanwhile(images, row, monkeypatch):
    image, opened = get(images, row, 9), images.open(row)
    position = int(opened.reader.positions(9))
    key, waiting = (opened.tag, position, row.height), frame_images._Request(opened, 9, Future())
    worker = frame_images._Worker(images)  # not started
    worker.waiting[key] = [waiting]

    def is_made(key):
        return images._images.pop(key, None) is not None

    monkeypatch.setattr(images, 'is_made', is_made)
    with images.changed:
        images.num_waiting += 1
    assert worker._make(opened, position, row.height, range(position, position + 1))
    assert waiting.result.result(1) == image


def test_a_frame_whose_reading_was_broken_off_is_not_damaged(images, row, monkeypatch):
    opened, worker = images.open(row), frame_images._Worker(images)  # not started
    position = int(opened.reader.positions(9))

    def read(cursor, position, should_stop):
        with images.changed:
            images.num_waiting += 1  # another request, which is withdrawn
            assert should_stop()
            images.num_waiting -= 1

    with monkeypatch.context() as patched:
        patched.setattr(frame_images.FrameCursor, 'read', read)
        assert not worker._make(opened, position, row.height, range(position, position + 1))
    assert number_of(get(images, row, 9)) == 9
