"""Small images of videos and actions: thumbnails, and looping clips of the athlete."""

import io
import math
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Lock

import numpy as np
from PIL import Image

from ..athlete import FrameCursor
from ..corpus import VideoInfo
from ..errors import UserError
from ..files import read_bytes, write_bytes
from .frame_images import FrameImages, encode_jpeg, reduced
from .workspace import Workspace, check_span

#: Height of a thumbnail, and of a clip of whole frames, px.
HEIGHT = 180
#: Frames a second of a clip, and at most in all; of a longer one fewer are shown, at the same speed.
CLIP_FPS, CLIP_FRAMES = 15, 90
CLIP_QUALITY = 70
#: Bytes of thumbnails and clips that are kept.
MAX_BYTES = 64 << 20


class Clips:
    """Make thumbnails (JPEG) and clips (animated WebP): of the crops of the athlete where there are any."""

    def __init__(self, workspace: Workspace, images: FrameImages) -> None:
        self.workspace, self._images = workspace, images
        self._made: OrderedDict[tuple, bytes] = OrderedDict()
        self._num_bytes, self._lock = 0, Lock()

    def thumbnail(self, row: VideoInfo) -> bytes:
        """JPEG of a frame from the middle; one of a video file is kept in ``studio/cache/thumbnails``."""
        tag = self._images.tag(row)
        return self._keep(('thumbnail', row.video, tag), lambda: self._thumbnail(row, tag))

    def clip(self, row: VideoInfo, start: int, end: int, height: int | None = None) -> bytes:
        """Animated WebP of frames ``start`` to ``end`` (exclusive) at the speed of the video, up to ``height`` px."""
        check_span(row, start, end)
        tag = self._images.tag(row)
        return self._keep(('clip', row.video, tag, start, end, height), lambda: self._clip(row, start, end, height))

    def _keep(self, key: tuple, make: Callable[[], bytes]) -> bytes:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        data = make()
        with self._lock:
            if key not in self._made:
                self._made[key] = data
                self._num_bytes += len(data)
                while self._num_bytes > MAX_BYTES and len(self._made) > 1:
                    self._num_bytes -= len(self._made.popitem(last=False)[1])
        return data

    def _thumbnail(self, row: VideoInfo, tag: str) -> bytes:
        store = self.workspace.crops()
        if row.video in store and len(inds := store.header(row.video).frame_inds):
            return encode_jpeg(store.crop(row.video, int(inds[len(inds) // 2])), HEIGHT)
        path = self.workspace.folder / 'cache' / 'thumbnails' / f'{tag}.jpg'
        with suppress(UserError):
            return read_bytes(path, MAX_BYTES)
        [rgb] = self._frames(row, [row.num_frames // 2])
        data = encode_jpeg(rgb, HEIGHT)
        with suppress(OSError):  # a corpus on a read-only disk can be looked at
            write_bytes(path, data)
        return data

    def _clip(self, row: VideoInfo, start: int, end: int, height: int | None) -> bytes:
        store, times = self.workspace.crops(), self.workspace.times(row)
        step = max(1, round(row.fps / CLIP_FPS), math.ceil((end - start) / CLIP_FRAMES))
        frames = np.arange(start, end, step)
        images: list[np.ndarray] = []
        if row.video in store:
            frames = np.intersect1d(frames, store.header(row.video).frame_inds)
            images = [store.crop(row.video, int(frame)) for frame in frames]
        if not images:
            frames = np.arange(start, end, step)
            images = self._frames(row, frames.tolist())
        edges = times.seconds(np.append(frames, end))
        shown = [max(20, round(1000 * seconds)) for seconds in np.diff(edges)]
        first, *rest = (Image.fromarray(reduced(rgb, height or HEIGHT)) for rgb in images)
        out = io.BytesIO()
        options = {'save_all': True, 'append_images': rest, 'duration': shown, 'loop': 0}
        first.save(out, 'WEBP', **options, quality=CLIP_QUALITY, method=0)
        return out.getvalue()

    def _frames(self, row: VideoInfo, frames: list[int]) -> list[np.ndarray]:
        """Decode frames of the file in order; a damaged one is replaced by the one before it, for a preview.

        They are reduced at once, so that many fit into memory.
        """
        reader = self._images.open(row).reader
        images: list[np.ndarray] = []
        with closing(FrameCursor(reader)) as cursor:
            for frame in frames:
                rgb = cursor.read(int(reader.positions(frame)))
                if rgb is not None or images:
                    images.append(images[-1] if rgb is None else reduced(rgb, 2 * HEIGHT))
        if not images:
            raise reader.no_frame(frames[0])
        return images[:1] * (len(frames) - len(images)) + images
