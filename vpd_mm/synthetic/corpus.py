"""The synthetic sport as a corpus: videos, boxes and labels, with the ground truth in a folder of its own."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..structures import Action, atomic_write, save_actions, save_classes
from ..visualize.video_writer import VideoWriter
from .appearance import Look, athlete_look
from .camera import CameraTrack
from .generation import check_counts, check_recipe, check_seed, run_jobs, write_json
from .routine import CLASSES, SKILLS, Habits, Routine, Skill, perform_routine
from .shot import Shot, jittered_track, record
from .skeleton import Body
from .venue import Venue, make_venue, panorama

SPLITS = ('train', 'val', 'test', 'unlabelled')
SPORT = 'synthetic tumbling'
#: Halls of the sport; all splits share them.
NUM_VENUES = 4
#: Videos of one athlete, all of one split.
VIDEOS_PER_ATHLETE = 4
#: Increased whenever the same seed would give other images or ground truth.
RECIPE = 1
_RECIPE_FILE = 'synthetic.json'
_ATHLETE, _DECK, _VENUE = 101, 102, 103


@dataclass(frozen=True)
class SportRecipe:
    """Everything that determines the ground truth.

    Args:
        seed: Whole number, 0 or more.
        width, height: Of the videos; even, 128 to 1024.
        sub_frames: Moments averaged over the open shutter, 1 to 32 (8 or more for realistic images).

    Raises:
        UserError: a value is invalid.
    """

    seed: int = 0
    width: int = 256
    height: int = 256
    sub_frames: int = 8

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ('width', 'height'):
            value = getattr(self, name)
            if not isinstance(value, int) or value % 2 or not 128 <= value <= 1024:
                raise UserError(f'{name} must be an even number from 128 to 1024, found {value!r}')
        if not 1 <= self.sub_frames <= 32:
            raise UserError(f'sub_frames must be 1 to 32, found {self.sub_frames!r}')


@dataclass(frozen=True)
class VideoPlan:
    """Plan of one video: split, number in the split, skills, number of the athlete in the split."""

    split: str
    index: int
    skills: tuple[Skill, ...]
    athlete: int

    @property
    def name(self) -> str:
        return f'{self.split}_{self.index:04d}'


def plan_videos(recipe: SportRecipe, split: str, count: int) -> list[VideoPlan]:
    """Plan the first ``count`` videos of a split; a longer list begins with the shorter one.

    Skills are dealt from shuffled decks that hold every class once, so that all classes are about equally frequent.
    """
    cards = _deck(recipe.seed, SPLITS.index(split))
    plans = []
    for index in range(count):
        rng = np.random.default_rng([recipe.seed, SPLITS.index(split), index])
        num = int(rng.choice([3, 4, 5, 6], p=[0.2, 0.3, 0.3, 0.2]))
        plans.append(VideoPlan(split, index, tuple(next(cards) for _ in range(num)), index // VIDEOS_PER_ATHLETE))
    return plans


def _deck(seed: int, split: int) -> Iterator[Skill]:
    number = 0
    while True:
        order = np.random.default_rng([seed, split, _DECK, number]).permutation(len(SKILLS))
        yield from (SKILLS[k] for k in order)
        number += 1


def make_athlete(recipe: SportRecipe, split: str, number: int) -> tuple[Body, Habits, Look, float]:
    """Return body, habits, kit and club colour of an athlete; no two of train, val and test share a colour."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(split), _ATHLETE, number])
    low, high = {'val': (0.55, 0.7), 'test': (0.75, 0.95)}.get(split, (0.0, 0.5))
    hue = (rng.integers(12) + rng.uniform(low, high)) / 12
    return Body.random(rng), Habits.random(rng), athlete_look(rng, hue), hue


@lru_cache(maxsize=4 * NUM_VENUES)
def _venue(seed: int, number: int) -> Venue:
    return make_venue(f'hall_{number}', np.random.default_rng([seed, _VENUE, number]))


@lru_cache(maxsize=4 * NUM_VENUES)
def _backdrop(seed: int, number: int, position: int) -> tuple[np.ndarray, CameraTrack]:
    venue = _venue(seed, number)
    return panorama(venue, venue.cameras[position])


