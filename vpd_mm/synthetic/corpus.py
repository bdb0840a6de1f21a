"""Write the synthetic sport as a corpus: films, boxes, labels; the truth beside them, apart."""

import csv
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..corpus import Corpus, VideoInfo
from ..errors import UserError
from ..structures import Action, atomic_write, save_actions, save_classes
from ..visualize.video_writer import VideoWriter
from .appearance import Look, athlete_look
from .camera import CameraTrack
from .routine import CLASSES, SKILLS, Habits, Routine, Skill, perform_routine
from .shot import Shot, film, jittered_track
from .skeleton import Body
from .venue import Venue, make_venue, panorama

SPLITS = ('train', 'val', 'test', 'unlabelled')
SPORT = 'synthetic tumbling'
#: Halls of the sport; all splits share them.
NUM_VENUES = 4
#: An athlete appears in this many films, all of one split.
FILMS_PER_ATHLETE = 4
#: Changed whenever the same seed would give other pictures or truth.
RECIPE = 1
_RECIPE_FILE = 'synthetic.json'
_ATHLETE, _DECK, _VENUE = 101, 102, 103


@dataclass(frozen=True)
class SportRecipe:
    """What fixes every byte of the truth.

    Args:
        seed: Whole number, 0 or more.
        width, height: Of the films; even, 128 to 1024.
        sub_frames: Moments averaged over the open shutter, 1 to 32 (8 or more for a fair picture).

    Raises:
        UserError: a value is off.
    """

    seed: int = 0
    width: int = 256
    height: int = 256
    sub_frames: int = 8

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise UserError(f'seed must be a whole number, 0 or more, found {self.seed!r}')
        for name in ('width', 'height'):
            value = getattr(self, name)
            if not isinstance(value, int) or value % 2 or not 128 <= value <= 1024:
                raise UserError(f'{name} must be an even number from 128 to 1024, found {value!r}')
        if not 1 <= self.sub_frames <= 32:
            raise UserError(f'sub_frames must be 1 to 32, found {self.sub_frames!r}')


@dataclass(frozen=True)
class FilmPlan:
    """One film: its split, its number there, its skills, its athlete's number there."""

    split: str
    index: int
    skills: tuple[Skill, ...]
    athlete: int

    @property
    def name(self) -> str:
        return f'{self.split}_{self.index:04d}'


