"""Frames of a video file, one after the other, in constant memory."""

import os
import struct
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import UserError

#: Less than this share of what the file's header claims = the file was cut.
_WHOLE_SHARE = 0.98


class VideoReader:
    """Iterate over ``(frame_ind, rgb)`` of a video file.

    rgb is (H, W, 3) uint8, turned and mirrored as the file's metadata say,
    converted with the file's own colour matrix and range (10-bit is rounded to
    8); every array is its own.  Every iteration decodes the file anew.

    Frame numbers count from 0:

    - ``fps=None``: as the file holds them, also where the rate varies.
    - ``fps=25``: at that constant rate; a frame stands for every tick that it
      is nearest to, so slow stretches repeat and fast ones drop frames.

    Packets that do not decode, and frames that the decoder marks as corrupt,
    are skipped and counted in ``num_damaged``; the numbers of later frames
    follow their time stamps, so they stay where they were.  Where a file starts
    with packets that show nothing without what was cut off before them (an open
    GOP), frame 0 is the first one that is shown.

    Args:
        path: The video file.
        fps: None, or the constant rate to resample to.

    Attributes:
        path: As given.
        fps: Frames a second (the mean where the rate varies).
        num_frames: What to expect, from the packets; what decoding gives can
            be less in a damaged file.
        width: Pixels, upright.
        height: As width.
        num_damaged: Damaged packets and frames of the last iteration.

    Raises:
        UserError: the file is missing, empty, no video, sound only, cut
            short, or without one decodable frame.
    """

    def __init__(self, path: str | os.PathLike, fps: float | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            what = 'is a folder, not a video file' if self.path.is_dir() else 'no such video file; check the path'
            raise UserError(f'{self.path}: {what}')
        if self.path.stat().st_size == 0:
            raise UserError(f'{self.path}: empty file (0 bytes); copy or download it again')
        if fps is not None and not 0 < fps < 1e4:
            raise UserError(f'{self.path}: fps must be above 0, found {fps}')
        self._target = None if fps is None else float(fps)
        self.num_damaged = 0
        native, self._times = self._scan()
        self.fps = self._target or float(native)
        self._native = float(native)
        self._size: tuple[int, int] | None = None
        with closing(self._decode()) as frames:
            time, first = next(frames, (None, None))
        if first is None:
            raise UserError(f'{self.path}: no frame decodes (0 of {len(self._times)}); copy or encode it again')
        if time is not None and not self.num_damaged:  # decoders drop an open GOP's leading frames and say nothing
            self._times = self._times[min(np.searchsorted(self._times, time - 1e-6), len(self._times) - 1) :]
        self.num_frames = len(self._times)
        if self._target:
            self.num_frames = _tick(self._times[-1] - self._times[0], self._target) + 1
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        if self._target is None:
            yield from self._as_decoded()
        else:
            yield from self._resampled(self._target)

    def _as_decoded(self) -> Iterator[tuple[int, np.ndarray]]:
        frame_ind = -1
        for time, rgb in self._decode():
            frame_ind += 1
            if self.num_damaged and time is not None:
                frame_ind = max(frame_ind, int(np.searchsorted(self._times, time - 1e-6)))
            yield frame_ind, rgb

    def _resampled(self, fps: float) -> Iterator[tuple[int, np.ndarray]]:
        held, held_tick, next_tick, count = None, 0, 0, 0
        for time, rgb in self._decode():
            time = count / self._native + self._times[0] if time is None else time
            tick = _tick(time - self._times[0], fps)
            while held is not None and next_tick < tick:
                yield next_tick, held
                # a repeated frame is its own array too: a caller may draw on it
                held, next_tick = held.copy(), next_tick + 1
            held, held_tick, count = rgb, max(tick, held_tick), count + 1
        while held is not None and next_tick <= held_tick:
            yield next_tick, held
            held, next_tick = held.copy(), next_tick + 1

    def _open(self) -> tuple['av.container.InputContainer', 'av.VideoStream']:
        try:
            container = av.open(str(self.path))
        except av.FFmpegError as e:
            raise UserError(
                f'{self.path}: no readable video ({e.strerror}); it may be cut short or of another kind, copy or '
                'encode it again'
            ) from e
        stream = container.streams.best('video')
        if not isinstance(stream, av.VideoStream) or stream.disposition & av.stream.Disposition.attached_pic:
            kinds = ', '.join(sorted({s.type for s in container.streams})) or 'nothing'
            container.close()
            raise UserError(f'{self.path}: has no video stream (it holds: {kinds}); pass the file with the pictures')
        stream.thread_type = 'AUTO'
        return container, stream

    def _scan(self) -> tuple[Fraction, np.ndarray]:
        """Frame rate, and the time of every packet in order, in seconds; nothing is decoded."""
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
            rate = stream.average_rate or stream.guessed_rate or stream.base_rate
            if not stamps:
                raise UserError(f'{self.path}: holds no frames (0 packets of video); copy or encode it again')
            if not rate:
                raise UserError(f'{self.path}: tells no frame rate; encode it again with one')
            times = np.sort(np.array(stamps, dtype=np.int64)) * float(stream.time_base or 1 / rate)
            if min(stamps) < 0 and len(set(stamps)) < len(stamps):  # no time stamps: the rate has to do
                times = np.arange(len(stamps)) / float(rate)
            found = _found_of_cut(stream, num_packets, times, 1 / float(rate))
            if found:
                raise UserError(
                    f'{self.path}: cut short, {found} are there; copy or download it again (or make it whole: ffmpeg '
                    '-i IN -c copy OUT)'
                )
        return rate, times

    def _decode(self, start: float | None = None) -> Generator[tuple[float | None, np.ndarray], None, None]:
        """(time in seconds or None, upright rgb) of every sound frame, from the key frame before ``start``."""
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
                    self._size = (width, height)  # a stream that changes size is scaled to its first
                    rgb = converter.reformat(frame, width, height, format='rgb24').to_ndarray()
                    yield frame.time, _upright(rgb, frame)


def _tick(seconds: float, fps: float) -> int:
    return int(np.floor(seconds * fps + 0.5))


def _upright(rgb: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turned and mirrored by the frame's display matrix, which maps pixel (x, y) to (a x + c y, b x + d y)."""
    matrix: Any = frame.side_data.get('DISPLAYMATRIX')  # PyAV's stubs know other side data only
    if matrix is None:
        return rgb
    a, b, _, c, d, *_ = struct.unpack('=9i', bytes(matrix))
    if a * d < b * c:  # the rotation says where the x axis goes; y goes to the other side of it
        rgb = rgb[::-1]
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90) % 4))


