"""Write crops into one shard."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import lmdb
import numpy as np

from ..engine.locks import file_lock
from ..errors import UserError
from ..files import check_video_name
from . import crop_codec as codec
from .crop_store import CropHeader
from .shard import (
    CROP,
    ENVIRONMENTS,
    HEADER,
    IMAGE,
    VIDEOS,
    digest_of,
    frame_key,
    header_key,
    keys_of,
    read_value,
    seal,
    unfinished_videos,
    writing_key,
)

#: Bytes held in memory before a transaction writes them.
_CHUNK_BYTES = 8 << 20


class CropWriter:
    """Write crops into one shard, which has one writer at a time.

    A long video is written in several transactions; the last one contains the header, without which the video does
    not exist.  Opening a shard removes unfinished videos of an interrupted writer.

    Args:
        path: ``corpus.crops_dir / 'shard-<id>.lmdb'``, created when missing.

    Raises:
        UserError: another process writes this shard, or it is damaged.

    Example:
        >>> with CropWriter(path) as writer, writer.video('jump', size=128) as video:
        ...     video.add(0, (left, top, side), rgb)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        # a worker of a killed run ends within a second
        busy = f'{self.path}: another process writes this shard; wait for it'
        with ExitStack() as stack:
            stack.enter_context(file_lock(self.path.with_suffix('.lock'), wait_sec=10, busy=busy))
            stack.callback(ENVIRONMENTS.close, self.path)
            if self.path.exists():
                ENVIRONMENTS.writer(self.path)
                for video in unfinished_videos(self.path):
                    self.remove(video)
            stack.callback(self._list_videos)
            self._stack = stack.pop_all()

    def __enter__(self) -> 'CropWriter':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the shard and release its lock."""
        self._stack.close()

    def _list_videos(self) -> None:
        """Record which videos the shard holds; the next commit removes the list again.

        LMDB keeps the former version of a shard beside the last one.  As this commit adds the list only, either
        version holds all videos.
        """
        if self.path.exists() and read_value(self.path, VIDEOS) is None:
            with suppress(UserError):  # the disk is full: the shard stays without a list
                self.commit([(VIDEOS, digest_of(keys_of(self.path, HEADER)))])

    @contextmanager
    def video(
        self, video: str, size: int, flow: Mapping | None = None, full_frame: bool = False
    ) -> Iterator['VideoCropWriter']:
        """Write the crops of one video; an error inside the block removes them again.

        Args:
            video: Name of the video.
            size: Side of the stored crops, px.
            flow: Settings of the flow (``FlowEstimator.settings``, with 'clip' in px); None = no flow.
            full_frame: Store whole frames too.

        Raises:
            UserError: the shard has this video, or the disk is full.
        """
        check_video_name(video)
        if self.path.exists() and read_value(self.path, header_key(video)) is not None:
            raise UserError(f'{self.path}: holds video {video!r} already; remove it first')
        writing = VideoCropWriter(self, video, size, flow, full_frame)
        try:
            yield writing
            writing.finish()
        except BaseException:
            try:
                self.remove(video)
            except UserError:  # the disk is full: the next writer removes the video
                ENVIRONMENTS.close(self.path)
            raise

    def remove(self, video: str) -> None:
        """Delete all records of ``video``."""
        frames = [key for kind in (CROP, IMAGE) for key in keys_of(self.path, kind + video.encode() + b'/')]
        self.commit([], delete=[header_key(video), *frames, writing_key(video)])

    def commit(self, items: Sequence[tuple[bytes, bytes]], delete: Sequence[bytes] = ()) -> None:
        """Put and then delete records in one transaction; the file grows as needed.

        Raises:
            UserError: the disk is full or the shard damaged.
        """
        env = ENVIRONMENTS.writer(self.path)
        while True:
            try:
                with env.begin(write=True) as txn:
                    txn.delete(VIDEOS)
                    for key, value in items:
                        txn.put(key, seal(key, value))
                    for key in delete:
                        txn.delete(key)
                return
            except lmdb.MapFullError:
                env.set_mapsize(env.info()['map_size'] * 2)
            except lmdb.Error as e:
                ENVIRONMENTS.close(self.path)
                raise UserError(f'{self.path}: cannot be written ({e}); free some space and run again') from e


class VideoCropWriter:
    """Write the frames of one video; see :meth:`CropWriter.video`.

    Attributes:
        full_frame: Whole frames are stored too.
        header: Description of the stored crops; None until finished.
        source: What they are made of, see :mod:`vpd_mm.corpus.stale_files`; None: unknown.
    """

    def __init__(self, shard: CropWriter, video: str, size: int, flow: Mapping | None, full_frame: bool) -> None:
        self._shard, self._video, self._size = shard, video, size
        self._flow = dict(flow) if flow is not None else None
        self.full_frame = full_frame
        self._frame_inds: list[int] = []
        self._windows: list[tuple[int, int, int]] = []
        self._starts: list[int] = []
        self._pending: list[tuple[bytes, bytes]] = [(writing_key(video), b'')]
        self._pending_bytes = 0
        self._num_bytes = 0
        self._frame_shape: tuple[int, int] | None = None
        self.header: CropHeader | None = None
        self.source: Mapping | None = None

    def add(
        self,
        frame_ind: int,
        window: tuple[int, int, int],
        rgb: np.ndarray,
        flow: np.ndarray | None = None,
        mask: np.ndarray | None = None,
        frame_image: np.ndarray | None = None,
        start: bool = False,
    ) -> None:
        """Add one frame; frame numbers increase.

        Args:
            frame_ind: Number of the frame.
            window: (left, top, side) of the crop in the full frame, px.
            rgb: (size, size, 3) uint8.
            flow: (size, size, 2) float32, px of the crop, u right, v down; if and only if the video has flow.
            mask: (size, size) bool, True on the athlete.
            frame_image: (H, W, 3) uint8; if and only if whole frames are stored.
            start: The previous frame is missing or of another shot.

        Raises:
            ValueError: an argument does not fit the video.
        """
        self._check(frame_ind, rgb, flow, mask, frame_image)
        record = codec.pack_record(
            codec.encode_rgb(rgb),
            b'' if flow is None or self._flow is None else codec.encode_flow(flow, self._flow['clip']),
            b'' if mask is None else codec.encode_mask(mask),
        )
        self._put(frame_key(CROP, self._video, frame_ind), record)
        if frame_image is not None:
            self._frame_shape = (frame_image.shape[0], frame_image.shape[1])
            self._put(frame_key(IMAGE, self._video, frame_ind), codec.encode_frame(frame_image))
        self._frame_inds.append(frame_ind)
        if start:
            self._starts.append(frame_ind)
        self._windows.append(window)

    def finish(self) -> None:
        """Write the rest and the header."""
        self.header = CropHeader(
            size=self._size,
            flow=self._flow,
            frame_shape=self._frame_shape,
            num_bytes=self._num_bytes,
            frame_inds=np.array(self._frame_inds, dtype=np.int64),
            windows=np.array(self._windows, dtype=np.int64).reshape(-1, 3),
            starts=np.array(self._starts, dtype=np.int64),
            source=self.source,
        )
        self._pending.append((header_key(self._video), json.dumps(self.header.to_json()).encode()))
        self._flush(delete=[writing_key(self._video)])

    def _check(self, frame_ind, rgb, flow, mask, frame_image) -> None:
        last = self._frame_inds[-1] if self._frame_inds else -1
        if frame_ind <= last:
            raise ValueError(f'frame_ind must increase, found {frame_ind} after {last}')
        if rgb.dtype != np.uint8:
            raise ValueError(f'rgb must be uint8, found {rgb.dtype}')
        square = (self._size, self._size)
        whole = (*(self._frame_shape or np.shape(frame_image)[:2]), 3)
        for name, array, shape in (
            ('rgb', rgb, (*square, 3)),
            ('flow', flow, None if self._flow is None else (*square, 2)),
            ('mask', mask, None if mask is None else square),
            ('frame_image', frame_image, whole if self.full_frame else None),
        ):
            actual = None if array is None else array.shape
            if actual != shape:
                raise ValueError(f'{name} of frame {frame_ind} must be {shape} in this video, found {actual}')

    def _put(self, key: bytes, value: bytes) -> None:
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        self._num_bytes += len(value)
        if self._pending_bytes >= _CHUNK_BYTES:
            self._flush()

    def _flush(self, delete: Sequence[bytes] = ()) -> None:
        self._shard.commit(self._pending, delete)
        self._pending, self._pending_bytes = [], 0
