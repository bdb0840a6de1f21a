"""Labels that the studio needs for an accuracy: asked for by its review queue, against random order.

A simulated user answers with the ground truth.  The pool are the actions of splits train and val with their true
ends; the recogniser is that of the studio (three folds, each round starting from the models of the last one), and is
tested on split test.  Both orders start from the same random labels.

Without --corpus the embedded sport is performed, but not rendered: features are its true 2D joints with noise, so
that there are enough test actions for a curve, and labels, not features, limit the accuracy.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vpd_mm.engine.cli import ToolParser
from vpd_mm.errors import UserError
from vpd_mm.files import atomic_write

#: Accuracies of interest, and the goal: fewer labels than in random order by this share.
LEVELS, GOAL = (0.6, 0.7), 0.3
ORDERS = ('informative', 'random')


def run(argv: Sequence[str] | None = None) -> int:
    """Measure, print the curves, return 1 where the goal is missed."""
    parser = ToolParser(__doc__, prog='benchmark.py studio-user')
    parser.add_argument('--corpus', type=Path, help='a labelled corpus with features, such as that of tools/demo.py')
    parser.add_argument('--features', default='joints', help='features of --corpus')
    parser.add_argument('--videos', type=int, nargs=2, default=(240, 50), help='train and test videos without --corpus')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2, 3, 4])
    parser.add_argument('--start', type=int, default=12, help='random labels before the first training')
    parser.add_argument('--batch', type=int, default=12, help='labels between two trainings')
    parser.add_argument('--most', type=int, default=156, help='labels after which a run ends')
    parser.add_argument('--jobs', type=int, default=2, help='processes')
    parser.add_argument('--out', type=Path, default=Path('studio_user'), help='folder of the plot and the numbers')
    args = parser.parse_args(argv)
    if min(args.start, args.batch, args.jobs) < 1 or not args.seeds:
        raise UserError('--start, --batch and --jobs must be 1 or more')
    curves: dict[str, list[list[tuple[int, float]]]] = {order: [] for order in ORDERS}
    with tempfile.TemporaryDirectory() as name:
        root = args.corpus or perform_sport(Path(name) / 'sport', *args.videos, args.jobs)
        pool = Pool(root, args.features)
        print(f'{len(pool.actions)} actions can be labelled, {len(pool.test_clips)} are tested')
        precisions = ', '.join(f'{100 * value:.1f}' for value in pool.precision())
        print(f'precision@1, 10, 50 of the test clips among 300 of the others: {precisions} %', flush=True)
        for seed in args.seeds:
            for order, points in simulate(args, pool, seed).items():
                curves[order].append(points)
                print(f'seed {seed} {order}: ' + ', '.join(f'{n}: {100 * a:.1f} %' for n, a in points), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    with atomic_write(args.out / 'studio_user.json', 'w') as f:
        json.dump({'seeds': args.seeds, 'curves': curves}, f, indent=1)
    save_plot(args.out / 'studio_user.png', curves)
    return 0 if report(curves) else 1


def labels_needed(points: Sequence[tuple[int, float]], level: float) -> float:
    """Labels at which a curve first reaches an accuracy, interpolated; NaN where it does not.

    Example:
        >>> labels_needed([(10, 0.5), (20, 0.7)], 0.6)
        15.0
    """
    for (n, a), (m, b) in itertools.pairwise(points):
        if a < level <= b:
            return float(n + (m - n) * (level - a) / (b - a))
    return float(points[0][0]) if points and points[0][1] >= level else float('nan')


def report(curves: dict[str, list]) -> bool:
    """Print the labels needed for each level, and return whether the goal is met for all of them."""
    reached = True
    for level in LEVELS:
        needed = {order: np.array([labels_needed(points, level) for points in curves[order]]) for order in ORDERS}
        for order, numbers in needed.items():
            text = describe(numbers)
            print(f'{f"labels for {100 * level:.0f} %, {order}":40s} {text}')
        both = ~np.isnan(needed['informative']) & ~np.isnan(needed['random'])
        if not both.all():
            print(f'{100 * level:.0f} %: not reached by both orders in {int((~both).sum())} of {len(both)} seeds')
        saved = 1 - needed['informative'][both].mean() / needed['random'][both].mean() if both.any() else float('nan')
        is_met = bool(both.all() and saved >= GOAL)
        reached &= is_met
        verdict = 'reached' if is_met else 'MISSED'
        print(
            f'{f"fewer labels for {100 * level:.0f} %":40s} {100 * saved:.1f} %   at least {100 * GOAL:.0f}: {verdict}'
        )
    return reached


def describe(numbers: np.ndarray) -> str:
    """Mean and sample deviation of those that are known."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return 'not reached'
    deviation = f' ± {known.std(ddof=1):.1f}' if len(known) > 1 else ''
    return f'{known.mean():.1f}{deviation} ({len(known)} of {len(numbers)} seeds)'