def plan_films(recipe: SportRecipe, split: str, count: int) -> list[FilmPlan]:
    """The first ``count`` films of a split; a longer list begins with the shorter one.

    Skills are dealt from shuffled decks that hold every class once, so all classes are about equally frequent.
    """
    cards = _deck(recipe.seed, SPLITS.index(split))
    out = []
    for index in range(count):
        rng = np.random.default_rng([recipe.seed, SPLITS.index(split), index])
        num = int(rng.choice([3, 4, 5, 6], p=[0.2, 0.3, 0.3, 0.2]))
        out.append(FilmPlan(split, index, tuple(next(cards) for _ in range(num)), index // FILMS_PER_ATHLETE))
    return out


def _deck(seed: int, split: int) -> Iterator[Skill]:
    number = 0
    while True:
        order = np.random.default_rng([seed, split, _DECK, number]).permutation(len(SKILLS))
        yield from (SKILLS[k] for k in order)
        number += 1


def make_athlete(recipe: SportRecipe, split: str, number: int) -> tuple[Body, Habits, Look, float]:
    """Body, habits, kit and club colour of an athlete; no two of train, val and test share a colour."""
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


def film_plan(recipe: SportRecipe, plan: FilmPlan) -> tuple[Routine, Shot, np.random.Generator]:
    """Perform and film a plan; nothing but the recipe and the plan decides the outcome."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(plan.split), plan.index, 1])
    body, habits, look, hue = make_athlete(recipe, plan.split, plan.athlete)
    routine = perform_routine(list(plan.skills), body, habits, rng)
    number, position = int(rng.integers(NUM_VENUES)), int(rng.integers(3))
    venue, backdrop = _venue(recipe.seed, number), _backdrop(recipe.seed, number, position)
    size = (recipe.width, recipe.height)
    shot = film(routine, look, hue, venue, position, rng, size, backdrop, recipe.sub_frames)
    return routine, shot, rng


def make_sport(
    out: str | os.PathLike,
    train: int = 48,
    val: int = 8,
    test: int = 24,
    recipe: SportRecipe | None = None,
    workers: int = 1,
    on_film: Callable[[int, int], None] | None = None,
    unlabelled: int = 0,
) -> Corpus:
    """Make the synthetic sport; a rerun makes only the films that are missing, more films extend the corpus.

    Besides the layout of every corpus it writes, for evaluation only, ``ground_truth/scenes/<video>.npz``
    (:class:`GroundTruth`), ``ground_truth/poses/<video>.npz`` (PoseSequence) and ``ground_truth/performed.csv``.
    Where the folder was moved, a rerun corrects the paths in videos.csv.

    Args:
        out: Folder, new, empty, or made by this function with the same recipe.
        train, val, test: Number of films of each split.
        recipe: Seed and sizes.
        workers: Processes; their number changes nothing but the time.
        on_film: Called with (done, total) at the start and after every film.
        unlabelled: Number of films, with athletes of their own, whose actions nobody labelled: for distillation.

    Raises:
        UserError: a number is off, or the folder holds something else.
    """
    recipe = recipe or SportRecipe()
    counts = {'train': train, 'val': val, 'test': test, 'unlabelled': unlabelled}
    for name, count in counts.items():
        if not isinstance(count, int) or not 0 <= count <= 9999:
            raise UserError(f'{name} must be a whole number of films from 0 to 9999, found {count!r}')
    if sum(counts.values()) == 0:
        raise UserError('nothing to make: train, val, test and unlabelled are all 0')
    if not isinstance(workers, int) or workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers!r}')
    root = Path(out)
    _check_recipe(root, recipe)
    corpus = Corpus.create(root, 'synthetic', sport=SPORT)
    with corpus.lock():
        _write_json(root / _RECIPE_FILE, {'recipe': RECIPE, **asdict(recipe)})
        plans = [plan for split in SPLITS for plan in plan_films(recipe, split, max(counts[split], _made(root, split)))]
        missing = [plan for plan in plans if not _video_path(root, plan.name).is_file()]
        done = len(plans) - len(missing)
        if on_film:
            on_film(done, len(plans))
        for _ in _in_parallel(root, recipe, missing, workers):
            done += 1
            if on_film:
                on_film(done, len(plans))
        _write_index(corpus, plans)
    return corpus


def _in_parallel(root: Path, recipe: SportRecipe, plans: list[FilmPlan], workers: int) -> Iterator[None]:
    if workers == 1 or len(plans) < 2:
        for plan in plans:
            make_film(root, recipe, plan)
            yield
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(workers, len(plans)), context, cv2.setNumThreads, (1,)) as pool:
        jobs = [pool.submit(make_film, root, recipe, plan) for plan in plans]
        try:
            for job in as_completed(jobs):
                job.result()
                yield
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def make_film(root: Path, recipe: SportRecipe, plan: FilmPlan) -> None:
    """Perform, film, encode; the mp4 comes last, so that its presence means that all of it is there."""
    routine, shot, rng = film_plan(recipe, plan)
    visibility = np.zeros((len(shot), 17), np.uint8)
    # One thread: one machine repeats the bytes.
    options = {'crf': str(int(rng.integers(22, 28))), 'threads': '1', 'g': '50'}
    with VideoWriter(_video_path(root, plan.name), shot.fps, options, mark=False) as writer:
        for frame, (image, visible) in enumerate(shot.frames()):
            visibility[frame] = visible
            writer.write(image)
        truth = shot.truth(visibility)
        truth.save(root / 'ground_truth' / 'scenes' / f'{plan.name}.npz')
        truth.poses().save(root / 'ground_truth' / 'poses' / f'{plan.name}.npz')
        jittered_track(truth, rng).save(root / 'athlete' / 'tracks' / f'{plan.name}.npz')
        _write_json(
            root / 'ground_truth' / 'index' / f'{plan.name}.json',
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


def _made(root: Path, split: str) -> int:
    """How many films of a split the folder holds, counted by the highest number."""
    numbers = [int(p.stem.rpartition('_')[2]) for p in (root / 'videos').glob(f'{split}_[0-9][0-9][0-9][0-9].mp4')]
    return max(numbers, default=-1) + 1


def _check_recipe(root: Path, recipe: SportRecipe) -> None:
    path = root / _RECIPE_FILE
    if not path.is_file():
        # A run that was cut off between its first two files left a corpus without films.
        if (root / 'corpus.json').exists() and ((found := Corpus.open(root)).sport != SPORT or found.videos()):
            raise UserError(
                f'{root}: is a corpus, but not of the synthetic sport (no {_RECIPE_FILE}); pass another --out'
            )
        return
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as e:
        raise UserError(f'{path}: no valid JSON ({e}); delete the folder or pass another --out') from e
    wanted = {'recipe': RECIPE, **asdict(recipe)}
    if found != wanted:
        raise UserError(f'{path}: was made with {found}, asked for {wanted}; pass the same numbers or another --out')


def _write_index(corpus: Corpus, plans: list[FilmPlan]) -> None:
    rows, actions, performed = [], [], []
    recipe = json.loads((corpus.root / _RECIPE_FILE).read_text(encoding='utf-8'))
    for plan in plans:
        path = corpus.root / 'ground_truth' / 'index' / f'{plan.name}.json'
        film = json.loads(path.read_text(encoding='utf-8'))
        size = recipe['width'], recipe['height']
        rows.append(
            VideoInfo(
                plan.name, str(_video_path(corpus.root, plan.name).resolve()), film['fps'], film['num_frames'], *size
            )
        )
        for k, done in enumerate(film['performed'] if plan.split != 'unlabelled' else ()):
            action_id = f'{plan.name}_{k}'
            span = done['start_frame'], done['end_frame']
            actions.append(Action(action_id, plan.name, *span, done['label'], plan.split))
            flight = done['takeoff_sec'], done['landing_sec']
            performed.append((action_id, film['athlete'], film['venue'], *flight, done['twists_to']))
    corpus.add_videos(rows)
    save_classes(corpus.classes_path, CLASSES)
    save_actions(corpus.actions_path, actions)
    with atomic_write(corpus.root / 'ground_truth' / 'performed.csv', 'w') as f:
        writer = csv.writer(f, lineterminator='\n')
        writer.writerow(('action_id', 'athlete', 'venue', 'takeoff_sec', 'landing_sec', 'twists_to'))
        writer.writerows(performed)


def _write_json(path: Path, fields: dict) -> None:
    with atomic_write(path, 'w') as f:
        json.dump(fields, f, indent=1, sort_keys=True)
        f.write('\n')
