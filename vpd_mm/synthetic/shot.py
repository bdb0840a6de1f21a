"""The sport without files: plans of videos, athletes, halls, and the uncut shot of a routine."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from ..structures import AthleteTrack
from .appearance import Look, athlete_look
from .camera import CameraTrack, follow
from .generation import Recipe, check_number
from .ground_truth import GroundTruth
from .motions import RATE
from .people import bystanders, fans, foreground
from .renderer import SceneRenderer, make_figure
from .routine import SKILLS, Habits, Performed, Skill, perform_routine
from .skeleton import Body
from .venue import Venue, make_venue, panorama

SPLITS = ('train', 'val', 'test', 'unlabelled')
#: Halls of the sport; all splits share them.
NUM_VENUES = 4
#: Videos of one athlete, all of one split.
VIDEOS_PER_ATHLETE = 4
#: Height in pixels of a standing person of 1.65 m, as a share of the frame's height: 85 to 120 px of 256.
PERSON_SHARE = (0.33, 0.47)
#: Moments per frame for people other than the athlete, who move slowly.
_SUB_FRAMES_OTHERS = 4
_ATHLETE, _DECK, _VENUE = 101, 102, 103


@dataclass(frozen=True)
class SportRecipe(Recipe):
    """Seed and size of the videos, in even numbers; ``sub_frames`` moments (1 to 32) are averaged over the shutter.

    Raises:
        UserError: a value is invalid.
    """

    sub_frames: int = 8

    EVEN = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number('sub_frames', self.sub_frames, 1, 32)


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
        plans.append(VideoPlan(split, index, tuple(itertools.islice(cards, num)), index // VIDEOS_PER_ATHLETE))
    return plans


def _deck(seed: int, split: int) -> Iterator[Skill]:
    for number in itertools.count():
        order = np.random.default_rng([seed, split, _DECK, number]).permutation(len(SKILLS))
        yield from (SKILLS[k] for k in order)


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


def perform_plan(
    recipe: SportRecipe, plan: VideoPlan
) -> tuple[SceneRenderer, list[Performed], dict[str, np.ndarray], np.random.Generator]:
    """Perform a plan and record it at the frame rate of its hall; the recipe and the plan determine the result.

    Returns:
        The renderer, whose only figure with joints is the athlete; the skills; the fields of the GroundTruth but the
        visibility; the generator for further random numbers of the video.
    """
    rng = np.random.default_rng([recipe.seed, SPLITS.index(plan.split), plan.index, 1])
    body, habits, look, club_hue = make_athlete(recipe, plan.split, plan.athlete)
    motion, performed = perform_routine(list(plan.skills), body, habits, rng)
    number, position = int(rng.integers(NUM_VENUES)), int(rng.integers(3))
    venue, backdrop = _venue(recipe.seed, number), _backdrop(recipe.seed, number, position)
    size, sub_frames = (recipe.width, recipe.height), recipe.sub_frames
    num = int(motion.duration_sec * venue.fps)
    moments = np.arange(num)[:, None] + (np.arange(sub_frames) - sub_frames // 2) / sub_frames * venue.shutter
    times = (moments / venue.fps).clip(0).ravel()
    path = follow(motion.root_pos, venue.cameras[position], size, np.array(PERSON_SHARE) * size[1], rng)
    samples = (times * RATE).round().astype(int).clip(0, len(path) - 1)
    camera = path[samples]
    posture = motion.posture(times)
    athlete = make_figure(motion.body, posture, look, camera, sub_frames, venue.light, joints=True)

    step = max(sub_frames // _SUB_FRAMES_OTHERS, 1)
    fewer = camera[np.arange(0, len(camera), step)]
    each = sub_frames // step
    others = [
        make_figure(body, moves.posture(times[::step]), dress, fewer, each, venue.light)
        for body, moves, dress in bystanders(rng, motion.duration_sec, club_hue)
    ]
    crowd = fans(rng, venue, fewer, each, venue.fps, np.eye(3), 0.0)
    posts, heads = foreground(venue, position, camera, sub_frames)

    boxes = {
        'boxes': athlete.boxes,
        'bystanders': np.stack([figure.boxes for figure in others], axis=1),
        'crowd': np.concatenate([crowd.group_boxes(3), *(h.group_boxes(2) for h in heads)], axis=1),
    }
    mid = np.arange(num) * sub_frames + sub_frames // 2
    arrays = {
        'frame_inds': np.arange(num, dtype=np.int64),
        'keypoints': athlete.joints[..., :2],
        'joints3d': posture.joints[mid].astype(np.float32),
        **{name: group.clip(0, np.array(size * 2, np.float32)) for name, group in boxes.items()},
        'airborne': motion.airborne[samples[mid]],
        'rotation': camera.rotation[mid],
        'centre': camera.centre,
        'focal': camera.focal[mid],
    }
    figures = [athlete, *others, crowd, *posts, *heads]
    return SceneRenderer(venue, camera, figures, rng, sub_frames, backdrop), performed, arrays, rng


def jittered_track(ground_truth: GroundTruth, rng: np.random.Generator) -> AthleteTrack:
    """Return boxes like those of a detector and a tracker: slightly wide, unsteady, sometimes missing."""
    boxes = ground_truth.boxes.astype(float)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    first, changes = rng.normal(0, 0.03, (1, 4)), rng.normal(0, 0.02, (len(boxes), 4))
    noise, _ = lfilter([1], [1, -0.75], changes, axis=0, zi=0.75 * first)
    boxes = boxes + (noise + np.array([-0.02, -0.02, 0.02, 0.02])) * np.tile(sides, 2)
    missed = rng.random(len(boxes)) < np.where(ground_truth.airborne, 0.03, 0.008)
    keep = (sides.min(axis=1) > 4) & (boxes[:, 2:] - boxes[:, :2] > 2).all(axis=1) & ~missed
    scores = np.clip(rng.normal(0.9, 0.05, len(boxes)) - 0.1 * ground_truth.airborne, 0.3, 0.99)
    return AthleteTrack(ground_truth.frame_inds[keep], boxes[keep].astype(np.float32), scores[keep].astype(np.float32))