def simulate(args: Any, pool: 'Pool', seed: int) -> dict[str, list[tuple[int, float]]]:
    """Accuracy over the number of labels, in both orders, which share their first training."""
    rng = np.random.default_rng(seed)
    start = rng.permutation(len(pool.actions))[: args.start].tolist()
    curves = {}
    with tempfile.TemporaryDirectory() as name:
        first = pool.train(start, Path(name) / 'first', None, args.jobs)
        for order in ORDERS:
            chosen, state, before = list(start), first, Path(name) / 'first'
            points = [(len(chosen), state[0])]
            while len(chosen) < min(args.most, len(pool.actions)) and not _is_over(points):
                chosen += pool.ask(chosen, state, order, args.batch, rng)
                folder = Path(name) / f'{order}_{len(chosen)}'
                state = pool.train(chosen, folder, before, args.jobs)
                before = folder
                points.append((len(chosen), state[0]))
            curves[order] = points
    return curves


#: Standard deviation of the errors of joints, px of a person of about 100 px, and their correlation from frame to
#: frame: retrieval among 300 clips then has about the precision of a 2D-VPD student (docs/results.md: precision@1,
#: 10, 50 of 66.4, 51.8, 24.6 %; here 69.6, 51.0, 24.6 %).
NOISE, CORRELATION = 13.5, 0.8


def perform_sport(root: Path, train: int, test: int, jobs: int = 1) -> Path:
    """Make a corpus of the embedded sport with ``teacher/joints`` from true joints with noise, without images."""
    from vpd_mm.corpus import Corpus, VideoInfo
    from vpd_mm.structures import Action, save_actions, save_classes
    from vpd_mm.synthetic.routine import CLASSES
    from vpd_mm.synthetic.shot import SportRecipe, plan_videos

    recipe, corpus = SportRecipe(sub_frames=1, seed=1), Corpus.create(root, 'performed', 'synthetic tumbling')
    plans = [plan for split, count in (('train', train), ('test', test)) for plan in plan_videos(recipe, split, count)]
    with ProcessPoolExecutor(jobs) as executor:
        performed = list(executor.map(_perform, [recipe] * len(plans), plans, [str(root)] * len(plans)))
    size = recipe.width, recipe.height
    corpus.add_videos(VideoInfo(plan.name, '', fps, num, *size) for plan, (fps, num, _) in zip(plans, performed))
    save_classes(corpus.classes_path, CLASSES)
    actions = [
        Action(f'{plan.name}:{i}', plan.name, max(start, 0), min(end, num), label, plan.split)
        for plan, (_, num, rows) in zip(plans, performed)
        for i, (label, start, end) in enumerate(rows)
    ]
    save_actions(corpus.actions_path, actions)
    return root


