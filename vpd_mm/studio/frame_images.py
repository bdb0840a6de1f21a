"""Images of the frames of videos by number: decoded in background threads, ahead of and behind where a viewer is."""

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from ..athlete import FrameCursor, VideoReader
from ..corpus import VideoInfo
from ..errors import UserError
from ..visualize.panels import encode_image, resize
from .workspace import content_tag

#: Heights of images, px; a frame has no more than its own.
HEIGHTS = (180, 360, 540, 720, 1080, 1440, 2160)
#: Images, in bytes, and opened videos that are kept.
MAX_BYTES, MAX_READERS = 384 << 20, 64
#: Threads, each with a decoder at one place of one video, and after how many idle seconds the decoder is released.
MAX_WORKERS, IDLE_SEC = 20, 60
#: Frames that are made ahead of the last one asked for, in both directions, and how near to it the same viewer is.
AHEAD, NEAR = 32, 96
#: Frames that are made together backward, as all are decoded from a key frame on: ahead of time, and where one is
#: waited for.
GROUP, WAITED_GROUP = 64, 24

Key = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class OpenedVideo:
    """A video file: its reader, and a text that changes with its content."""

    reader: VideoReader
    tag: str


@dataclass(frozen=True, eq=False)
class _Request:
    """A frame that is waited for."""

    video: OpenedVideo
    frame_ind: int
    result: 'Future[bytes]'

    def answer(self, image: bytes | Exception | None) -> None:
        """Give the image, or what prevented it; None where the frame does not decode."""
        if self.result.set_running_or_notify_cancel():
            if isinstance(image, bytes):
                self.result.set_result(image)
            else:
                self.result.set_exception(image or self.video.reader.no_frame(self.frame_ind))


