"""Frames of a video file in order, in constant memory, or by number."""

import copy
import os
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from logging import WARNING
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import VideoReformatter
from mmengine.logging import print_log

from ..errors import UserError
from ..files import check_file, file_state, frame_to_rgb, open_video
from ..structures import FrameTimes

#: A file with less than this share of the frames or seconds that its header announces counts as truncated.
_WHOLE_SHARE = 0.98
#: A step of the clock by more seconds, and by more than so many usual steps, is a jump and no pause.
_MAX_PAUSE_SEC, _MAX_PAUSE_STEPS = 600, 100
#: A resampled video repeats its frames at most so often on average.
_MAX_REPEATS = 10_000
#: Packets by which the order of the time stamps may differ from that of a file whose frames are not counted.
_MAX_REORDER = 8
#: Codecs whose decoders can leave out frames from one packet to the next; others read that once, at their start.
_SKIPPING_CODECS = frozenset(['h264', 'hevc'])
#: Codecs with packets that show nothing.
_HIDING_CODECS = frozenset(['vp8'])
#: Containers that give a frame the same time stamp after a seek.
_SEEKABLE = frozenset(['mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm', 'mpegts', 'flv'])


class FrameSource(Protocol):
    """Frames of one input; iterating gives (frame_ind from 0, (H, W, 3) uint8 RGB).

    ``path`` names the input; ``num_frames`` is 0 where it is not known; ``fps`` is that of ``times``.
    """

    path: Path
    fps: float
    times: FrameTimes
    num_frames: int
    width: int
    height: int

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]: ...


