"""Frames of a video file in order, in constant memory, or by number."""

import os
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import UserError
from ..files import check_file, open_video

#: A file with less than this share of the frames or seconds that its header announces counts as truncated.
_WHOLE_SHARE = 0.98
#: A resampled video repeats its frames at most so often on average.
_MAX_REPEATS = 10_000


class FrameSource(Protocol):
    """Frames of one input; iterating gives (frame_ind from 0, (H, W, 3) uint8 RGB).

    ``path`` names the input; ``num_frames`` is 0 where it is not known.
    """

    path: Path
    fps: float
    num_frames: int
    width: int
    height: int

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]: ...


class VideoReader:
    """Iterate over ``(frame_ind, rgb)`` of a video file.

    rgb is a new (H, W, 3) uint8 array, rotated and mirrored according to the metadata and converted with the file's
    own color matrix and range (10-bit is rounded to 8).  Every iteration decodes the file again.

    Frame numbers count from 0.  With ``fps=None`` they are those of the file, also at a variable rate.  With a
    constant rate every tick gets the nearest frame, so slow parts repeat and fast parts drop frames.

    Packets that do not decode and frames that the decoder marks as corrupt are skipped and counted in
    ``num_damaged``; later frames keep their numbers by their time stamps.  If a file starts with packets that cannot
    be shown (an open GOP), frame 0 is the first one shown.

    ``fps`` is None, or the constant rate to resample to.

    Attributes:
        fps: Frames per second (the mean at a variable rate).
        num_frames: Expected number of frames; decoding a damaged file can give fewer.
        width, height: Upright size, px.
        num_damaged: Damaged packets and frames of the last iteration.

    Raises UserError: the file is missing, empty, no video, audio only, truncated, too large, or without a frame that
    decodes.
    """

    def __init__(self, path: str | os.PathLike, fps: float | None = None) -> None:
        self.path = Path(path)
        check_file(self.path, missing='check the path')
        if self.path.stat().st_size == 0:
            raise UserError(f'{self.path}: empty file (0 bytes); copy or download it again')
        if fps is not None and not 0 < fps < 1e4:
            raise UserError(f'{self.path}: fps must be above 0, found {fps}')
        self._target = fps
        self.num_damaged = 0
        self._native, self._times = self._scan()
        self.fps = float(fps or self._native)
        self._size: tuple[int, int] | None = None
        with closing(self._decode()) as frames:
            time, first = next(frames, (None, None))
        if first is None:
            raise UserError(f'{self.path}: no frame decodes (0 of {len(self._times)}); copy or encode it again')
        if time is not None and not self.num_damaged:  # decoders silently drop the leading frames of an open GOP
            self._times = self._times[min(np.searchsorted(self._times, time - 1e-6), len(self._times) - 1) :]
        self.num_frames = len(self._times) if fps is None else int(self._ticks(self._times[-1])) + 1
        if self.num_frames > _MAX_REPEATS * len(self._times):
            span = f'{len(self._times)} frames span {self._times[-1] - self._times[0]:g} s'
            raise UserError(f'{self.path}: {span}, too much to resample to {self.fps:g} fps; encode it again')
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        if self._target is not None:
            yield from self._resampled()
            return
        frame_ind = -1
        for time, rgb in self._decode():
            frame_ind += 1
            if self.num_damaged and time is not None:
                frame_ind = max(frame_ind, int(np.searchsorted(self._times, time - 1e-6)))
            yield frame_ind, rgb

    def _resampled(self) -> Iterator[tuple[int, np.ndarray]]:
        held, next_tick, end = np.zeros(0, np.uint8), 0, 0
        for count, (time, rgb) in enumerate(self._decode()):
            tick = int(self._ticks(count / self._native + self._times[0] if time is None else time))
            while count and next_tick < tick:
                yield next_tick, held
                # a copy, because a caller may draw on the frame
                held, next_tick = held.copy(), next_tick + 1
            held, end = rgb, max(tick + 1, end)
        for tick in range(next_tick, end):
            yield tick, held.copy()

    def _ticks(self, times: float | np.ndarray) -> np.ndarray:
        """Return the numbers of the ticks nearest to times, s, at the constant rate."""
        return np.floor((times - self._times[0]) * self.fps + 0.5).astype(int)

    def read(self, frame_inds: Sequence[int]) -> dict[int, np.ndarray]:
        """Return {frame number: (H, W, 3) uint8 rgb}, numbers as of the iteration if no packet is damaged.

        Decodes from the key frame before the first requested frame to the last one.  UserError: a frame lies outside
        the video or does not decode.
        """
        wanted = np.unique(np.asarray(frame_inds, np.int64))
        if not len(wanted):
            return {}
        if not 0 <= wanted[0] <= wanted[-1] < self.num_frames:
            raise UserError(f'{self.path}: has frames 0..{self.num_frames - 1}, asked for {wanted[0]}..{wanted[-1]}')
        positions = wanted
        if self._target is not None:  # a tick shows the last frame that is nearest to it or to an earlier tick
            ticks = np.maximum.accumulate(self._ticks(self._times))
            positions = np.searchsorted(ticks, wanted, side='right') - 1
        images = self._decode_at(positions)
        missing = [frame for frame, position in zip(wanted, positions) if position not in images]
        if missing:
            raise UserError(f'{self.path}: frame {missing[0]} does not decode; copy or encode the file again')
        return {int(frame): images[position] for frame, position in zip(wanted, positions)}

    def _decode_at(self, positions: np.ndarray) -> dict[int, np.ndarray]:
        """Decode the frames at these increasing positions in the file, as far as possible."""
        images: dict[int, np.ndarray] = {}
        first, last = positions[[0, -1]].tolist()
        # Containers seek by decoding time, which may lead past the frame: retry from farther back, finally from 0.
        for back in (0.0, 1.0, 5.0, None):
            start = None if back is None else float(self._times[first]) - back
            images.clear()
            with closing(self._decode(start)) as frames:
                for count, (time, rgb) in enumerate(frames):
                    if time is None and start is not None:
                        break
                    position = count if time is None else int(np.argmin(np.abs(self._times - time)))
                    if count == 0 and position > first:
                        break
                    if position in positions:
                        images[position] = rgb
                    if position >= last:
                        return images
        return images

    def _open(self) -> tuple['av.container.InputContainer', 'av.VideoStream']:
        container = open_video(self.path)
        stream = container.streams.best('video')
        if not isinstance(stream, av.VideoStream) or stream.disposition & av.stream.Disposition.attached_pic:
            kinds = ', '.join(sorted({s.type for s in container.streams})) or 'nothing'
            container.close()
            raise UserError(f'{self.path}: has no video stream (it holds: {kinds}); pass the file with the video')
        stream.thread_type = 'AUTO'
        return container, stream

    def _scan(self) -> tuple[float, np.ndarray]:
        """Return the frame rate and the sorted packet times in seconds, without decoding."""
        container, stream = self._open()
        stamps: list[int] = []
        num_packets = 0
        with container:
            try:
                for packet in container.demux(stream):
                    num_packets += packet.size > 0
                    if packet.size and not packet.is_discard:
                        stamp = packet.pts if packet.pts is not None else packet.dts
                        stamps.append(stamp if stamp is not None else -1)
            except av.FFmpegError as e:
                raise UserError(
                    f'{self.path}: damaged after {len(stamps)} frames ({e.strerror}); copy or encode it again'
                ) from e
            rate = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 0)
            if not stamps:
                raise UserError(f'{self.path}: holds no frames (0 packets of video); copy or encode it again')
            if not rate:
                raise UserError(f'{self.path}: has no frame rate; encode it again with one')
            times = np.sort(np.array(stamps, dtype=np.int64)) * float(stream.time_base or 1 / rate)
            if min(stamps) < 0 and len(set(stamps)) < len(stamps):  # no time stamps: use the frame rate
                times = np.arange(len(stamps)) / rate
            remaining = _truncated(stream, num_packets, times, 1 / rate)
        if remaining:
            raise UserError(
                f'{self.path}: cut short, holds {remaining}; copy or download it again (or repair it: ffmpeg -i IN '
                '-c copy OUT)'
            )
        return rate, times

    def _decode(self, start: float | None = None) -> Generator[tuple[float | None, np.ndarray], None, None]:
        """Yield (time in seconds or None, upright rgb) of every intact frame from the key frame before ``start``."""
        self.num_damaged = 0
        container, stream = self._open()
        converter = VideoReformatter()
        with container:
            if start is not None and stream.time_base:
                with suppress(av.FFmpegError):  # a file without an index is decoded from its start
                    container.seek(int(start / stream.time_base), stream=stream)
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.num_damaged += 1
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.num_damaged += 1
                        continue
                    width, height = self._size or (frame.width, frame.height)
                    self._size = (width, height)  # if the stream changes size, scale to the first one
                    rgb = converter.reformat(frame, width, height, format='rgb24').to_ndarray()
                    yield frame.time, _upright(rgb, frame)