def _perform(recipe: Any, plan: Any, root: str) -> tuple[float, int, list[tuple[int, int, int]]]:
    """Write the features of a video; return its rate, its number of frames and its actions (label, start, end)."""
    from scipy.signal import lfilter

    from vpd_mm.structures import PoseSequence
    from vpd_mm.synthetic.camera import follow
    from vpd_mm.synthetic.motions import RATE
    from vpd_mm.synthetic.renderer import make_figure
    from vpd_mm.synthetic.routine import CLASSES, perform_routine
    from vpd_mm.synthetic.shot import NUM_VENUES, PERSON_SHARE, make_athlete
    from vpd_mm.teacher import JointFeature, fill_unseen

    rng = np.random.default_rng([recipe.seed, plan.split == 'test', plan.index])
    body, habits, look, _ = make_athlete(recipe, plan.split, plan.athlete)
    motion, performed = perform_routine(list(plan.skills), body, habits, rng)
    venue = _venue(int(rng.integers(NUM_VENUES)))
    num = int(motion.duration_sec * venue.fps)
    times = np.arange(num) / venue.fps
    size = recipe.width, recipe.height
    path = follow(motion.root_pos, venue.cameras[rng.integers(3)], size, np.array(PERSON_SHARE) * size[1], rng)
    camera = path[(times * RATE).round().astype(int).clip(0, len(path) - 1)]
    figure = make_figure(motion.body, motion.posture(times), look, camera, 1, venue.light, joints=True)
    changes = rng.normal(0, NOISE * np.sqrt(1 - CORRELATION**2), (num, 17, 2))
    keypoints = figure.joints[..., :2] + lfilter([1], [1, -CORRELATION], changes, axis=0)
    poses = PoseSequence(np.arange(num), keypoints.astype(np.float32), np.ones(keypoints.shape[:2], np.float32))
    JointFeature()(fill_unseen(poses)).save(Path(root) / 'teacher' / 'joints' / f'{plan.name}.npz')
    spans = [
        (CLASSES.index(p.skill.name), round(p.start_sec * venue.fps), round(p.end_sec * venue.fps) + 1)
        for p in performed
    ]
    return venue.fps, num, spans


@cache
def _venue(number: int) -> Any:
    from vpd_mm.synthetic.venue import make_venue

    return make_venue(f'hall_{number}', np.random.default_rng(number))


def _is_over(points: Sequence[tuple[int, float]]) -> bool:
    return all(labels_needed(points, level) == labels_needed(points, level) for level in LEVELS)


