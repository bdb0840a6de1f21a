"""Studio on a 1080p video: time from key to new frame, 20 viewers at once, memory, a library of 1,000 videos.

With --corpus, a labelled corpus with features such as that of tools/demo.py, also training and search: the corpus is
copied with 8 labels of each class.
"""

import http.client
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import av
import cv2
import numpy as np

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError
from vpd_mm.files import list_folder
from vpd_mm.structures import AthleteTrack, PoseSequence, load_actions, save_actions
from vpd_mm.studio.access import REQUEST_HEADER

WIDTH, HEIGHT, FPS = 1920, 1080, 30
#: Key frames of the generated video are so far apart: the default of x264.
KEY_FRAMES = 250
#: Steps of each way to move.
STEPS = 100
#: Goals: milliseconds, errors, growth of the memory as a factor, seconds.
GOALS = {
    'step forward, median ms': 50,
    'step backward, median ms': 50,
    'hold arrow, median ms': 50,
    'play, median ms': 50,
    'viewers, errors': 0,
    'viewers, memory end / start': 1.1,
    'library, s': 2,
    'train and predict, s': 60,
    'search, s per 10,000 candidates': 2,
}
#: Labels of each class that a training learns from.
PER_CLASS = 8
#: Seconds of a load after which its memory counts: caches are filled.
_FILL_SHARE = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where one misses its goal."""
    parser = ToolParser(__doc__, prog='benchmark.py studio')
    parser.add_argument('--seconds', type=float, default=120, help='length of the load; in its first half caches fill')
    parser.add_argument('--clients', type=int, default=20, help='viewers that step at the same time')
    parser.add_argument('--videos', type=int, default=1000, help='videos of the library')
    parser.add_argument('--frames', type=int, default=1500, help='frames of the generated video')
    parser.add_argument('--corpus', type=Path, help='corpus for training and search')
    args = parser.parse_args(argv)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        labelled = few_labels(args.corpus, Path(folder) / 'corpus') if args.corpus else None
        parts = measure(Path(folder), args.seconds, args.clients, args.videos, args.frames)
        for numbers in itertools.chain(parts, learn(labelled) if labelled else ()):
            missed += show(numbers)
    return 1 if missed else 0


def show(numbers: Mapping[str, float]) -> int:
    """Print numbers by name, those of GOALS and others; returns how many miss their goal."""
    missed = 0
    for name, value in numbers.items():
        goal = GOALS.get(name)
        missed += goal is not None and value > goal
        verdict = '' if goal is None else f'   at most {goal:g}: {"reached" if value <= goal else "MISSED"}'
        print(f'{name:56s} {value:10.2f}{verdict}', flush=True)
    return missed


def measure(folder: Path, seconds: float, clients: int, num_videos: int, num_frames: int) -> Iterator[dict[str, float]]:
    """Yield the numbers of each part by name."""
    video = make_video(folder / 'video.mp4', num_frames)
    corpus = Corpus.create(folder / 'one')
    corpus.add_videos([VideoInfo('video', str(video), FPS, num_frames, WIDTH, HEIGHT)])
    with studio(corpus) as (port, _):
        yield key_to_frame(port, num_frames)
    with studio(corpus) as (port, pid):
        yield load(port, pid, num_frames, seconds, clients)
    library = make_library(folder / 'many', num_videos)
    start = time.perf_counter()
    with studio(library) as (port, _):
        numbers = {'start, s': time.perf_counter() - start}
        for name in ('library, s', 'library again, s'):
            start = time.perf_counter()
            get(connect(port), '/api/videos')
            numbers[name] = time.perf_counter() - start
    yield numbers


@contextmanager
def studio(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Run ``tools/studio.py``; gives its port and the number of its process.

    An error of a connection says whether the server has ended, and how; a crash prints where.
    """
    tool = Path(__file__).parents[1] / 'tools' / 'studio.py'
    command = [sys.executable, '-X', 'faulthandler', str(tool), str(corpus.root), '--port', '0']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  the tool
        try:
            port = re.search(r':(\d+)/', process.stdout.readline())  # type: ignore[union-attr]
            if port is None:
                raise RuntimeError('tools/studio.py did not start')
            yield int(port[1]), process.pid
        except (OSError, http.client.HTTPException) as e:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            status = process.returncode
            ended = 'still runs' if status is None else f'ended with status {status}'
            raise RuntimeError(f'{type(e).__name__} ({e}): tools/studio.py {ended}') from e
        finally:
            process.terminate()


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection('127.0.0.1', port, timeout=60)