class VideoReader:
    """Iterate over ``(frame_ind, rgb)`` of a video file.

    rgb is a new (H, W, 3) uint8 array, rotated and mirrored according to the metadata and converted with the file's
    own color matrix and range (10-bit is rounded to 8).  Every iteration decodes the file again.

    Frame n is the n-th that is shown, from 0, in the iteration, in :meth:`read` and for a constant rate, where
    each frame belongs to the nearest tick and a tick shows the last of its frames, as ffmpeg's fps filter does: slow
    parts repeat frames, fast parts drop some.  If a file starts with
    packets that cannot be shown (an open GOP), frame 0 is the first one shown.  Packets that do not decode and frames
    that the decoder marks as corrupt are skipped and counted in ``num_damaged``; other frames keep their numbers.

    Times are those of the time stamps, from the first frame on.  Where these fit a constant rate to within their
    resolution, the times have exactly that rate; the rate in the header of the file is not trusted.  A clock that
    restarts (joined files) or jumps by more than 10 minutes continues with a usual step, with a warning; stamps that
    are missing, repeated or out of order are interpolated.

    ``fps`` is None, or the constant rate to resample to.

    Attributes:
        times, fps: Times of the frames; their rate: (n - 1) / (last - first time stamp).
        num_frames: Expected number of frames; decoding a damaged file can give fewer.
        width, height: Upright size, px.
        num_damaged: Damaged packets and frames of the last iteration.

    Raises UserError: the file is missing, empty, no video, audio only, truncated, too large, or without a frame that
    decodes; at the end of an iteration: it was changed meanwhile.
    """

    def __init__(self, path: str | os.PathLike, fps: float | None = None) -> None:
        self.path = Path(path)
        check_file(self.path, missing='check the path')
        #: Of the file when it was opened.
        self.state = file_state(self.path)
        if self.path.stat().st_size == 0:
            raise UserError(f'{self.path}: empty file (0 bytes); copy or download it again')
        if fps is not None and not 0 < fps < 1e4:
            raise UserError(f'{self.path}: fps must be above 0, found {fps}')
        self.num_damaged = 0
        self._converter = VideoReformatter()
        self._num_threads = 0
        self._size: tuple[int, int] | None = None
        self._keys: np.ndarray
        #: Time stamps of the frames in ticks, increasing unless frames are counted; those of key frames, later numbers.
        self._stamps, rates = self._scan()
        with closing(self._decode()) as frames:
            first_ind, first = next(frames, (0, None))
        if first is None:
            raise UserError(f'{self.path}: no frame decodes (0 of {len(self._stamps)}); copy or encode it again')
        self.height, self.width = self.to_rgb(first).shape[:2]
        if not self.num_damaged:  # decoders silently drop the leading frames of an open GOP
            self._stamps = self._stamps[first_ind:]
        self._keys = np.union1d(np.searchsorted(self._stamps, self._keys), [0])
        self.times, breaks = frame_times(self._stamps * self._tick, self._tick, rates)
        for ind, step in breaks:
            print_log(
                f'{self.path}: the clock jumps by {step:.2f} s after frame {ind} ({self.times.seconds(ind):.2f} s); '
                'the next frame is taken to follow at once',
                'current',
                WARNING,
            )
        self.num_frames = len(self._stamps)
        self._ticks: np.ndarray | None = None
        if fps is not None:
            seconds = self.times.seconds(np.arange(len(self._stamps)))
            self._ticks = np.maximum.accumulate(np.floor(seconds * fps + 0.5 + 1e-6).astype(np.int64))
            self.times, self.num_frames = FrameTimes(float(fps)), int(self._ticks[-1]) + 1
            if self.num_frames > _MAX_REPEATS * len(self._stamps):
                span = f'{len(self._stamps)} frames span {seconds[-1]:g} s'
                raise UserError(f'{self.path}: {span}, too much to resample to {fps:g} fps; encode it again')
        self.fps = self.times.fps

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        last = -1
        for frame_ind, frame in self._decode() if self._ticks is None else self._resampled(self._ticks):
            if frame_ind <= last:
                raise UserError(f'{self.path}: time stamps out of order after frame {last}; encode it again')
            last = frame_ind
            yield frame_ind, self.to_rgb(frame)

    def _resampled(self, ticks: np.ndarray) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (tick, frame) of every tick."""
        held, next_tick = None, 0
        for frame_ind, frame in self._decode():
            if held is not None:
                yield from ((tick, held) for tick in range(next_tick, ticks[frame_ind]))
            held, next_tick = frame, int(ticks[frame_ind])
        if held is not None:
            yield next_tick, held

    def read(self, frame_inds: Sequence[int]) -> dict[int, np.ndarray]:
        """Return {frame number: (H, W, 3) uint8 rgb}, numbers as of the iteration.

        Decodes from the key frame before the first requested frame to the last one, or, where frames cannot be found
        by their time stamps, from the beginning.  UserError: a frame lies outside the video or does not decode.
        """
        wanted = np.unique(np.asarray(frame_inds, np.int64))
        if not len(wanted):
            return {}
        if not 0 <= wanted[0] <= wanted[-1] < self.num_frames:
            raise UserError(f'{self.path}: has frames 0..{self.num_frames - 1}, asked for {wanted[0]}..{wanted[-1]}')
        positions = self.positions(wanted)
        images: dict[int, np.ndarray] = {}
        with closing(self.decode_from(int(positions[0]))) as frames:
            for position, frame in frames:
                if position in positions:
                    images[position] = self.to_rgb(frame)
                if position >= positions[-1]:
                    break
        missing = [frame for frame, position in zip(wanted, positions) if position not in images]
        if missing:
            raise self.no_frame(missing[0])
        return {int(frame): images[position] for frame, position in zip(wanted, positions)}

    def positions(self, frame_inds: Any) -> Any:
        """Return the numbers in the file of one or several frames; at a constant rate, some are repeated."""
        if self._ticks is None:
            return frame_inds
        # a tick shows the last frame that is nearest to it or to an earlier tick
        return np.searchsorted(self._ticks, frame_inds, side='right') - 1

    @property
    def num_positions(self) -> int:
        """Number of frames in the file."""
        return len(self._stamps)

    def no_frame(self, frame_ind: int) -> UserError:
        """Return the error of a frame that is damaged."""
        return UserError(f'{self.path}: frame {frame_ind} does not decode; copy or encode the file again')

    def decode_from(self, first: int) -> Generator[tuple[int, av.VideoFrame], None, None]:
        """Yield (position, frame) of every intact frame from position ``first`` on, and of some before it.

        Decoding starts at the key frame before, or where frames cannot be found by their time stamps, at the beginning.
        """
        # Containers seek by decoding time, which may lead past the frame: retry from farther back, finally from 0.
        for back in (0, 1, 5, None) if self._seekable else (None,):
            start = None if back is None else self._stamps[first] - back / self._tick
            if start is not None and start <= self._stamps[0]:
                start = None
            with closing(self._decode(start, first)) as frames:
                began = False
                for position, frame in frames:
                    if not began and position > first and start is not None:
                        break
                    began = True
                    yield position, frame
            if began:
                return

    def key_position(self, position: int) -> int:
        """Return from where :meth:`decode_from` has to decode."""
        return int(self._keys[np.searchsorted(self._keys, position, side='right') - 1])

    def fork(self, num_threads: int = 0) -> 'VideoReader':
        """Return a reader of the same file for another thread, without reading the file again.

        ``num_threads`` of its decoder, each of which holds frames; 0: as many as cores.
        """
        other = copy.copy(self)
        other._num_threads = num_threads
        other._converter = VideoReformatter()
        return other

    def _open(self) -> tuple['av.container.InputContainer', 'av.VideoStream']:
        container = open_video(self.path)
        stream = container.streams.best('video')
        if not isinstance(stream, av.VideoStream) or stream.disposition & av.stream.Disposition.attached_pic:
            kinds = ', '.join(sorted({s.type for s in container.streams})) or 'nothing'
            container.close()
            raise UserError(f'{self.path}: has no video stream (it holds: {kinds}); pass the file with the video')
        stream.thread_type = 'AUTO'
        stream.codec_context.thread_count = self._num_threads
        stream.codec_context.copy_opaque = True
        return container, stream

    def _scan(self) -> tuple[np.ndarray, list[float]]:
        """Return the time stamps of the frames in ticks, NaN = missing, and the rates of the header.

        Decodes the file only where the stamps of its packets do not give the order of the frames.
        """
        container, stream = self._open()
        rows: list[tuple] = []
        with container:
            try:
                for packet in container.demux(stream):
                    rows.append((packet.pts, packet.dts, packet.size > 0, packet.is_discard, packet.is_keyframe))
            except av.FFmpegError as e:
                raise UserError(
                    f'{self.path}: damaged after {len(rows)} frames ({e.strerror}); copy or encode it again'
                ) from e
            pts, dts, filled, hidden, key = np.array(rows, np.float64).reshape(-1, 5).T
            shown = filled > hidden
            if not shown.any():
                raise UserError(f'{self.path}: holds no frames (0 packets of video); copy or encode it again')
            self._tick = float(stream.time_base or 0)
            rates = [float(rate) for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate) if rate]
            if not rates and (np.isnan([pts, dts]).any() or len(rows) < 3):
                raise UserError(f'{self.path}: has no frame rate; encode it again with one')
            clock = np.sort((pts if np.isfinite(pts[shown]).all() else dts)[shown]) * self._tick
            if remaining := _truncated(stream, int(filled.sum()), clock, rates[0] if rates else np.inf):
                raise UserError(
                    f'{self.path}: cut short, holds {remaining}; copy or download it again (or repair it: ffmpeg -i IN '
                    '-c copy OUT)'
                )
            self._counted = not _gives_order(pts[shown] * self._tick, dts[shown], stream)
            kind, reorders = container.format.name, stream.codec_context.has_b_frames
            self._seekable = not self._counted and (kind in _SEEKABLE or (kind == 'avi' and not reorders))
            self._keys = np.sort(pts[shown & (key > 0)]) if self._seekable else np.zeros(0)
        if not self._counted:
            return np.sort(pts[shown]), rates
        decoded = [(number, frame.dts) for number, _, frame in self._frames()]
        if not decoded:
            raise UserError(f'{self.path}: no frame decodes (0 of {np.count_nonzero(shown)}); copy or encode it again')
        order, given = zip(*decoded, strict=True)
        if np.isnan([pts, dts]).all():  # a raw stream
            return np.arange(len(order)) / rates[0] / self._tick, rates
        pts, dts = pts[np.array(order)], dts[np.sort(order)]
        if np.count_nonzero(~(np.diff(pts) > 0)) <= np.count_nonzero(~(np.diff(dts) > 0)):
            return pts, rates
        # AVI: only packets have times, in the order of the frames but as much later as the decoder holds frames back
        delay = 0 if given[0] is None else int(np.nanargmin(np.abs(dts - given[0])))
        last_step = np.diff(dts[-2:]).sum()
        return np.append(dts[delay:], dts[-1] + np.arange(1, delay + 1) * last_step), rates

    def _decode(self, start: float | None = None, first: int = 0) -> Generator[tuple[int, av.VideoFrame], None, None]:
        """Yield (frame_ind, frame) of every intact frame from the key frame before ``start``, in ticks, on.

        Before frame ``first``, those that no other needs are left out.
        """
        self.num_damaged, count = 0, -1
        needed = -np.inf if self._counted else self._stamps[first]
        for count, (_, pts, frame) in enumerate(self._frames(start, needed)):
            if frame.is_corrupt:
                self.num_damaged += 1
            else:
                yield count if self._counted else int(np.searchsorted(self._stamps, pts)), frame
        if start is None:  # after an error at the end, decoders with threads drop what they hold
            self.num_damaged = max(self.num_damaged, len(self._stamps) - count - 1)
            if file_state(self.path) != self.state:
                raise UserError(f'{self.path}: was changed or replaced while it was read; run the same command again')

    def _frames(
        self, start: float | None = None, needed: float = -np.inf
    ) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """Yield (number of its packet, time stamp of that, frame) as decoded; count packets that do not decode.

        Frames before ``needed``, in ticks, to which no other refers are not decoded where the codec allows it.
        """
        container, stream = self._open()
        with container:
            if start is not None:
                with suppress(av.FFmpegError):  # a file without an index is decoded from its start
                    container.seek(int(start), stream=stream)
            try:
                for number, packet in enumerate(container.demux(stream)):
                    packet.opaque = number, packet.pts
                    if stream.codec_context.name in _SKIPPING_CODECS:
                        is_before = packet.pts is not None and packet.pts < needed
                        stream.codec_context.skip_frame = 'NONREF' if is_before else 'DEFAULT'
                    try:
                        frames = packet.decode()
                    except av.FFmpegError:
                        self.num_damaged += 1
                        continue
                    for frame in frames:
                        origin: Any = frame.opaque
                        yield *origin, frame
            finally:  # the decoder's threads free the opaque objects, for which they must not wait while it is closed
                stream.codec_context.flush_buffers()

    def to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert to (H, W, 3) uint8, upright; if the stream changes size, scaled to that of the first frame."""
        self._size = self._size or (frame.width, frame.height)
        return _upright(frame_to_rgb(frame, self._converter, self._size), frame)