class FrameImages:
    """JPEG images of frames by number, the same numbers as in the corpus.

    One worker follows each viewer, of whom nothing is known but the frames that are asked for: it decodes on from the
    last frame and makes those around it ahead of time, in the direction of movement first.  Requests come before that.

    Args:
        fps: Rate to which the corpus resamples its videos; None: frames are those of the files.
    """

    def __init__(self, fps: float | None = None, max_bytes: int = MAX_BYTES, max_workers: int = MAX_WORKERS) -> None:
        self.fps, self._max_bytes, self._max_workers = fps, max_bytes, max_workers
        self._opened: OrderedDict[str, OpenedVideo] = OrderedDict()
        self._opening = threading.Lock()
        #: Guards all that follows and the fields of the workers.
        self.changed = threading.Condition()
        self._images: OrderedDict[Key, bytes | None] = OrderedDict()
        self._num_bytes = self.num_waiting = 0
        self._workers: list[_Worker] = []
        self.closed = False

    def open(self, row: VideoInfo) -> OpenedVideo:
        """Open the file of a video, or return it where it is open.

        Raises:
            UserError: it is missing, cannot be read, or is not the one that the corpus was prepared from.
        """
        tag = self.tag(row)
        with self._opening:  # two readers of one file would take twice the time
            video = self._opened.pop(tag, None) or OpenedVideo(VideoReader(row.existing_path(), self.fps), tag)
            self._opened[tag] = video
            if len(self._opened) > MAX_READERS:
                self._opened.popitem(last=False)
        reader = video.reader
        if reader.num_frames < row.num_frames or (reader.width, reader.height) != (row.width, row.height):
            now = f'{reader.num_frames} frames of {reader.width}x{reader.height}'
            before = f'{row.num_frames} of {row.width}x{row.height}'
            raise UserError(f'{row.path}: has {now}, videos.csv says {before}; prepare the video again')
        return video

    def tag(self, row: VideoInfo) -> str:
        """Return a text that changes when the file of a video does, for addresses that browsers keep."""
        return content_tag(row, self.fps)

    def is_open(self, row: VideoInfo) -> bool:
        """True where :meth:`open` reads nothing."""
        return self.tag(row) in self._opened

    def request(self, row: VideoInfo, video: OpenedVideo, frame_ind: int, height: int | None = None) -> 'Future[bytes]':
        """Return the JPEG of a frame, at least ``height`` px high where the video is, once it is made.

        The future may be cancelled.  UserError, raised or in the future: there is no such frame, or it does not decode.
        """
        if not 0 <= frame_ind < row.num_frames:
            raise UserError(f'{row.video}: has frames 0..{row.num_frames - 1}, asked for {frame_ind}')
        position = int(video.reader.positions(frame_ind))
        level = next((h for h in HEIGHTS if height is not None and h >= height), row.height)
        key = video.tag, position, min(level, row.height)
        asked = _Request(video, frame_ind, Future())
        with self.changed:
            worker = self._worker(video, position)
            if key in self._images:
                asked.answer(self.get(key))
            else:
                worker = worker or self._free_worker()
                worker.waiting.setdefault(key, []).append(asked)
                self.num_waiting += 1
            if worker is not None:
                worker.move(video, position, key[2])
                self.changed.notify_all()
        return asked.result

    def _worker(self, video: OpenedVideo, position: int) -> '_Worker | None':
        """Return the worker at this place of the video."""
        near = [w for w in self._workers if w.is_at(video) and abs(w.position - position) <= NEAR]
        return min(near, key=lambda w: abs(w.position - position), default=None)

    def _free_worker(self) -> '_Worker':
        """Return the worker with least to do, of several the one used least recently; a new one while there are few."""
        if len(self._workers) < self._max_workers:
            self._workers.append(_Worker(self))
            self._workers[-1].start()
            return self._workers[-1]
        return min(self._workers, key=lambda worker: (len(worker.waiting), worker.used))

    def is_made(self, key: Key) -> bool:
        return key in self._images

    def get(self, key: Key) -> bytes | None:
        """Return an image that is made, None for a frame that does not decode."""
        if key in self._images:
            self._images.move_to_end(key)
        return self._images.get(key)

    def put(self, key: Key, image: bytes | None) -> None:
        """Keep an image, None for a frame that does not decode; the oldest ones make room."""
        if key not in self._images:
            self._images[key] = image
            self._num_bytes += len(image or b'')
            while self._num_bytes > self._max_bytes and len(self._images) > 1:
                _, oldest = self._images.popitem(last=False)
                self._num_bytes -= len(oldest or b'')

    @property
    def num_bytes(self) -> int:
        """Bytes of the images that are kept."""
        return self._num_bytes

    def close(self) -> None:
        """Stop the threads; requests that wait are cancelled."""
        with self.changed:
            self.closed = True
            for worker in self._workers:
                for request in (request for requests in worker.waiting.values() for request in requests):
                    request.result.cancel()
            self.changed.notify_all()
        for worker in self._workers:
            worker.join()


