"""Containers: the same images under the same numbers and times by iteration, at a constant rate and at random."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from vpd_mm.engine.cli import ToolParser

#: Images of a video, and the rate to which it is resampled.
NUM_FRAMES, RESAMPLED = 24, 25
#: Ticks of 1/60 s of the images: constant, and first 60, then 20 a second.
CLOCKS = {'constant': [*range(0, 48, 2)], 'variable': [*range(16), *range(18, 42, 3)]}

_B_FRAMES = {'g': '12', 'crf': '8', 'bf': '3', 'x264-params': 'b-adapt=0:scenecut=0'}
_OPEN_GOP = 'log-level=0:crf=8:open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0'


@dataclass(frozen=True)
class Case:
    """A file: container, codec, and how it is changed.

    ``from_key``, ``earlier_sec``: see :func:`copy_packets`; ``num_lost`` images are gone by that; ``joined``: the
    file twice, one after the other.
    """

    name: str
    suffix: str
    codec: str = 'libx264'
    pix_fmt: str = 'yuv420p'
    options: dict = field(default_factory=lambda: _B_FRAMES)
    clocks: tuple[str, ...] = tuple(CLOCKS)
    from_key: int = 0
    earlier_sec: float = 0
    num_lost: int = 0
    joined: bool = False


_VP = {'crf': '4', 'b': '2M'}
_MPEG = {'bf': '2', 'g': '12', 'b': '8M'}
_10_BIT = {'x265-params': 'log-level=0:crf=8:bframes=3'}
CASES = [
    Case('mp4', '.mp4'),
    Case('mov', '.mov'),
    Case('mkv', '.mkv'),
    Case('webm, VP9', '.webm', 'libvpx-vp9', options=_VP),
    Case('webm, VP8', '.webm', 'libvpx', options=_VP),
    Case('ts', '.ts'),
    Case('flv', '.flv'),
    Case('avi, H.264 with B-frames', '.avi'),
    Case('avi, MPEG-4 with B-frames', '.avi', 'mpeg4', options=_MPEG, clocks=('constant',)),
    Case('mpg, MPEG-2', '.mpg', 'mpeg2video', options=_MPEG, clocks=('constant',)),
    Case('gif', '.gif', 'gif', 'rgb8', {}),
    Case('mp4, HEVC 10-bit', '.mp4', 'libx265', 'yuv420p10le', _10_BIT),
    Case('mov, ProRes', '.mov', 'prores_ks', 'yuv422p10le', {}),
    Case('mp4, AV1', '.mp4', 'libsvtav1', options={'preset': '10', 'crf': '10'}),
    Case('raw H.264', '.h264', clocks=('constant',)),
    Case('mp4, edit list', '.mp4', earlier_sec=4 / 30, num_lost=4, clocks=('constant',)),
    Case('ts, open GOP', '.ts', 'libx265', options={'x265-params': _OPEN_GOP}, from_key=1, num_lost=8),
    Case('mkv, open GOP', '.mkv', 'libx265', options={'x265-params': _OPEN_GOP}, from_key=1, num_lost=8),
    Case('ts, clock restarts', '.ts', joined=True, clocks=('constant',)),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Print one line a file; return 1 where images or times differ."""
    ToolParser(__doc__, prog='benchmark.py containers').parse_args(argv)
    print('| file | clock | frames | fps | iteration | `--fps 25` | random access | seconds |\n|' + '---|' * 8)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            for clock in case.clocks:
                try:
                    row = measure(case, clock, Path(folder))
                except UnknownCodecError:
                    print(f'| {case.name} | {clock} | skipped: PyAV has no encoder {case.codec} |' + ' |' * 5)
                    continue
                failed |= not all(row[4:])
                cells = [*row[:3], f'{row[3]:.2f}', *('same' if same else 'DIFFERENT' for same in row[4:])]
                print(f'| {" | ".join(map(str, cells))} |')
    return int(failed)


def measure(case: Case, clock: str, folder: Path) -> tuple:
    """Return name, clock, frames, fps, and whether iteration, resampling, random access and seconds are right."""
    from vpd_mm.athlete import VideoReader

    shown = np.arange(case.num_lost, NUM_FRAMES)
    seconds = np.array(CLOCKS[clock])[shown] / 60
    seconds -= seconds[0]
    if (case.suffix, clock) == ('.gif', 'variable'):
        seconds = seconds.round(2)  # the unit of the format
    path = make_file(case, clock, folder)
    if case.joined:
        shown, seconds = np.tile(shown, 2), np.append(seconds, seconds + seconds[-1] + seconds[1])
    reader, resampled = VideoReader(path), VideoReader(path, RESAMPLED)
    frames, ticks = dict(reader), dict(resampled)
    # a tick shows the last frame that is nearest to it or to an earlier tick
    nearest = np.floor(seconds * RESAMPLED + 0.5 + 1e-6)
    expected = [int(shown[np.flatnonzero(nearest <= tick)[-1]]) for tick in range(int(nearest[-1]) + 1)]
    return (
        *(case.name, clock, len(frames), reader.fps),
        [*map(number_of, frames.values())] == shown.tolist() and [*frames] == [*range(reader.num_frames)],
        [*map(number_of, ticks.values())] == expected and [*ticks] == [*range(resampled.num_frames)],
        all(
            np.array_equal(images[i], source.read([i])[i])
            for source, images in ((reader, frames), (resampled, ticks))
            for i in images
        ),
        len(frames) == len(seconds)
        and bool(np.abs(reader.times.seconds(np.arange(len(seconds))) - seconds).max() <= 0.001),
    )


def numbered_image(i: int) -> np.ndarray:
    """Image i: its grey level tells its number, a square moves."""
    image = np.full((48, 64, 3), 20 + 8 * i, np.uint8)
    image[4:16, i : i + 12] = (230, 200, 40)
    return image


def number_of(rgb: np.ndarray) -> int:
    """Number of a decoded :func:`numbered_image`."""
    return round((float(rgb[24:44].mean()) - 20) / 8)


def make_file(case: Case, clock: str, folder: Path) -> Path:
    """Encode the images of a case."""
    av.Codec(case.codec, 'w')
    path = folder / f'{case.name}, {clock}{case.suffix}'
    rate, step = (30, 2) if clock == 'constant' else (60, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(case.codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, case.pix_fmt, dict(case.options)
        for i, tick in enumerate(CLOCKS[clock]):
            frame = av.VideoFrame.from_ndarray(numbered_image(i))
            frame.pts, frame.time_base = tick // step, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if case.num_lost:
        path = copy_packets(path, path.with_name(f'cut {path.name}'), case.from_key, case.earlier_sec)
    if case.joined:
        path.write_bytes(2 * path.read_bytes())
    return path


def copy_packets(source: Path, path: Path, from_key: int = 0, earlier: float = 0) -> Path:
    """Stream copy from key frame ``from_key`` on, ``earlier`` s sooner; mp4: an edit list hides what is before 0."""
    with av.open(str(source)) as given, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        keys = -1
        for packet in given.demux(video=0):
            keys += packet.is_keyframe
            if packet.size and keys >= from_key:
                ticks = round(earlier / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, stream
                container.mux(packet)
    return path