def frame_times(stamps: np.ndarray, tick: float, rates: Sequence[float]) -> tuple[FrameTimes, list[tuple[int, float]]]:
    """Make a clock that starts at 0 and always advances out of time stamps.

    Args:
        stamps: (T,) s, in the order of the frames; NaN = missing.
        tick: Resolution of the stamps, s.
        rates: Constant rates to try: a guess, that of the header, others.

    Returns:
        The times, and (frame, step in s) of each frame after which the clock restarts or jumps.
    """
    steps = np.diff(stamps)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.04
    # missing, repeated, or outside of its neighbours, which are near to each other: interpolated
    wrong = np.isnan(stamps)
    wrong[1:] |= steps == 0
    around = stamps[2:] - stamps[:-2]
    wrong[1:-1] |= ((steps[:-1] < 0) | (steps[1:] < 0)) & (around > 0) & (around < 4 * usual)
    inds = np.arange(len(stamps))
    if wrong.any():
        stamps = np.interp(inds, inds[~wrong], stamps[~wrong])
    steps = np.diff(stamps)
    breaks = _jumps(steps, usual)
    lost = np.where(breaks | (steps == 0), usual - steps, 0)
    times = stamps - stamps[0] + np.append(0, np.cumsum(lost))
    jumps = [(int(ind), float(steps[ind])) for ind in np.flatnonzero(breaks)]
    if len(times) > 1:
        mean = (len(times) - 1) / times[-1]
        rates = [*rates[1:2], round(mean), *rates, round(mean * 1.001) / 1.001]
    for rate in filter(None, rates):
        if np.abs(times - inds / rate).max() <= min(tick, 0.3 / rate) * 1.01 + 1e-9:
            return FrameTimes(rate), jumps
    return FrameTimes.variable(np.append(times, times[-1] + np.median(np.diff(times)[-5:]))), jumps