class _Worker(threading.Thread):
    """Makes the images of one viewer; ``images.changed`` guards the public fields, the others are its own."""

    def __init__(self, images: FrameImages) -> None:
        super().__init__(daemon=True, name='frame images')
        self._images = images
        self.video: OpenedVideo | None = None
        self.position = self.height = self.budget = 0
        self.step, self.used = 1, 0.0
        #: Requests, first come first served.
        self.waiting: dict[Key, list[_Request]] = {}
        self._cursor: FrameCursor | None = None
        self._tag = ''

    def move(self, video: OpenedVideo, position: int, height: int) -> None:
        """Note where the viewer is; so many frames may be made ahead until the next move."""
        if not self.is_at(video):
            self.step = 1
        elif position != self.position:
            self.step = 1 if position > self.position else -1
        self.video, self.position, self.height = video, position, height
        self.budget, self.used = 4 * AHEAD, time.monotonic()

    def is_at(self, video: OpenedVideo) -> bool:
        return self.video is not None and self.video.tag == video.tag

    def run(self) -> None:
        while (job := self._next()) is not None:
            video, positions, height = job
            for position in positions:
                if not self._make(video, position, height, positions):
                    break
        self._release()

    def _next(self) -> tuple[OpenedVideo, range, int] | None:
        """Wait for work: frames that are waited for, else frames ahead; None at the end."""
        images = self._images
        with images.changed:
            while not images.closed:
                self._drop_cancelled()
                for (_, position, height), requests in self.waiting.items():
                    before = 0 if self.step > 0 else WAITED_GROUP - 1
                    return requests[0].video, range(max(position - before, 0), position + 1), height
                if self.video and not images.num_waiting and self.budget > 0 and (ahead := self._ahead(self.video)):
                    return self.video, ahead, self.height
                images.changed.wait(IDLE_SEC)
                if time.monotonic() - self.used > IDLE_SEC and not self.waiting:
                    self._release()
        return None

    def _release(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = None

    def _drop_cancelled(self) -> None:
        for key, requests in list(self.waiting.items()):
            alive = [request for request in requests if not request.result.cancelled()]
            self._images.num_waiting -= len(requests) - len(alive)
            if alive:
                self.waiting[key] = alive
            else:
                del self.waiting[key]

    def _ahead(self, video: OpenedVideo) -> range:
        """Frames to make next around the viewer; backward in groups, as each is decoded from a key frame on."""

        def missing(position: int) -> bool:
            return not self._images.is_made((video.tag, position, self.height))

        end = min(self.position + AHEAD + 1, video.reader.num_positions)
        forward = next((range(p, end) for p in range(self.position, end) if missing(p)), range(0))
        nearest = range(self.position - 1, max(self.position - AHEAD, 0) - 1, -1)
        backward = next((range(max(p - GROUP + 1, 0), p + 1) for p in nearest if missing(p)), range(0))
        return (forward or backward) if self.step > 0 else (backward or forward)

    def _make(self, video: OpenedVideo, position: int, height: int, job: range) -> bool:
        """Make one image and give it to those who wait; False where other work comes first."""
        images, key = self._images, (video.tag, position, height)
        is_asked, has_stopped = (video.tag, job.stop - 1, height) in self.waiting, False

        def should_stop() -> bool:
            nonlocal has_stopped
            with images.changed:
                self._drop_cancelled()
                soon = ((video.tag, p, height) in self.waiting for p in range(position, job.stop))
                has_stopped = images.closed or ((images.num_waiting > 0 or is_asked) and not any(soon))
                return has_stopped

        if should_stop():
            return False
        error = None
        with images.changed:
            image, made = images.get(key), images.is_made(key)
        if not made:
            if self._cursor is None or self._tag != video.tag:
                self._release()
                self._cursor, self._tag = FrameCursor(video.reader), video.tag
            try:
                rgb = self._cursor.read(position, should_stop)
                if rgb is None and has_stopped:  # it was not read, though it may be wanted again by now
                    return False
                image = None if rgb is None else encode_jpeg(rgb, height)
            except Exception as e:  # the requests that wait raise it
                self._release()
                error = e
        with images.changed:
            if error is not None:
                self.budget = 0
            elif not made:
                self.budget -= 1
                images.put(key, image)
            requests = self.waiting.pop(key, [])
            images.num_waiting -= len(requests)
            for request in requests:
                request.answer(error or image)
            if requests and not images.num_waiting:
                images.changed.notify_all()
        return True


def reduced(rgb: np.ndarray, height: int) -> np.ndarray:
    """Reduce (H, W, 3) rgb to ``height`` px where it is higher."""
    return rgb if height >= rgb.shape[0] else resize(rgb, height)


def encode_jpeg(rgb: np.ndarray, height: int) -> bytes:
    """Encode (H, W, 3) uint8 rgb, reduced to ``height`` px where it is higher."""
    return encode_image(reduced(rgb, height), '.jpg')
