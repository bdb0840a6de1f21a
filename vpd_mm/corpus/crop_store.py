"""Read crops, flow, masks and whole frames of all shards of a corpus."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import UserError
from ..files import parse_json
from ..structures import frames_in_order, left_out_videos
from ..structures.npz_io import check_source
from . import crop_codec as codec
from .shard import CROP, ENVIRONMENTS, IMAGE, frame_key, header_key, read_stored, read_value, unseal, videos_of_shards

T = TypeVar('T')
HEADER_VERSION = 1

_MAX_SIDE = 4096
#: Largest coordinate of a window, and side of a whole frame, px.
_MAX_PX = 1 << 20
#: Headers that are kept, and frames of all of them.
_CACHED_HEADERS, _CACHED_FRAMES = 1000, 1_000_000
#: Records that are kept, so that flow and mask are read after the crops of several frames.
CACHED_RECORDS = 128
#: The arrays of a stored header, which are nearly all of its text.
_ARRAYS = re.compile(rb'"(frame_inds|windows|starts)": (\[[-\d\[\], ]*\])')
_NO_FRAMES, _NO_WINDOWS = np.zeros(0, np.int64), np.zeros((0, 3), np.int64)


@dataclass(frozen=True, eq=False)
class CropHeader:
    """Description of the stored crops of one video.

    Args:
        size: Side of the crops, px.
        flow: None, or how the flow was made: 'method', 'clip' (px), 'subtract_median', ...
        frame_shape: (height, width) of the stored whole frames; None = none.
        num_bytes: Size of all records.
        frame_inds: (T,) int64, strictly increasing.
        windows: (T, 3) int64: left, top, side of the crop in the full frame, px; it may leave the frame.
        starts: (K,) int64, frames whose previous frame is missing or of another shot.
        source: What they were made of, see :mod:`vpd_mm.corpus.stale_files`; None: unknown.
    """

    size: int
    flow: Mapping | None
    frame_shape: tuple[int, int] | None
    num_bytes: int
    frame_inds: np.ndarray
    windows: np.ndarray
    starts: np.ndarray
    source: Mapping | None = None

    def __len__(self) -> int:
        return len(self.frame_inds)

    def without_frames(self) -> 'CropHeader':
        """Return the settings and the source alone, which take little memory."""
        return replace(self, frame_inds=_NO_FRAMES, windows=_NO_WINDOWS, starts=_NO_FRAMES)

    @property
    def square(self) -> tuple[int, int]:
        """(height, width) of the crops."""
        return self.size, self.size

    def to_json(self) -> dict:
        """Return the fields as JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in ('frame_inds', 'windows', 'starts')}
        fields = {name: value for name, value in vars(self).items() if name != 'source' or value is not None}
        return {'version': HEADER_VERSION, **fields, **arrays}

    @classmethod
    def from_json(cls, data: bytes) -> 'CropHeader':
        """Parse and check a header.

        Raises:
            UserError: a field is missing or not valid, or the version is unknown.
        """
        fields = parse_json(data, 'crop header', 'it is damaged')
        try:
            version = fields.pop('version')
            if version != HEADER_VERSION:
                raise UserError(f'crop header version {version!r}, this vpd_mm knows {HEADER_VERSION}')
            inds, windows, starts = (_integers(fields[name]) for name in ('frame_inds', 'windows', 'starts'))
            windows = windows.reshape(-1, 3)
            arrays = {'frame_inds': inds, 'windows': windows, 'starts': starts}
            shape = fields['frame_shape']
            header = cls(**fields | arrays | {'frame_shape': None if shape is None else tuple(shape)})
            whole = header.frame_shape or (1, 1)
            sizes = (header.size, header.num_bytes, *whole)
            clip = 1.0 if header.flow is None else header.flow['clip']
            if header.source is not None:
                check_source(header.source, 'crop header')
            valid = all(type(size) is int for size in sizes) and len(whole) == 2 and 0 < clip <= _MAX_PX
            valid = valid and 0 < header.size <= _MAX_SIDE and 0 < min(whole) <= max(whole) <= _MAX_PX
        except UserError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as e:
            raise UserError(f'crop header is damaged ({type(e).__name__}: {e})') from e
        valid = valid and frames_in_order(inds) and len(inds) == len(windows)
        if not valid or np.any(np.abs(windows) > _MAX_PX) or np.any(windows[:, 2] < 1):
            raise UserError('crop header is damaged (sizes or frame numbers)')
        return header