class Pool:
    """The actions of a corpus that can be labelled, and those that are tested."""

    def __init__(self, root: Path, features: str) -> None:
        from vpd_mm.corpus import Corpus
        from vpd_mm.studio import Workspace
        from vpd_mm.studio.review_queue import clip_vector
        from vpd_mm.studio.segments import ClipReader, read_labels, segment_of

        self.workspace = Workspace(Corpus.open(root), features)
        self.classes, actions = read_labels(self.workspace.corpus)
        reader = ClipReader(self.workspace)
        clips = [(action, reader.read(segment_of(action))) for action in actions]
        present = [(action, clip) for action, clip in clips if clip is not None]
        self.actions = [action for action, _ in present if action.split != 'test']
        self.clips = [clip for action, clip in present if action.split != 'test']
        self.vectors = np.array([clip_vector(clip) for clip in self.clips])
        self.test_clips = [clip for action, clip in present if action.split == 'test']
        self.test_labels = np.array([action.label for action, _ in present if action.split == 'test'])
        self.labels = np.array([action.label for action in self.actions])
        if not self.actions or not self.test_clips:
            raise UserError(f'{root}: needs actions with features of splits train and test')

    def precision(self) -> list[float]:
        """Precision at 1, 10 and 50 of the test clips among 300 clips of the pool: how good the features are."""
        from vpd_mm.retrieve import DTWRetriever
        from vpd_mm.retrieve.retrieval_metric import precision_at

        gallery = np.random.default_rng(0).permutation(len(self.clips))[:300]
        nearest = DTWRetriever([self.clips[i] for i in gallery]).search(self.test_clips, min(50, len(gallery))).inds
        relevant = self.labels[gallery][nearest] == self.test_labels[:, None]
        return [precision_at(relevant, k) for k in (1, 10, 50)]

    def train(
        self, chosen: Sequence[int], folder: Path, before: Path | None, jobs: int
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Train on some labels; return the accuracy on split test, and probabilities and disagreement of the pool."""
        from vpd_mm.files import read_json
        from vpd_mm.studio.folds import NUM_FOLDS, Folds, assign_folds
        from vpd_mm.studio.learning import Task, class_scores, load_models, run_jobs, train_recognizer
        from vpd_mm.studio.predictions import disagreement

        folder.mkdir(parents=True)
        actions, videos = [self.actions[i] for i in chosen], self.workspace.corpus.videos()
        old = None if before is None else Folds(**read_json(before / 'folds.json', ''))
        folds = assign_folds(actions, videos, old)
        with atomic_write(folder / 'folds.json', 'w') as f:
            json.dump({'unit': folds.unit, 'of_unit': dict(folds.of_unit)}, f)
        task = Task(self.workspace, folder, self.classes, actions, folds, (), before)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # each model writes a log into its folder
            run_jobs([partial(train_recognizer, task, i) for i in range(NUM_FOLDS)], jobs, lambda share: None)
            scores = class_scores(
                task, load_models(task, 'recognizer', range(NUM_FOLDS)), [*self.test_clips, *self.clips]
            )
        num = len(self.test_clips)
        accuracy = float((scores[:, :num].mean(0).argmax(1) == self.test_labels).mean())
        return accuracy, scores[:, num:].mean(0), disagreement(scores[:, num:])

    def ask(self, chosen: Sequence[int], state: Any, order: str, batch: int, rng: np.random.Generator) -> list[int]:
        """The next labels that the user is asked for."""
        left = np.setdiff1d(np.arange(len(self.actions)), chosen)
        if order == 'random':
            return rng.permutation(left)[:batch].tolist()
        return order_pool(self.vectors, self.labels, len(self.classes), chosen, left, state[1:], batch)


def order_pool(
    vectors: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    chosen: Sequence[int],
    left: np.ndarray,
    predicted: Sequence[np.ndarray],
    batch: int,
) -> list[int]:
    """The first ``batch`` of ``left`` in the default order of the review queue."""
    from vpd_mm.studio.review_queue import Candidates, order_candidates

    probabilities, doubts = predicted
    counts = np.bincount(labels[list(chosen)], minlength=num_classes)
    candidates = Candidates(
        probabilities[left], doubts[left], np.ones(len(left)), vectors[left], vectors[list(chosen), 0], counts
    )
    return left[order_candidates(candidates, 'informative', batch)[0]].tolist()


def save_plot(path: Path, curves: dict[str, list]) -> None:
    """Accuracy over the number of labels: mean over the seeds, and each seed thin."""
    from matplotlib.figure import Figure

    from vpd_mm.visualize.plots import save_figure

    figure = Figure(figsize=(7, 4.5), dpi=120, layout='constrained')
    axes = figure.subplots()
    for order, color in zip(ORDERS, ('tab:orange', 'tab:gray')):
        grid = sorted({n for points in curves[order] for n, _ in points})
        every: list[ArrayLike] = []
        for points in curves[order]:
            counts, accuracies = zip(*points)
            axes.plot(counts, 100 * np.array(accuracies), color=color, alpha=0.25, linewidth=1)
            every.append(np.interp(grid, counts, accuracies))
        axes.plot(grid, 100 * np.mean(every, axis=0), color=color, label=order)
    axes.set(xlabel='labels', ylabel='top-1 on split test, %')
    axes.legend()
    axes.grid(alpha=0.3)
    save_figure(path, figure)


if __name__ == '__main__':
    sys.exit(run())