def perform_plan(recipe: SportRecipe, plan: VideoPlan) -> tuple[Routine, Shot, np.random.Generator]:
    """Perform and record a plan; the recipe and the plan determine the result."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(plan.split), plan.index, 1])
    body, habits, look, hue = make_athlete(recipe, plan.split, plan.athlete)
    routine = perform_routine(list(plan.skills), body, habits, rng)
    number, position = int(rng.integers(NUM_VENUES)), int(rng.integers(3))
    venue, backdrop = _venue(recipe.seed, number), _backdrop(recipe.seed, number, position)
    size = (recipe.width, recipe.height)
    shot = record(routine, look, hue, venue, position, rng, size, backdrop, recipe.sub_frames)
    return routine, shot, rng


def make_sport(
    out: str | os.PathLike,
    train: int = 48,
    val: int = 8,
    test: int = 24,
    recipe: SportRecipe | None = None,
    workers: int = 1,
    on_progress: OnProgress = no_progress,
    unlabelled: int = 0,
) -> Corpus:
    """Make the synthetic sport; a rerun makes only the missing videos, larger numbers extend the corpus.

    Besides the layout of every corpus it writes, for evaluation only, ``ground_truth/scenes/<video>.npz``
    (:class:`GroundTruth`), ``ground_truth/poses/<video>.npz`` (PoseSequence) and ``ground_truth/performed.csv``.
    If the folder was moved, a rerun corrects the paths in videos.csv.

    Args:
        out: Folder, new, empty, or made by this function with the same recipe.
        train, val, test: Number of videos of each split.
        recipe: Seed and sizes.
        workers: Processes; the result does not depend on their number.
        on_progress: Called with (done, total) at the start and after every video.
        unlabelled: Number of videos, with athletes of their own, without labels: for distillation.

    Raises:
        UserError: a number is invalid, or the folder holds something else.
    """
    recipe = recipe or SportRecipe()
    counts = {'train': train, 'val': val, 'test': test, 'unlabelled': unlabelled}
    check_counts(counts, 9999, 'videos', workers)
    root = Path(out)
    _check_folder(root, recipe)
    corpus = Corpus.create(root, 'synthetic', sport=SPORT)
    with corpus.lock():
        write_json(root / _RECIPE_FILE, {'recipe': RECIPE, **asdict(recipe)})
        plans = [p for s in SPLITS for p in plan_videos(recipe, s, max(counts[s], _num_made(root, s)))]
        missing = [plan for plan in plans if not _video_path(root, plan.name).is_file()]
        done = len(plans) - len(missing)
        on_progress(done, len(plans))
        for _ in run_jobs(make_video, [(root, recipe, plan) for plan in missing], workers):
            done += 1
            on_progress(done, len(plans))
        _write_index(corpus, recipe, plans)
    return corpus


def make_video(root: Path, recipe: SportRecipe, plan: VideoPlan) -> None:
    """Perform, record and encode a plan; the mp4 is written last and marks that all its files exist."""
    routine, shot, rng = perform_plan(recipe, plan)
    visibility = np.zeros((len(shot), 17), np.uint8)
    # One thread, so that a machine repeats its bytes.
    options = {'crf': str(rng.integers(22, 28)), 'threads': '1', 'g': '50'}
    with VideoWriter(_video_path(root, plan.name), shot.fps, options, mark=False) as writer:
        for frame, (image, visible) in enumerate(shot.frames()):
            visibility[frame] = visible
            writer.write(image)
        ground_truth = shot.ground_truth(visibility)
        ground_truth.save(root / 'ground_truth' / 'scenes' / f'{plan.name}.npz')
        ground_truth.poses().save(root / 'ground_truth' / 'poses' / f'{plan.name}.npz')
        jittered_track(ground_truth, rng).save(root / 'athlete' / 'tracks' / f'{plan.name}.npz')
        write_json(
            _index_path(root, plan.name),
            {
                'fps': shot.fps,
                'num_frames': len(shot),
                'venue': shot.renderer.venue.name,
                'athlete': f'{plan.split}_{plan.athlete:03d}',
                'performed': [
                    {
                        'label': CLASSES.index(done.skill.name),
                        'start_frame': max(round(done.start_sec * shot.fps), 0),
                        'end_frame': min(round(done.end_sec * shot.fps) + 1, len(shot)),
                        'takeoff_sec': round(done.takeoff_sec, 4),
                        'landing_sec': round(done.landing_sec, 4),
                        'twists_to': 'left' if done.handed > 0 else 'right',
                    }
                    for done in routine.performed
                ],
            },
        )


def _video_path(root: Path, name: str) -> Path:
    return root / 'videos' / f'{name}.mp4'


def _index_path(root: Path, name: str) -> Path:
    return root / 'ground_truth' / 'index' / f'{name}.json'


def _num_made(root: Path, split: str) -> int:
    """Return the number of videos of a split in the folder, by the highest number."""
    numbers = [int(p.stem.rpartition('_')[2]) for p in (root / 'videos').glob(f'{split}_[0-9][0-9][0-9][0-9].mp4')]
    return max(numbers, default=-1) + 1


def _check_folder(root: Path, recipe: SportRecipe) -> None:
    path = root / _RECIPE_FILE
    if path.is_file():
        check_recipe(path, {'recipe': RECIPE, **asdict(recipe)})
    elif (root / 'corpus.json').exists():
        # A run that was interrupted between its first two files left a corpus without videos.
        corpus = Corpus.open(root)
        if corpus.sport != SPORT or corpus.videos():
            raise UserError(
                f'{root}: is a corpus, but not of the synthetic sport (no {_RECIPE_FILE}); pass another --out'
            )


def _write_index(corpus: Corpus, recipe: SportRecipe, plans: list[VideoPlan]) -> None:
    rows, actions, performed = [], [], []
    for plan in plans:
        index = json.loads(_index_path(corpus.root, plan.name).read_text(encoding='utf-8'))
        path = str(_video_path(corpus.root, plan.name).resolve())
        rows.append(VideoInfo(plan.name, path, index['fps'], index['num_frames'], recipe.width, recipe.height))
        for k, done in enumerate(index['performed'] if plan.split != 'unlabelled' else ()):
            action_id = f'{plan.name}_{k}'
            span = done['start_frame'], done['end_frame']
            actions.append(Action(action_id, plan.name, *span, done['label'], plan.split))
            flight = done['takeoff_sec'], done['landing_sec']
            performed.append((action_id, index['athlete'], index['venue'], *flight, done['twists_to']))
    corpus.add_videos(rows)
    save_classes(corpus.classes_path, CLASSES)
    save_actions(corpus.actions_path, actions)
    with atomic_write(corpus.root / 'ground_truth' / 'performed.csv', 'w') as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(('action_id', 'athlete', 'venue', 'takeoff_sec', 'landing_sec', 'twists_to'))
        writer.writerows(performed)
