"""Cost of preparing a corpus: speed, disk, image and flow quality, random reads, memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from vpd_mm.engine.cli import ToolParser

#: Goals of the README, on two cores.
GOALS = {
    'frames/s': (80, 'at least'),
    'KB a frame on disk': (16, 'at most'),
    'RGB PSNR, mean dB': (38, 'at least'),
    'RGB PSNR, worst frame dB': (38, 'at least'),
    'flow error, mean px': (0.25, 'at most'),
    'random reads/s': (1500, 'at least'),
    'peak memory, MB': (600, 'at most'),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where one misses its goal."""
    parser = ToolParser(__doc__, prog='benchmark.py prepare')
    parser.add_argument('--video', help='your own video (default: a generated one, 1280x720, 240 frames)')
    parser.add_argument('--boxes', default='full', help='folder of its boxes, or full')
    parser.add_argument('--poses', default='none', help='folder of its poses')
    parser.add_argument('--reads', type=int, default=3000, help='random reads')
    parser.add_argument('--minutes', type=float, default=60, help='length of the generated video for memory; 0 = skip')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        numbers = measure(Path(folder), args.video, args.boxes, args.poses, args.reads, args.minutes)
    missed = 0
    for name, value in numbers.items():
        goal, kind = GOALS[name]
        reached = value >= goal if kind == 'at least' else value <= goal
        missed += not reached
        print(f'{name:26s} {value:10.2f}   {kind} {goal:g}: {"reached" if reached else "MISSED"}')
    return 1 if missed else 0


def measure(
    folder: Path, video: str | None, boxes: str, poses: str, reads: int = 3000, minutes: float = 0
) -> dict[str, float]:
    """Measure all numbers; return them by the names of GOALS.

    Args:
        folder: Empty folder for temporary files.
        video: None = generate one.
        boxes: Argument of ``build_corpus``.
        poses: The same.
        reads: Number of (crop, flow) pairs to read.
        minutes: Length of the video whose peak memory is measured; 0 = skip.
    """
    from vpd_mm.corpus import CropStore
    from vpd_mm.prepare import build_corpus

    path = Path(video) if video else make_video(folder / 'generated.mp4', 240, 1280, 720)
    warm = make_video(folder / 'warm.mp4', 3, 64, 64)
    build_corpus([warm], folder / 'warm', boxes='full', poses='none')  # imports and first calls
    start = time.perf_counter()
    report = build_corpus([path], folder / 'corpus', boxes=boxes, poses=poses)
    seconds = time.perf_counter() - start
    frames = sum(r.decoded for r in report.videos)
    crops = sum(r.crops for r in report.videos)
    numbers = {
        'frames/s': frames / seconds,
        'KB a frame on disk': report.disk_bytes / crops / 1e3,
    }
    store = CropStore(folder / 'corpus' / 'athlete' / 'crops')
    numbers |= _quality(store, path)
    rng = np.random.default_rng(0)
    pairs = [(name, int(i)) for name in store.videos() for i in store.header(name).frame_inds]
    chosen = rng.integers(len(pairs), size=reads)
    start = time.perf_counter()
    for i in chosen:
        store.read(*pairs[i])
    numbers['random reads/s'] = reads / (time.perf_counter() - start)
    if minutes:
        numbers['peak memory, MB'] = peak_memory(folder, minutes)
    return numbers


def _quality(store, path: Path) -> dict[str, float]:
    """Compare stored crops and flow with their sources."""
    from vpd_mm.athlete import FlowEstimator, SquareCropper, VideoReader

    header = store.header(store.videos()[0])
    windows = dict(zip(header.frame_inds.tolist(), header.windows.tolist()))
    cropper, estimate = SquareCropper(header.size), FlowEstimator()
    previous, psnr, flow_error = None, [], []
    for frame_ind, rgb in VideoReader(path):
        if frame_ind in windows:
            stored = store.read(store.videos()[0], frame_ind)
            crop = cropper.cut(rgb, windows[frame_ind])
            flow = estimate(None if previous is None else cropper.cut(previous, windows[frame_ind]), crop)
            error = np.mean((stored.rgb.astype(np.float64) - crop) ** 2)
            psnr.append(10 * np.log10(255**2 / max(error, 1e-6)))
            flow_error.append(np.linalg.norm(stored.flow - flow, axis=-1).mean())
        previous = rgb
    return {
        'RGB PSNR, mean dB': float(np.mean(psnr)),
        'RGB PSNR, worst frame dB': float(np.min(psnr)),
        'flow error, mean px': float(np.mean(flow_error)),
    }


def peak_memory(folder: Path, minutes: float) -> float:
    """Return the peak memory in MB of preparing a video of that length (320x180, 30 frames/s)."""
    video = make_video(folder / 'long.mp4', round(minutes * 60 * 30), 320, 180)
    call = 'build_corpus(sys.argv[1:2], sys.argv[2], boxes="full", poses="none")'
    code = f'import sys; from vpd_mm.prepare import build_corpus; {call}'
    root = str(Path(__file__).parents[1])
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, (root, os.environ.get('PYTHONPATH'))))}
    command = [sys.executable, '-c', code, str(video), str(folder / 'long')]
    process = subprocess.Popen(command, env=env)  # noqa: S603  the code above
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f'preparing the long video ended with {process.returncode}')
    return usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024) / 1e6


def make_video(path: Path, num_frames: int, width: int, height: int) -> Path:
    """Make a panning textured image with a bright square that moves over it; seeded."""
    rng = np.random.default_rng(0)
    coarse = av.VideoFrame.from_ndarray(rng.integers(40, 200, (height // 32, width // 16, 3)).astype(np.uint8))
    smooth = coarse.reformat(2 * width, height, interpolation='BICUBIC')
    texture = np.asarray(smooth.to_ndarray(format='rgb24'), np.uint8)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, 'yuv420p', 8_000_000
        for i in range(num_frames):
            at = i % width
            image = np.ascontiguousarray(texture[:, at : at + width])
            x, y = (3 * i) % (width - height // 4), height // 3
            image[y : y + height // 4, x : x + height // 4] = (240, 220, 60)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path
