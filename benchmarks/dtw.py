"""DTW: pairs per second of this package, dtw-python, dtaidistance and aeon, and the memory of a large search."""

import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError

#: Goals: speed relative to dtw-python (to the others 1), and memory.
GOAL_RATIO, GOAL_BYTES = 25.0, 2 << 30
TOLERANCE = 1e-6
#: Import name of each baseline and what to install for it.
BASELINES = {'dtw': 'dtw-python scikit-learn', 'dtaidistance': 'dtaidistance', 'aeon': 'aeon'}


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print one line a number, return 1 where a goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py dtw')
    parser.add_argument('--corpus', help='take the actions of this corpus; by default random walks of such lengths')
    parser.add_argument('--features', default='joints', help='features of --corpus')
    parser.add_argument('--queries', type=int, default=20)
    parser.add_argument('--gallery', type=int, default=50, help='sequences that every query is compared with')
    parser.add_argument('--threads', type=int, default=2, help='of vpd_mm; the others use one')
    parser.add_argument('--repeats', type=int, default=3, help='the fastest counts')
    parser.add_argument('--large', type=int, nargs=2, default=(100, 10000), help='queries and gallery of the search')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    if args.corpus:
        sequences = corpus_sequences(args.corpus, args.features, args.queries + args.gallery, rng)
    else:
        sequences = random_walks(args.queries + args.gallery, rng)
    passed = compare(sequences[: args.queries], sequences[args.queries :], args.threads, args.repeats)
    return 0 if passed & large_search(args.large, args.threads, args.seed) else 1


def random_walks(count: int, rng: np.random.Generator, dims: int = 26) -> list[np.ndarray]:
    """Return (T, dims) float32 walks with the lengths of Penn Action: median 56, a tenth above 110 frames."""
    lengths = np.exp(rng.normal(np.log(56), 0.5, count)).round().clip(18, 300).astype(int)
    return [rng.normal(0, 0.1, (n, dims)).cumsum(0).astype(np.float32) for n in lengths]


def corpus_sequences(root: str, features: str, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw ``count`` actions of a corpus without replacement, original view."""
    from vpd_mm.corpus import Corpus
    from vpd_mm.retrieve import load_clips

    clips = load_clips(Corpus.open(root), features).clips
    if len(clips) < count:
        raise UserError(f'{root}: has {len(clips)} actions, --queries and --gallery ask for {count}')
    return [clips[i][:, 0] for i in rng.permutation(len(clips))[:count]]


def compare(queries: list[np.ndarray], gallery: list[np.ndarray], threads: int, repeats: int) -> bool:
    """Print a line for each implementation; return True where every measurable goal is met."""
    from vpd_mm.retrieve import dtw_matrix

    pairs = len(queries) * len(gallery)
    lengths = np.array([len(s) for s in queries + gallery])
    frames = f'{lengths.min()} to {lengths.max()} frames, mean {lengths.mean():.0f}'
    print(f'{pairs:,} pairs, D = {gallery[0].shape[1]}, {frames}')
    times = {}
    ours, times['ours'] = _fastest(lambda: dtw_matrix(queries, gallery, num_threads=threads), repeats)
    _, times['symmetric2'] = _fastest(lambda: dtw_matrix(queries, gallery, 'symmetric2', num_threads=threads), repeats)
    print(f'{f"vpd_mm, {threads} threads":34s} {pairs / times["ours"]:12,.0f} pairs/s')
    print(f'{f"vpd_mm, symmetric2, {threads} threads":34s} {pairs / times["symmetric2"]:12,.0f} pairs/s')
    passed = True
    for name, package in BASELINES.items():
        if importlib.util.find_spec(name) is None:
            print(f'{name}: not installed, not compared; pip install {package}')
            continue
        one = _BASELINE_DISTANCES[name]()
        theirs, seconds = _fastest(lambda one=one: np.array([[one(a, b) for b in gallery] for a in queries]), repeats)
        # the others have no slope constraint, like symmetric2
        ratio = seconds / times['ours' if name == 'dtw' else 'symmetric2']
        goal = GOAL_RATIO if name == 'dtw' else 1.0
        reached = ratio >= goal
        print(f'{name:34s} {pairs / seconds:12,.0f} pairs/s, ours x {ratio:.1f} (goal {goal:g}): {_word(reached)}')
        passed &= reached
        if name == 'dtw':
            difference = np.abs(theirs - ours).max()
            passed &= bool(difference <= TOLERANCE)
            print(f'{"largest difference to dtw-python":34s} {difference:12.1e}: {_word(difference <= TOLERANCE)}')
    return passed


def large_search(size: tuple[int, int], threads: int, seed: int) -> bool:
    """Search ``size`` = (queries, gallery) in a separate process; return True where its memory is below the goal."""
    queries, gallery = size
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        pairs_per_sec, peak = pool.apply(_large_search, (queries, gallery, threads, seed))
    reached = peak < GOAL_BYTES
    print(f'{f"search, 10 of {gallery:,}, both views":34s} {pairs_per_sec:12,.0f} pairs/s')
    print(f'{f"memory of {queries:,} x {gallery:,}":34s} {peak / 2**20:12,.0f} MiB: {_word(reached)}')
    return reached


def _large_search(queries: int, gallery: int, threads: int, seed: int) -> tuple[float, int]:
    import resource  # not on Windows

    from vpd_mm.retrieve.dtw_retriever import DTWRetriever

    rng = np.random.default_rng(seed)
    items = [np.stack([walk, -walk], axis=1) for walk in random_walks(max(queries, gallery), rng)]
    retriever = DTWRetriever(items[:gallery], num_threads=threads)
    retriever.search(items[:1], 10)
    start = time.perf_counter()
    retriever.search(items[:queries], 10, exclude=np.arange(queries) if queries <= gallery else None)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == 'darwin' else 1024
    return 2 * queries * gallery / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _dtw_python() -> Callable[[np.ndarray, np.ndarray], float]:
    from dtw import dtw
    from sklearn.metrics import pairwise_distances

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        cost = pairwise_distances(a.astype(np.float64), b.astype(np.float64))
        try:
            return dtw(cost, step_pattern='symmetricP2', distance_only=True).normalizedDistance
        except ValueError:  # no path
            return dtw(cost, step_pattern='symmetric2', distance_only=True).normalizedDistance

    return distance


def _dtaidistance() -> Callable[[np.ndarray, np.ndarray], float]:
    from dtaidistance import dtw_ndim

    return lambda a, b: dtw_ndim.distance_fast(a.astype(np.float64), b.astype(np.float64))


def _aeon() -> Callable[[np.ndarray, np.ndarray], float]:
    from aeon.distances import dtw_distance

    return lambda a, b: dtw_distance(np.ascontiguousarray(a.T, np.float64), np.ascontiguousarray(b.T, np.float64))


_BASELINE_DISTANCES = {'dtw': _dtw_python, 'dtaidistance': _dtaidistance, 'aeon': _aeon}


def _fastest(work: Callable[[], np.ndarray], repeats: int) -> tuple[np.ndarray, float]:
    result = work()  # compiles
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def _word(reached: bool) -> str:
    return 'reached' if reached else 'MISSED'