def _upright(rgb: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Rotate and mirror by the display matrix, which maps pixel (x, y) to (a x + c y, b x + d y)."""
    matrix: Any = frame.side_data.get('DISPLAYMATRIX')  # missing in PyAV's stubs
    if matrix is None:
        return rgb
    a, b, _, c, d, *_ = struct.unpack('=9i', bytes(matrix))
    if a * d < b * c:  # mirrored: frame.rotation describes the x axis only
        rgb = rgb[::-1]
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def _truncated(stream: 'av.VideoStream', num_packets: int, times: np.ndarray, frame_time: float) -> str | None:
    """Describe how much of a truncated file is left; None for a complete file.

    ``num_packets`` includes those that an edit list hides; ``times`` are sorted, ``frame_time`` is the mean, in s.
    """
    if stream.frames:
        if num_packets >= _WHOLE_SHARE * stream.frames - 1:
            return None
        # packets behind the end of an edit list are announced but never read; the edited duration leaves them out
        duration = float((stream.duration or 0) * (stream.time_base or 0))
        complete = 0 < _WHOLE_SHARE * duration <= times[-1] - times[0] + frame_time
        return None if complete else f'{num_packets} of {stream.frames} frames'
    try:  # Matroska's end time
        hours, minutes, seconds = map(float, stream.metadata.get('DURATION', '').split(':'))
    except ValueError:
        return None
    end = hours * 3600 + minutes * 60 + seconds
    longest = np.diff(times).max(initial=frame_time)  # longest time that the last frame may be shown
    return f'{times[-1]:.2f} of {end:.2f} s' if times[-1] + longest < _WHOLE_SHARE * end else None
