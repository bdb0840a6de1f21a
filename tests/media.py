"""Small video files for tests, whole, odd and broken; boxes and poses beside them; what a corpus says."""

import json
import os
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

from vpd_mm import prepare
from vpd_mm.corpus import Corpus, CropStore
from vpd_mm.structures import PoseSequence

#: Grey level that marks frame i in its left half.
LEVEL_STEP = 8

#: Bits of the number that ``numbered_picture`` burns in.
NUMBER_BITS = 10

#: Length of the videos that the tests of prepare make.
FRAMES = 12

#: ``vpd_mm.prepare.build_corpus``, with the whole frame and no poses where a test names no source: no model is loaded.
build_corpus = partial(prepare.build_corpus, boxes='full', poses='none')


def frame_picture(i: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Left half: grey level of frame i; right half: a texture with a square that moves right by 1 px a frame."""
    width, height = size
    image = np.random.default_rng(0).integers(60, 160, (height, width, 3), dtype=np.uint8)
    image[:, : width // 2] = 20 + (i * LEVEL_STEP) % 208
    x = width // 2 + i % (width // 2 - 8)
    image[height // 3 : height // 3 + 8, x : x + 8] = (230, 200, 40)
    return image


def frame_number(rgb: np.ndarray) -> int:
    """Which frame of :func:`make_video` this is (the first 26)."""
    height, width = rgb.shape[:2]
    return round((float(rgb[2 * height // 3 :, 2 : width // 2 - 4].mean()) - 20) / LEVEL_STEP)


def numbered_picture(i: int, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    """A moving square below two rows of black and white blocks: the bits of i, and their complement."""
    width, height = size
    image = np.repeat(np.linspace(70, 130, width).astype(np.uint8)[None, :, None], height, 0).repeat(3, 2)
    x = round(width * (0.4 + np.sin(i / 15) / 16))
    image[height // 2 : height - 10, x : x + width // 6] = (210, 190, 60)
    image[height // 2 + 10 : height - 20, x + 10 : x + width // 6 - 10] = (60, 90, 170)
    bits = np.array([i >> (NUMBER_BITS - 1 - k) & 1 for k in range(NUMBER_BITS)], np.uint8)
    for row, values in enumerate((bits, 1 - bits)):
        blocks = np.repeat(values, width // NUMBER_BITS) * 219 + 16
        image[row * height // 6 : (row + 1) * height // 6, : len(blocks)] = blocks[None, :, None]
    return image


def burnt_number(rgb: np.ndarray) -> int:
    """Number of a :func:`numbered_picture` at any size; ValueError where the two rows do not agree."""
    height, width = rgb.shape[0] / 12, rgb.shape[1] / NUMBER_BITS
    rows = [
        [rgb[round(height * row), round(width * (k + 0.5))].mean() > 127 for k in range(NUMBER_BITS)] for row in (1, 3)
    ]
    if any(bit == other for bit, other in zip(*rows)):
        raise ValueError('no number is burnt into this picture')
    return int(''.join(str(int(bit)) for bit in rows[0]), 2)


def cut_picture(i: int) -> np.ndarray:
    """:func:`frame_picture`, but from frame 6 on another shot."""
    return frame_picture(i) if i < 6 else 255 - frame_picture(i)


def make_video(
    path: Path,
    num_frames: int = 12,
    size: tuple[int, int] = (64, 48),
    fps: int | Fraction = 25,
    codec: str = 'libx264',
    pix_fmt: str = 'yuv420p',
    ticks: Sequence[int] | None = None,
    container_options: dict | None = None,
    options: dict | None = None,
    picture: Callable[[int], np.ndarray] | None = None,
    title: str = '',
) -> Path:
    """Encode ``frame_picture(0..)`` or ``picture(0..)``; ``ticks``: times in units of 1 / fps (a varying rate)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w', options=container_options or {}) as container:
        if title:
            container.metadata['title'] = title
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        usual = {'g': '6', 'crf': '12', 'preset': 'veryfast'} if codec == 'libx264' else {'qscale': '2'}
        stream.options = options or usual
        for i in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(i) if picture else frame_picture(i, size))
            frame.pts, frame.time_base = (ticks[i] if ticks else i), Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_unreadable(folder: Path, suffix: str) -> None:
    """A link to nothing, one to itself and a fifo."""
    (folder / f'dangling{suffix}').symlink_to('nowhere')
    (folder / f'loop{suffix}').symlink_to(f'loop{suffix}')
    os.mkfifo(folder / f'fifo{suffix}')