def _jumps(steps: np.ndarray, usual: float) -> np.ndarray:
    """Return which steps of a clock, s, are neither a usual step nor a pause."""
    return (steps < 0) | (steps > max(_MAX_PAUSE_SEC, _MAX_PAUSE_STEPS * usual))


def _gives_order(pts: np.ndarray, dts: np.ndarray, stream: 'av.VideoStream') -> bool:
    """Return whether the time stamps (P,) of packets in file order, s, give the order in which frames are shown."""
    steps, codec = np.diff(np.sort(pts)), stream.codec_context
    if np.isnan(pts).any() or (np.diff(dts[np.isfinite(dts)]) <= 0).any() or codec.name in _HIDING_CODECS:
        return False
    if (steps == 0).any() or _jumps(steps, float(np.median(steps)) if len(steps) else 0).any():
        return False
    moved = np.abs(np.argsort(np.argsort(pts)) - np.arange(len(pts))).max()
    # AVI has no time stamps: they are made from the order of the packets, also where the codec shows another one
    return bool(moved) == codec.has_b_frames and moved <= _MAX_REORDER


def _upright(rgb: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Rotate and mirror by the display matrix, which maps pixel (x, y) to (a x + c y, b x + d y)."""
    # frame.side_data would keep the frame, of megabytes, in a reference cycle until Python collects its garbage
    matrix: Any = SideDataContainer(frame).get('DISPLAYMATRIX')  # type: ignore[call-arg]
    if matrix is None:
        return rgb
    a, b, _, c, d, *_ = struct.unpack('=9i', bytes(matrix))
    if a * d < b * c:  # mirrored: frame.rotation describes the x axis only
        rgb = rgb[::-1]
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def _truncated(stream: 'av.VideoStream', num_packets: int, times: np.ndarray, rate: float) -> str | None:
    """Describe how much of a truncated file is left; None for a complete file.

    ``num_packets`` includes those that an edit list hides; ``times`` are sorted, s; ``rate`` is that of the
    header.
    """
    steps = np.diff(times)
    frame_time = float(np.median(steps)) if len(steps) else 1 / rate
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
    longest = steps.max(initial=frame_time)  # longest time that the last frame may be shown
    return f'{times[-1]:.2f} of {end:.2f} s' if times[-1] + longest < _WHOLE_SHARE * end else None
