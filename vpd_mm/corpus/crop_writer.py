"""Write crops into one shard."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import lmdb
import numpy as np

from ..engine.locks import file_lock
from ..errors import UserError
from . import crop_codec as codec
from .crop_store import HEADER_VERSION, CropHeader
from .shard import (
    CROP,
    ENVIRONMENTS,
    IMAGE,
    frame_key,
    frame_range,
    header_key,
    keys_from,
    read_value,
    unfinished_videos,
    writing_key,
)
from .video_table import check_video_name

#: Bytes held in memory before a transaction writes them.
_CHUNK_BYTES = 8 << 20


class CropWriter:
    """Write crops into one shard, which has one writer at a time.

    A long video is written in several transactions; the last one contains the
    header, without which the video does not exist.  Opening a shard removes
    unfinished videos of an interrupted writer.

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
        self._stack = ExitStack()
        # a worker of a killed run ends within a second
        busy = f'{self.path}: another process writes this shard; wait for it'
        self._stack.enter_context(file_lock(self.path.with_suffix('.lock'), wait_sec=10, busy=busy))
        try:
            if self.path.exists():
                ENVIRONMENTS.writer(self.path)
                for video in unfinished_videos(self.path):
                    self.remove(video)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> 'CropWriter':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the shard and release its lock."""
        ENVIRONMENTS.close(self.path)
        self._stack.close()

    @contextmanager
    def video(
        self, video: str, size: int, flow: Mapping | None = None, full_frame: bool = False
    ) -> Iterator['VideoCropWriter']:
        """Write the crops of one video; an error inside the block removes them again.

        Args:
            video: Name of the video.
            size: Side of the stored crops, px.
            flow: Settings of the flow (``FlowEstimator.settings``, with 'clip'
                in px); None = no flow.
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
            self._undo(video)
            raise

    def remove(self, video: str) -> None:
        """Delete ``video``, header first."""
        self.commit([], delete=[header_key(video)])
        for kind in (CROP, IMAGE):
            while self._delete_some(*frame_range(kind, video)):
                pass
        self.commit([], delete=[writing_key(video)])

    def _undo(self, video: str) -> None:
        try:
            self.remove(video)
        except UserError:  # the disk is full: the next writer removes the video
            ENVIRONMENTS.close(self.path)

    def _delete_some(self, first: bytes, end: bytes, count: int = 2000) -> bool:
        with ENVIRONMENTS.writer(self.path).begin() as txn:
            keys = list(islice(keys_from(txn, first, end), count))
        self.commit([], delete=keys)
        return len(keys) == count

    def commit(self, items: list[tuple[bytes, bytes]], delete: list[bytes]) -> None:
        """Delete and put records in one transaction; the file grows as needed.

        Raises:
            UserError: the disk is full or the shard damaged.
        """
        env = ENVIRONMENTS.writer(self.path)
        while True:
            try:
                with env.begin(write=True) as txn:
                    for key in delete:
                        txn.delete(key)
                    for key, value in items:
                        txn.put(key, value)
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
    """

    def __init__(self, shard: CropWriter, video: str, size: int, flow: Mapping | None, full_frame: bool) -> None:
        self._shard = shard
        self._video = video
        self._size = size
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
            flow: (size, size, 2) float32, px of the crop, u right, v down;
                required if and only if the video has flow.
            mask: (size, size) bool, True on the athlete.
            frame_image: (H, W, 3) uint8; required if and only if whole frames
                are stored.
            start: The previous frame is missing or of another shot.
        """
        self._check(frame_ind, rgb, flow, mask, frame_image)
        clip = self._flow['clip'] if self._flow is not None else 0.0
        record = codec.pack_record(
            codec.encode_rgb(rgb),
            b'' if flow is None else codec.encode_flow(flow, clip),
            b'' if mask is None else codec.encode_mask(mask),
        )
        self._put(frame_key(CROP, self._video, frame_ind), record)
        if frame_image is not None:
            self._frame_shape = (frame_image.shape[0], frame_image.shape[1])
            self._put(frame_key(IMAGE, self._video, frame_ind), codec.encode_frame(frame_image))
        self._frame_inds.append(int(frame_ind))
        if start:
            self._starts.append(int(frame_ind))
        left, top, side = map(int, window)
        self._windows.append((left, top, side))

    def finish(self) -> None:
        """Write the rest and the header."""
        self.header = CropHeader(
            version=HEADER_VERSION,
            size=self._size,
            flow=self._flow,
            frame_shape=self._frame_shape,
            num_bytes=self._num_bytes,
            frame_inds=np.array(self._frame_inds, dtype=np.int64),
            windows=np.array(self._windows, dtype=np.int64).reshape(-1, 3),
            starts=np.array(self._starts, dtype=np.int64),
        )
        self._pending.append((header_key(self._video), json.dumps(self.header.to_json()).encode()))
        self._flush(delete=[writing_key(self._video)])

    def _check(self, frame_ind, rgb, flow, mask, frame_image) -> None:
        last = self._frame_inds[-1] if self._frame_inds else -1
        square = (self._size, self._size)
        if frame_ind <= last:
            raise ValueError(f'frame_ind must increase, found {frame_ind} after {last}')
        if rgb.shape != (*square, 3) or rgb.dtype != np.uint8:
            raise ValueError(f'rgb must be {(*square, 3)} uint8, found {rgb.shape} {rgb.dtype}')
        if (flow is None) != (self._flow is None) or (flow is not None and flow.shape != (*square, 2)):
            raise ValueError(f'flow must be {(*square, 2)} exactly when the video has flow settings')
        if mask is not None and mask.shape != square:
            raise ValueError(f'mask must be {square}, found {mask.shape}')
        if (frame_image is None) == self.full_frame:
            raise ValueError('frame_image must be given exactly when whole frames are stored')
        if frame_image is not None and self._frame_shape not in (None, frame_image.shape[:2]):
            raise ValueError(f'frame_image must be {self._frame_shape}, found {frame_image.shape[:2]}')

    def _put(self, key: bytes, value: bytes) -> None:
        self._pending.append((key, value))
        self._pending_bytes += len(value)
        self._num_bytes += len(value)
        if self._pending_bytes >= _CHUNK_BYTES:
            self._flush([])

    def _flush(self, delete: list[bytes]) -> None:
        # deletions come first; a video of one chunk would put its marker after it
        pending = [item for item in self._pending if item[0] not in delete]
        self._shard.commit(pending, delete)
        self._pending, self._pending_bytes = [], 0