def make_sound(path: Path) -> Path:
    """A file with sound only."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000, layout='mono')
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp', layout='mono')
            frame.sample_rate, frame.pts = 16000, i * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def restamp(source: Path, path: Path, change: Callable[[int, float], float]) -> Path:
    """Stream copy with other time stamps, s: ``change(number of the packet, stamp)``; decoding is a second earlier."""
    with av.open(str(source)) as given, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for i, packet in enumerate(given.demux(video=0)):
            if packet.size:
                tick, lasts = packet.time_base, change(1000, 0.0)
                packet.dts = round((change(i, float(packet.dts * tick)) if lasts else float(packet.dts * tick)) / tick)
                packet.pts, packet.stream = round(change(i, float(packet.pts * tick)) / tick), stream
                packet.dts -= round(1 / tick)
                container.mux(packet)
    return path


def edit_duration(path: Path, seconds: float) -> Path:
    """Let the edit list of an mp4 end after so long; the packets stay."""
    data = bytearray(path.read_bytes())
    at = data.index(b'elst') + 12  # version 0 box
    data[at : at + 4] = struct.pack('>I', round(seconds * 1000))
    path.write_bytes(data)
    return path


def rotate_by_metadata(path: Path, clockwise: bool = True) -> Path:
    """Write a quarter turn into the track header of an mp4."""
    sign = 1 if clockwise else -1
    return write_display_matrix(path, (0, sign, -sign, 0))


def write_display_matrix(path: Path, abcd: Sequence[int]) -> Path:
    """Write into the track header of an mp4 that pixel (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    matrix_at = data.index(b'tkhd') + 44  # version 0 box
    a, b, c, d = (number << 16 for number in abcd)
    data[matrix_at : matrix_at + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def damage_packets(path: Path, packets: Sequence[int]) -> Path:
    """Overwrite the content of some packets with noise."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for i in packets:
        start, size = places[i]
        data[start + 4 : start + size] = rng.bytes(size - 4)
    path.write_bytes(data)
    return path


def cut_file(path: Path, share: float = 0.5) -> Path:
    """Keep the first part of a file."""
    os.truncate(path, int(path.stat().st_size * share))
    return path


def write_boxes(folder, name, frames=range(2, 10), box=(30, 8, 20, 30)):
    """Box file of the VPD release."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / 'boxes.json').write_text(json.dumps([[i, list(box)] for i in frames]))
    return folder


def write_poses(folder, name, frames=range(3, 9), score=0.9):
    """Our own pose file."""
    inds = np.array(frames, dtype=np.int64)
    keypoints = np.random.default_rng(0).uniform(10, 40, (len(inds), 17, 2)).astype(np.float32)
    folder.mkdir(exist_ok=True)
    PoseSequence(inds, keypoints, np.full((len(inds), 17), score, np.float32)).save(folder / f'{name}.npz')
    return folder


def make_inputs(folder, names, videos='videos', boxes='boxes', poses='poses'):
    """Videos below ``folder``, and boxes and poses of all their frames."""
    for name in names:
        make_video(folder / videos / f'{name}.mp4', FRAMES)
        write_boxes(folder / boxes, name, range(FRAMES))
        write_poses(folder / poses, name, range(FRAMES))


def corpus_content(root):
    """Everything a corpus says, without paths."""
    corpus = Corpus.open(root)
    found = {'videos': {n: (v.fps, v.num_frames, v.width, v.height) for n, v in corpus.videos().items()}}
    found['recipe'] = corpus.recipe
    for path in sorted((corpus.root / 'athlete').rglob('*.npz')):
        found[str(path.relative_to(root))] = path.read_bytes()
    store = CropStore(corpus.crops_dir)
    for name in store.videos():
        header = store.header(name)
        found[name] = (header.frame_inds.tolist(), header.windows.tolist(), header.flow, header.num_bytes)
        for i in header.frame_inds:
            rgb, flow, _ = store.read(name, int(i))
            found[name, int(i)] = (rgb.tobytes(), None if flow is None else flow.tobytes())
    return found