def _found_of_cut(stream: 'av.VideoStream', num_packets: int, times: np.ndarray, frame_time: float) -> str | None:
    """How much of a file that was cut short is there; None of a whole one.

    Args:
        stream: Says what it should hold.
        num_packets: What it holds, with those that an edit list hides.
        times: Of the frames, s, sorted.
        frame_time: Mean time between two, s.
    """
    if stream.frames:
        if num_packets >= _WHOLE_SHARE * stream.frames - 1:
            return None
        # what lies behind the end of an edit list is counted but never read: the edited duration is without it
        duration = float((stream.duration or 0) * (stream.time_base or 0))
        whole = 0 < _WHOLE_SHARE * duration <= times[-1] - times[0] + frame_time
        return None if whole else f'{num_packets} of {stream.frames} frames'
    tagged = _tagged_seconds(stream)
    longest = np.diff(times).max(initial=frame_time)  # so long may the last frame be shown
    return f'{times[-1]:.2f} of {tagged:.2f} s' if times[-1] + longest < _WHOLE_SHARE * tagged else None


def _tagged_seconds(stream: 'av.VideoStream') -> float:
    """Matroska's DURATION tag of a stream, which is the time of its end; 0 where there is none."""
    parts = stream.metadata.get('DURATION', '').split(':')
    try:
        hours, minutes, seconds = (float(p) for p in parts)
    except ValueError:
        return 0.0
    return hours * 3600 + minutes * 60 + seconds
