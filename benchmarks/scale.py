"""A corpus of 20 million crops: opening it, memory of 16 loader processes, cost of a draw, restart of 10,000 videos.

The corpus is generated once in --out: real tracks, crops and teacher's features of 10,000 names of one tiny video.
"""

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from mmengine.dataset import Compose

from benchmarks.prepare import make_video
from vpd_mm.corpus import Corpus, CropHeader, CropStore, CropWriter, VideoInfo
from vpd_mm.corpus.crop_codec import pack_record
from vpd_mm.corpus.shard import CROP, frame_key, header_key
from vpd_mm.engine.cli import ToolParser
from vpd_mm.engine.progress import progress_bar
from vpd_mm.errors import UserError
from vpd_mm.files import npz_path
from vpd_mm.structures import AthleteTrack, FeatureSequence

#: Largest values; the times are CPU times, for 10,000 videos.
GOALS = {
    'open the corpus, s': 60,
    'resident after that, MB': 1000,
    'peak until then, MB': 1000,
    'sampler, us a draw': 1,
    'first sample of a video, us': 10_000,
    'sample without its crop, us a draw': 50,
    'crop of a random sample, us a draw': 200,
    'forked worker, MB': 100,
    'forked worker without mapped files, MB': 100,
    'spawned worker, MB': 400,
    'spawned worker without mapped files, MB': 400,
    'restart of prepare, s': 60,
    'growth of prepare, skipping, MB': 50,
    'growth of prepare, 300 new videos, MB': 50,
    'growth of extract_features, MB': 50,
    'restart of extract_features, s': 60,
}
NUM_VIDEOS, NUM_SHARDS = 10_000, 16
#: Draws that are timed, and of the loader processes of each kind.
DRAWS, LOADED = 20_000, 10_000
#: Videos whose first sample is timed: its file is read and checked as a whole.
FIRST = 500
#: Loader processes by the way they are started; a spawned one imports torch, which takes 5 s.
WORKERS = {'fork': 16, 'spawn': 4}
#: Options of the crops: prepare would make the same.
OPTIONS: dict = {'boxes': 'full', 'poses': 'none', 'size': 16, 'flow': 'none'}
TEACHER, RUN = 'vipe', 'scale'
#: Views and dims of the teacher, VIPE*.
VIEWS, DIMS = 2, 64


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where one misses its goal."""
    parser = ToolParser(__doc__, prog='benchmark.py scale')
    parser.add_argument('--frames', type=int, default=20_000_000, help='crops, of 2000 a video (fewer below 20 M)')
    parser.add_argument('--videos', type=int, default=NUM_VIDEOS, help='number of videos')
    parser.add_argument('--out', type=Path, default=Path('runs/scale'), help='folder of the corpora')
    args = parser.parse_args(argv)
    if not 10 <= args.videos <= args.frames:
        raise UserError('--videos must be 10 or more, and --frames as many or more')
    folder = args.out / f'{args.frames}-{args.videos}'
    corpus = make_corpus(folder, args.videos, args.frames // args.videos)
    missed = 0
    for function in (measure_training, measure_new_videos, measure_prepare, measure_extraction):
        for name, value in in_new_process(function, folder, corpus.root).items():
            reached = value <= GOALS[name]
            missed += not reached
            line = f'{name:40s} {value:10.2f}   at most {GOALS[name]:g}: {"reached" if reached else "MISSED"}'
            print(line, flush=True)
    return 1 if missed else 0


def make_corpus(folder: Path, num_videos: int, per_video: int) -> Corpus:
    """Make a corpus that prepare takes for finished; one that is complete is kept."""
    from vpd_mm.corpus.stale_files import files_digest
    from vpd_mm.prepare.options import PrepareSettings
    from vpd_mm.prepare.sources import Job, Sources

    root = folder / 'corpus'
    if (root / 'videos.csv').exists():
        return Corpus.open(root)
    if root.exists():
        raise UserError(f'{root}: is not complete; delete it')
    start, rng = time.process_time(), np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    video = make_video(folder / 'tiny.mp4', 3, 64, 64)
    files = [folder / 'videos' / f'video{i:05d}.mp4' for i in range(num_videos)]
    files[0].parent.mkdir()
    for file in files:
        file.symlink_to(video.absolute())
    corpus = Corpus.create(root)
    sources = Sources(corpus, PrepareSettings(root, **OPTIONS))
    digest, frames = files_digest([video]), np.arange(per_video)
    size, clip = OPTIONS['size'], rng.integers(0, 256, (OPTIONS['size'],) * 2 + (3,), dtype=np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    record = pack_record(cv2.imencode('.jpg', cv2.GaussianBlur(clip, (9, 9), 0), options)[1].tobytes())
    boxes = np.tile(np.float32([0, 0, 64, 64]), (per_video, 1))
    ones, pool = np.ones(per_video, np.float32), rng.normal(0, 0.3, (2 * per_video, VIEWS, DIMS)).astype(np.float32)
    rows, windows = list[VideoInfo](), np.tile([0, 0, 64], (per_video, 1))
    with progress_bar('corpus', 'videos') as on_progress:
        for shard, part in enumerate(np.array_split(np.arange(num_videos), NUM_SHARDS)):
            with CropWriter(corpus.crops_dir / f'shard-{shard:03d}-00.lmdb') as writer:
                items: list[tuple[bytes, bytes]] = []
                for i in part.tolist():
                    job, name = Job(files[i], digest=digest), files[i].stem
                    AthleteTrack(frames, boxes, ones).save(corpus.track_path(name), sources.track(job))
                    made_of = sources.crops(job, name)
                    feats = pool[i % per_video : i % per_video + per_video]
                    made = {'poses': 'none', 'inputs': sources.inputs.of(f'athlete/tracks/{name}.npz')}
                    FeatureSequence(frames, feats, ones).save(npz_path(corpus.teacher_dir(TEACHER), name), made)
                    items += [(frame_key(CROP, name, frame), record) for frame in range(per_video)]
                    header = CropHeader(size, None, None, per_video * len(record), frames, windows, frames[:1], made_of)
                    items.append((header_key(name), json.dumps(header.to_json()).encode()))
                    if len(items) > 100_000 or i == part[-1]:
                        writer.commit(items)
                        items = []
                    rows.append(VideoInfo(name, str(files[i].absolute()), 30.0, per_video, 64, 64))
                    on_progress(i + 1, num_videos)
    corpus.add_videos(rows)
    print(f'generated in {time.process_time() - start:.0f} CPU seconds')
    return corpus


def in_new_process(function: Callable, *args: object) -> dict[str, float]:
    """Call a function in a process of its own, whose memory it measures."""
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def measure_training(folder: Path, root: Path) -> dict[str, float]:
    """Measure the data set of a training, and its loader processes."""
    from vpd_mm.distill import CropDataset, EpochDrawSampler

    start = time.process_time()
    data = CropDataset(root, TEACHER, [without_crop])
    numbers = {
        'open the corpus, s': time.process_time() - start,
        'resident after that, MB': memory('VmRSS'),
        'peak until then, MB': memory('VmHWM'),
    }
    print(f'{len(data):,} samples of {len(data.videos):,} videos')
    draws = EpochDrawSampler(data, DRAWS, seed=0)
    numbers['sampler, us a draw'] = cpu_us(lambda item: None, draws)
    of_each_video = np.cumsum([len(data.used_frames(video)) for video in data.used_videos()]) - 1
    numbers['first sample of a video, us'] = cpu_us(data.__getitem__, of_each_video[:FIRST])
    data.pipeline = Compose([with_crop])
    for method, count in WORKERS.items():
        size, of_files = worker_memory(data, method, count)
        numbers[f'{method}ed worker, MB'] = size
        numbers[f'{method}ed worker without mapped files, MB'] = size - of_files
    data.pipeline = Compose([without_crop])
    for index in of_each_video[FIRST:]:  # the draws that follow are of a later epoch
        data[index]
    draws.set_epoch(1)
    numbers['sample without its crop, us a draw'] = cpu_us(data.__getitem__, draws)
    data.pipeline = Compose([with_crop])
    both = cpu_us(data.__getitem__, draws)
    numbers['crop of a random sample, us a draw'] = both - numbers['sample without its crop, us a draw']
    return numbers


def without_crop(sample: dict) -> dict:
    """Keep what a loader process can send."""
    return {'index': sample['index'], 'targets': sample['targets']}


def with_crop(sample: dict) -> dict:
    """Read the crop too, as a training does."""
    return {**without_crop(sample), 'img': sample['store'].crop(sample['video'], sample['frame'])}


def cpu_us(function: Callable, items: Iterable) -> float:
    """CPU time of a call, in microseconds, for these items."""
    start, count = time.process_time(), 0
    for item in items:
        function(item)
        count += 1
    return (time.process_time() - start) / count * 1e6


def worker_memory(data, method: str, count: int) -> list[float]:
    """Return the mean proportional set size of the loader processes after ``LOADED`` crops, and of mapped files in it.

    The system drops the pages of mapped files when it needs memory.
    """
    from torch.utils.data import DataLoader

    from vpd_mm.distill import EpochDrawSampler

    sampler = EpochDrawSampler(data, LOADED, seed=1)
    loader = DataLoader(data, 100, sampler=sampler, num_workers=count, multiprocessing_context=method)
    batches = iter(loader)
    for _ in range(len(loader) - count):
        next(batches)
    paths = [f'/proc/{process.pid}/smaps_rollup' for process in multiprocessing.active_children()]
    if len(paths) != count:
        raise RuntimeError(f'{len(paths)} loader processes run, expected {count}')
    return [sum(memory(field, path) for path in paths) / count for field in ('Pss', 'Pss_File')]


def measure_prepare(folder: Path, root: Path) -> dict[str, float]:
    """Measure a prepare of videos that are all finished."""
    from vpd_mm.prepare import build_corpus

    start, sizes = time.process_time(), Sizes()
    report = build_corpus([folder / 'videos'], root, **OPTIONS, on_progress=sizes)
    if report.failures or any(video.decoded for video in report.videos):
        raise RuntimeError(f'prepare did not skip all videos: {report.failures[:1]}')
    return {
        'restart of prepare, s': time.process_time() - start,
        'growth of prepare, skipping, MB': sizes.growth(len(report.videos) // 10),
    }


def measure_new_videos(folder: Path, root: Path) -> dict[str, float]:
    """Measure a prepare of 400 new videos into an empty corpus, from the 100th on."""
    from vpd_mm.prepare import build_corpus

    files, sizes = sorted((folder / 'videos').iterdir())[:400], Sizes()
    with TemporaryDirectory(dir=folder) as out:
        report = build_corpus(files, Path(out) / 'corpus', **OPTIONS, on_progress=sizes)
    if report.failures:
        raise RuntimeError(f'prepare failed: {report.failures[0]}')
    return {'growth of prepare, 300 new videos, MB': sizes.growth(len(files) // 4)}


def measure_extraction(folder: Path, root: Path) -> dict[str, float]:
    """Measure the extraction of features without a network, and another that finds all of them finished."""
    from vpd_mm.features.feature_extractor import extract_corpus

    corpus, made_by, sizes = Corpus.open(root), {'config': 'none'}, Sizes()
    shutil.rmtree(corpus.features_dir(RUN), ignore_errors=True)
    extract_corpus(NoNetwork(), corpus, corpus.features_dir(RUN), made_by, on_progress=sizes)
    growth, start = sizes.growth(len(sizes.of) // 10), time.process_time()
    if extract_corpus(NoNetwork(), corpus, corpus.features_dir(RUN), made_by):
        raise RuntimeError('features were extracted again')
    return {'growth of extract_features, MB': growth, 'restart of extract_features, s': time.process_time() - start}


class NoNetwork:
    """An extractor whose features are 0."""

    def extract_all(self, store: CropStore, videos: Iterable[str]) -> Iterator[tuple[str, FeatureSequence]]:
        for video in videos:
            frames = store.header(video).frame_inds
            yield video, FeatureSequence(frames, np.zeros((len(frames), 1, 1), np.float32), np.ones(len(frames), 'f4'))


class Sizes:
    """A progress callback that records the resident memory in MB after each video."""

    def __init__(self) -> None:
        self.of: list[float] = []

    def __call__(self, done: float, total: int) -> None:
        self.of.append(memory('VmRSS'))

    def growth(self, since: int) -> float:
        """Growth from a video on, MB."""
        return self.of[-1] - self.of[since]


def memory(field: str, path: str = '/proc/self/status') -> float:
    """Read a field of the memory of a process, in MB."""
    lines = Path(path).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{field}:')) * 1024 / 1e6