def get(connection: http.client.HTTPConnection, path: str) -> bytes:
    """Return the body of an answer; raises UserError where it is no 200."""
    connection.request('GET', path)
    return _body(connection, path)


def post(connection: http.client.HTTPConnection, path: str, content: Any = None) -> Any:
    """Send JSON and return that of the answer; raises UserError where it is no 200."""
    headers = {REQUEST_HEADER: '1', 'Content-Type': 'application/json'}
    connection.request('POST', path, json.dumps(content), headers)
    return json.loads(_body(connection, path))


def _body(connection: http.client.HTTPConnection, path: str) -> bytes:
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise UserError(f'{path}: {answer.status} {body[:200].decode(errors="replace")}')
    return body


def key_to_frame(port: int, num_frames: int) -> dict[str, float]:
    """Time of a request until the image is decoded, for ways to move; the pause is from request to request."""
    connection, middle = connect(port), num_frames // 2
    rng = np.random.default_rng(0)
    ways: dict[str, tuple[Iterable[int], float]] = {
        'step forward': (range(middle, middle + STEPS), 0.2),
        'step backward': (range(middle, middle - STEPS, -1), 0.2),
        'hold arrow': (range(0, STEPS), 1 / 30),
        'hold arrow back': (range(num_frames - 1, num_frames - 1 - STEPS, -1), 1 / 30),
        'play': (range(middle // 2, middle // 2 + STEPS), 1 / 25),
        'second steps': (range(0, num_frames, FPS), 0.2),
        'random jumps': (rng.integers(0, num_frames, 40).tolist(), 0.2),
    }
    numbers = {}
    for name, (frames, pause) in ways.items():
        times = []
        for frame in frames:
            start = time.perf_counter()
            data = get(connection, f'/api/videos/video/frames/{frame}')
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            times.append(1000 * (time.perf_counter() - start))
            time.sleep(max(0, pause - times[-1] / 1000))
        numbers[f'{name}, median ms'] = median(times)
        numbers[f'{name}, 95 % ms'] = quantiles(times, n=20)[-1]
    return numbers


def few_labels(root: Path, copy: Path) -> Corpus:
    """Copy a corpus with 8 labels of each class."""
    corpus = Corpus.open(root)
    counts, kept = Counter[int](), []
    for action in load_actions(corpus.actions_path):
        if action.split == 'train' and counts[action.label] < PER_CLASS:
            kept.append(action)
            counts[action.label] += 1
    if not kept:
        raise UserError(f'{corpus.actions_path}: has no labels of split train; label some')
    if not any(list_folder(folder, '*.npz') for folder in list_folder(corpus.root / 'features')):
        raise UserError(f'{corpus.root}: has no features; run tools/extract_features.py')
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns('crops', 'studio'))
    copied = Corpus.open(copy)
    save_actions(copied.actions_path, kept)
    return copied


def learn(corpus: Corpus) -> Iterator[dict[str, float]]:
    """Search by example, and train on a few labels, first and from the last models."""
    labels = load_actions(corpus.actions_path)
    with studio(corpus) as (port, _):
        connection, times, num = connect(port), [], 0
        for action in labels[:10]:
            query = {'video': action.video, 'start_frame': action.start_frame, 'end_frame': action.end_frame}
            start = time.perf_counter()
            num = post(connection, '/api/search', query)['num_candidates']
            times.append(time.perf_counter() - start)
        yield {
            'labels': len(labels),
            'search, candidates': num,
            'search, median s': median(times),
            'search, s per 10,000 candidates': median(times) * max(1, 10_000 / num),
        }
        for name in ('train and predict', 'train and predict again'):
            start = time.perf_counter()
            post(connection, '/api/training')
            while (state := json.loads(get(connection, '/api/training')))['state'] == 'running':
                time.sleep(0.2)
            if state['state'] != 'done':
                raise RuntimeError(f'the training ended as {state["state"]}: {state["error"]}')
            seconds, accuracy = time.perf_counter() - start, state['report']['accuracy']['value']
            yield {f'{name}, s': seconds, f'{name}, accuracy on left-out labels, %': 100 * accuracy}


def load(port: int, pid: int, num_frames: int, seconds: float, clients: int) -> dict[str, float]:
    """Let viewers step from random places, each turning around at times, as fast as the images come."""
    times: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    def view(seed: int) -> None:
        rng, connection = np.random.default_rng(seed), connect(port)
        frame, step = int(rng.integers(num_frames)), 1
        while time.monotonic() < end:
            start = time.perf_counter()
            try:
                get(connection, f'/api/videos/video/frames/{frame}')
            except (UserError, OSError, http.client.HTTPException) as e:
                errors.append(str(e))
                connection = connect(port)
            times.append(1000 * (time.perf_counter() - start))
            step = -step if rng.random() < 0.02 or not 0 <= frame + step < num_frames else step
            frame += step

    threads = [threading.Thread(target=view, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(seconds * _FILL_SHARE)
    before = memory(pid)
    for thread in threads:
        thread.join()
    after = memory(pid)
    print(*(f'error: {error}' for error in errors[:5]), sep='\n', end='\n' * bool(errors))
    return {
        'viewers, frames/s': len(times) / seconds,
        'viewers, median ms': median(times),
        'viewers, 95 % ms': quantiles(times, n=20)[-1],
        'viewers, errors': len(errors),
        'viewers, memory MB': after,
        'viewers, memory end / start': after / before,
    }


def memory(pid: int) -> float:
    """Memory of a process, MB; raises ProcessLookupError where it has ended."""
    resident = re.search(r'VmRSS:\s*(\d+)', Path(f'/proc/{pid}/status').read_text())
    if resident is None:
        raise ProcessLookupError(f'no memory of process {pid}')
    return int(resident[1]) / 1024


def make_video(path: Path, num_frames: int) -> Path:
    """Encode a panning texture as H.264 with B-frames."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (HEIGHT // 16, WIDTH // 8, 3)).astype(np.uint8)
    texture = cv2.resize(coarse, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.options = {'preset': 'ultrafast', 'crf': '20', 'g': str(KEY_FRAMES), 'bf': '2'}
        for i in range(num_frames):
            at = 4 * i % WIDTH
            image = np.ascontiguousarray(texture[:, at : at + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path


def make_library(root: Path, num_videos: int, num_frames: int = 1000) -> Corpus:
    """Write the tables, tracks and poses of a corpus; its video files do not exist."""
    corpus = Corpus.create(root)
    names = [f'video_{i:04d}' for i in range(num_videos)]
    corpus.add_videos(VideoInfo(name, str(root / f'{name}.mp4'), FPS, num_frames, WIDTH, HEIGHT) for name in names)
    frames = np.arange(num_frames)
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (num_frames, 1))
    track = AthleteTrack(frames, boxes, np.ones(num_frames, np.float32))
    keypoints = np.zeros((num_frames, 17, 2), np.float32)
    poses = PoseSequence(frames, keypoints, np.full((num_frames, 17), 0.9, np.float32))
    writers: list[tuple[Callable, AthleteTrack | PoseSequence]] = [
        (corpus.track_path, track),
        (lambda name: corpus.pose_path('poses', name), poses),
    ]
    for name in names:
        for path, sequence in writers:
            sequence.save(path(name))
    return corpus