def _cut_arrays(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return a stored header with empty arrays, and the text of each array."""
    before, *parts = _ARRAYS.split(data)
    names, texts = parts[::3], parts[1::3]
    if len({*names}) < len(names):  # of another program: one of them lies deeper
        return data, {}
    rest = before + b''.join(b'"%s": []%s' % pair for pair in zip(names, parts[2::3], strict=True))
    return rest, {name.decode(): text.decode() for name, text in zip(names, texts, strict=True)}


def _sorted_text(data: bytes) -> str:
    """``json.dumps(fields, sort_keys=True)`` of a stored header, without parsing the arrays."""
    rest, arrays = _cut_arrays(data)
    fields = parse_json(rest, 'crop header', 'it is damaged')
    texts = {name: json.dumps(value, sort_keys=True) for name, value in fields.items()} | arrays
    return '{' + ', '.join(f'"{name}": {texts[name]}' for name in sorted(texts)) + '}'


def _frame_inds(data: bytes) -> np.ndarray:
    arrays = _cut_arrays(data)[1]
    if 'frame_inds' not in arrays:
        return CropHeader.from_json(data).frame_inds
    with suppress(ValueError, TypeError):
        if frames_in_order(inds := _integers(parse_json(arrays['frame_inds'], 'crop header', 'it is damaged'))):
            return inds
    raise UserError('crop header is damaged (frame numbers)')


def _integers(values: Any) -> np.ndarray:
    """Return a list of JSON as int64; TypeError or ValueError where it holds anything but numbers that fit."""
    array = np.array(values)
    if not isinstance(values, list) or (array.size and array.dtype != np.int64):
        raise TypeError('not whole numbers')
    return array.astype(np.int64)


class Crop(NamedTuple):
    """One stored frame: rgb (S, S, 3) uint8, flow (S, S, 2) float32 px or None, mask (S, S) bool or None."""

    rgb: np.ndarray
    flow: np.ndarray | None
    mask: np.ndarray | None


class CropStore:
    """Random access to the crops of a corpus; safe to pickle and to use after fork or spawn.

    Args:
        directory: ``corpus.crops_dir``.
        shards: Video to shard, where only some are to be read; None: all of the directory but those left out.

    Example:
        >>> store = CropStore(corpus.crops_dir)
        >>> rgb = store.crop('wall_flip', 100)     # (128, 128, 3) uint8
        >>> flow = store.flow('wall_flip', 100)    # (128, 128, 2) float32, px, u right, v down

    Every method raises UserError where a shard, a video or a frame is missing or damaged; the message names it.
    """

    def __init__(self, directory: str | os.PathLike, shards: dict[str, Path] | None = None) -> None:
        self.directory, self._given = Path(directory), shards
        #: Headers that were read last, each with the number of frames that were read before.
        self._headers: dict[str, tuple[CropHeader, int]] = {}
        self._frames_read = 0
        self._settings: dict[str, CropHeader] = {}
        #: Parts of the records that were read last, by video and frame.
        self._records: dict[tuple[str, int], tuple[bytes, bytes, bytes]] = {}

    def __getstate__(self) -> dict:
        state = {'directory': self.directory, '_given': self._given, '_headers': {}, '_records': {}}
        return {**state, '_settings': self._settings, '_frames_read': 0}

    @cached_property
    def _shards(self) -> dict[str, Path]:
        if self._given is not None:
            return self._given
        left_out = left_out_videos(self.directory / '..' / '..')
        return {video: shard for video, shard in videos_of_shards(self.directory).items() if video not in left_out}

    def videos(self) -> list[str]:
        """Names of the finished videos, sorted; an empty list where nothing is prepared yet."""
        return sorted(self._shards)

    def __contains__(self, video: str) -> bool:
        return video in self._shards

    def __len__(self) -> int:
        return len(self._shards)

    def header(self, video: str) -> CropHeader:
        """Read the header of ``video``."""
        header, _ = self._headers.get(video, (None, 0))
        if header is None:
            header = self._read_header(video, CropHeader.from_json)
            self._settings[video], self._headers[video] = header.without_frames(), (header, self._frames_read)
            self._frames_read += len(header)
            kept = list(self._headers.items())  # a copy: other threads change it
            while len(kept) > 1 and (len(kept) > _CACHED_HEADERS or self._frames_read - kept[0][1][1] > _CACHED_FRAMES):
                self._headers.pop(kept.pop(0)[0], None)
        return header

    def settings(self, video: str) -> CropHeader:
        """Return the header of ``video`` without its frames, which are not parsed; those of all videos are kept."""
        if video not in self._settings:
            self._settings[video] = self._read_header(video, lambda data: CropHeader.from_json(_cut_arrays(data)[0]))
        return self._settings[video]

    def frame_inds(self, video: str) -> np.ndarray:
        """Return the frames of ``video``, without parsing where in the image their crops lie."""
        return self._read_header(video, _frame_inds)

    def header_text(self, video: str) -> str:
        """Return the header of ``video`` as JSON with sorted keys; its frames are not parsed."""
        return self._read_header(video, _sorted_text)

    def _read_header(self, video: str, parse: Callable[[bytes], T]) -> T:
        shard = self._shard(video)
        with _located(f'{shard}: video {video!r}'):
            data = read_value(shard, header_key(video))
            if data is None:
                raise UserError('has no header')
            return parse(data)

    def close(self) -> None:
        """Close the shards in this process, in which no other thread may read them; the next read opens one again.

        Pages of a shard that were read, such as all headers, count as memory of the process until then.
        """
        for path in set(self._shards.values()):
            ENVIRONMENTS.close(path)

    def read(self, video: str, frame_ind: int) -> Crop:
        """Read crop, flow and mask of one frame."""
        rgb = self.crop(video, frame_ind)
        flow = self.flow(video, frame_ind) if self.settings(video).flow is not None else None
        return Crop(rgb, flow, self.mask(video, frame_ind))

    def fetch(self, video: str, frame_ind: int) -> tuple[bytes, bytes, bytes]:
        """Read the record of a frame; its flow and mask are read from it, and its crop if it is ``fetched``."""
        record = self._record(video, frame_ind, CROP)
        parts = self._checked(video, frame_ind, codec.unpack_record, record)
        self._records.pop((video, frame_ind), None)
        for oldest in list(self._records)[: 1 - CACHED_RECORDS]:  # a copy: other threads change it
            self._records.pop(oldest, None)
        self._records[video, frame_ind] = parts
        return parts

    def crop(self, video: str, frame_ind: int, fetched: bool = False) -> np.ndarray:
        """Read the RGB crop (S, S, 3) uint8."""
        if not fetched:
            self.fetch(video, frame_ind)
        return self._part(video, frame_ind, 0, codec.decode_rgb, self.settings(video).square)

    def flow(self, video: str, frame_ind: int) -> np.ndarray:
        """Read the flow from the previous frame, (S, S, 2) float32 in px of the crop, u right, v down."""
        square, clip = self.settings(video).square, self._flow_clip(video)
        return self._part(video, frame_ind, 1, codec.decode_flow, square, clip)

    def flow_code(self, video: str, frame_ind: int) -> tuple[np.ndarray, float]:
        """Read the flow as it is stored: codes (S, S, 2) uint8, and px of a step; code 128 is 0."""
        square, step = self.settings(video).square, self.flow_step(video)
        return self._part(video, frame_ind, 1, codec.decode_flow_code, square), step

    def crop_jpeg(self, video: str, frame_ind: int) -> bytes:
        """Read the RGB crop as it is stored, a JPEG image of (S, S, 3)."""
        self.fetch(video, frame_ind)
        return self._part(video, frame_ind, 0, codec.check_rgb, self.settings(video).square)

    def flow_jpeg(self, video: str, frame_ind: int) -> bytes:
        """Read the flow as it is stored, a JPEG image [u | v] of (S, 2 S)."""
        return self._part(video, frame_ind, 1, codec.check_flow, self.settings(video).square)

    def flow_step(self, video: str) -> float:
        """Return the px of a step of the codes of flow; code 128 is 0."""
        return codec.flow_step(self._flow_clip(video))

    def mask(self, video: str, frame_ind: int) -> np.ndarray | None:
        """Read the mask (S, S) bool, True on the athlete; None where the frame has none."""
        square = self.settings(video).square
        return self._part(video, frame_ind, 2, lambda png: codec.decode_mask(png, square) if png else None)

    def frame_image(self, video: str, frame_ind: int) -> np.ndarray:
        """Read the whole frame (H, W, 3) uint8 RGB."""
        shape = self.settings(video).frame_shape
        if shape is None:
            shard = self._shard(video)
            raise UserError(f'{shard}: video {video!r} has no whole frames; prepare with --full-frame into a new --out')
        return self._checked(video, frame_ind, codec.decode_rgb, self._record(video, frame_ind, IMAGE), shape)

    def _flow_clip(self, video: str) -> float:
        """Largest flow of a video, px."""
        flow = self.settings(video).flow
        if flow is None:
            raise UserError(f'{self._shard(video)}: video {video!r} has no flow; prepare with --flow into a new --out')
        return flow['clip']

    def _shard(self, video: str) -> Path:
        if video not in self._shards:
            raise UserError(f'{self.directory}: no crops of video {video!r} among {len(self)}; run tools/prepare.py')
        return self._shards[video]

    def _part(self, video: str, frame_ind: int, part: int, decode: Callable[..., T], *args: Any) -> T:
        """Decode a part of the record of a crop; flow and mask are read after the crop, of the same record."""
        parts = self._records.get((video, frame_ind)) or self.fetch(video, frame_ind)
        return self._checked(video, frame_ind, decode, parts[part], *args)

    def _record(self, video: str, frame_ind: int, kind: bytes) -> bytes:
        """Read a record."""
        stored = read_stored(self._shard(video), key := frame_key(kind, video, frame_ind))
        if stored is None:
            shard, inds = self._shard(video), self.header(video).frame_inds
            span = f'{inds[0]}..{inds[-1]}' if len(inds) else 'none'
            raise UserError(f'{shard}: video {video!r} has no frame {frame_ind}; it holds {len(inds)} ({span})')
        return self._checked(video, frame_ind, unseal, key, stored)

    def _checked(self, video: str, frame_ind: int, decode: Callable[..., T], *args: Any) -> T:
        """Return ``decode(*args)``; its error names shard, video and frame."""
        try:
            return decode(*args)
        except UserError as e:
            with _located(f'{self._shard(video)}: video {video!r}, frame {frame_ind}'):
                raise e


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Add shard, video and frame to an error."""
    try:
        yield
    except UserError as e:
        raise UserError(f'{where}: {e}; delete the shard and run tools/prepare.py again') from e
