"""The generic domain: images of everyday people, upright, sharp, in street clothes, to train teacher and detector."""

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import check_no_links, list_folder, read_json, write_bytes, write_json
from ..visualize.panels import encode_image
from ..visualize.skeleton import COCO17
from .appearance import everyday_look, vivid
from .camera import CameraTrack, look_rotation
from .generation import Recipe, check_counts, check_recipe, run_jobs
from .moves import everyday_motion, heading, leaping_motion
from .people import fans
from .renderer import Figure, SceneRenderer, make_figure, make_thing
from .skeleton import COCO_NODES, Body, rot_z
from .venue import FAR, Venue, make_venue, paint_board, trace

SPLITS = ('train', 'val')
#: Images of one place, each with a new camera and new people.
IMAGES_PER_PLACE = 8
_PLACE, _IMAGE, _PUBLIC, _LEAP = 201, 202, 203, 204
#: Version of the images, part of the recipe file of a folder.
RECIPE = 2
_RECIPE_FILE = 'generic.json'
#: With fewer visible joints a person is marked as a crowd, which the evaluation of COCO ignores.
MIN_VISIBLE = 4
#: Share of the images with spectators where the recipe asks for them.
_PUBLIC_SHARE = 0.7
_SUB_FRAMES = 4
#: Moment of the image in the motions of its people, seconds.
_MOMENT = 0.8
#: Longest exposure of leaping people, seconds: a blur of up to some ten pixels.
_LEAP_SHUTTER = 0.03
#: Standard deviation, metres across the image, of the distance from a leaping person to the person behind.
_BESIDE = 0.35


@dataclass(frozen=True)
class GenericRecipe(Recipe):
    """A Recipe with options of the generic domain.

    Args:
        public: Most images have an advertising board and a row of spectators, marked as a crowd, behind the people,
            which a detector must distinguish from people on the floor.
        leaping: Share of the people, 0 to 1, who leap, turn over or lie, with some blur, which a detector must also
            detect.
        clear: People stand apart, seven in ten face the camera, and objects in front are rare.
        over: There are two people or more, and all leaping or lying people except the first are directly in front of
            another, which a detector must separate.

    Raises:
        UserError: a value is invalid.
    """

    public: bool = False
    leaping: float = 0.0
    clear: bool = False
    over: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.leaping, (int, float)) or not 0 <= self.leaping <= 1:
            raise UserError(f'leaping must be a share from 0 to 1, found {self.leaping!r}')
        if self.over and (self.clear or not self.leaping):
            raise UserError('over needs people who leap (leaping above 0) and is not for clear images')


@dataclass(frozen=True, eq=False)
class Person:
    """One person of one image: keypoints (17, 2) px, visibility (17,) 0/1/2, box (4,) xyxy px cut at the image."""

    keypoints: np.ndarray
    visibility: np.ndarray
    box: np.ndarray


def generic_images(
    recipe: GenericRecipe, split: str, count: int, start: int = 0
) -> Iterator[tuple[np.ndarray, list[Person]]]:
    """Yield images ``start`` to ``start + count`` of a split, RGB uint8 (H, W, 3), with their people."""
    place = -1
    for index in range(start, start + count):
        if index // IMAGES_PER_PLACE != place:
            place = index // IMAGES_PER_PLACE
            rng = np.random.default_rng([recipe.seed, SPLITS.index(split), _PLACE, place])
            venue = make_venue(f'place_{place}', rng, sport=False)
        yield _render_image(recipe, venue, SPLITS.index(split), index)


def _render_image(recipe: GenericRecipe, venue: Venue, split: int, index: int) -> tuple[np.ndarray, list[Person]]:
    rng = np.random.default_rng([recipe.seed, split, _IMAGE, index])
    leaps = np.random.default_rng([recipe.seed, split, index, _LEAP])
    public = np.random.default_rng([recipe.seed, split, index, _PUBLIC])
    size = recipe.width, recipe.height
    height_px = np.exp(rng.uniform(np.log(0.27), np.log(0.88))) * recipe.height
    distance = rng.uniform(4.0, 12.0)
    azimuth, elevation = rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(-22, 6))
    middle = np.array([rng.uniform(-8, 8), rng.uniform(-10, 4), rng.uniform(0.8, 1.05)])
    centre = middle - distance * np.append(np.cos(elevation) * heading(azimuth), np.sin(elevation))
    centre[2] = max(centre[2], 0.4)
    lead = middle - centre
    azimuth, elevation = np.arctan2(lead[1], lead[0]), np.arctan2(lead[2], np.hypot(*lead[:2]))
    roll = np.deg2rad(rng.normal(0, 4))
    still = np.ones(_SUB_FRAMES)
    aim = azimuth + rng.normal(0, 0.02), elevation + rng.normal(0, 0.01), roll
    camera = CameraTrack(centre, look_rotation(*(a * still for a in aim)), height_px * distance / 1.7 * still, size)
    # Short exposures: almost no blur.
    shutter = (np.arange(_SUB_FRAMES) - _SUB_FRAMES // 2) / _SUB_FRAMES
    times = _MOMENT + shutter * rng.uniform(0, 0.006)

    facing, things, apart, tries = (0.7, 0.1, 1.15, 20) if recipe.clear else (0.5, 0.3, 0.7, 6)
    frame_width = recipe.width / height_px * 1.7
    away = heading(azimuth)
    side = np.array([away[1], -away[0]])
    figures: list[Figure] = []
    taken: list[float] = []
    places: list[np.ndarray] = []
    for k in range(1 + max(min(int(rng.exponential(1.3)), 5), int(recipe.over))):
        body = Body.random(rng, 1.45, 1.95)
        depth = 0.0 if k == 0 else rng.uniform(-1.5, 5.0)
        across = 0.0
        if k == 0 or recipe.clear or recipe.leaping:  # drawn even if unused: the packed models had these images
            across = rng.normal(0, 0.06) * frame_width
        free = True
        for _ in range(tries if k else 0):
            across = rng.uniform(-0.34 * frame_width, 0.34 * frame_width)
            free = all(abs(across - other) > apart for other in taken)
            if free:
                break
        if recipe.clear and not free:
            break
        taken.append(across)
        xy = middle[:2] + across * side + depth * away
        towards_camera = rng.random() < facing
        yaw = azimuth + np.pi + rng.normal(0, 0.6) if towards_camera else rng.uniform(-np.pi, np.pi)
        motion = everyday_motion(rng, body, xy, yaw, 1.0)
        # Move the position at the moment of the exposure, not at the start, to the wanted one.
        motion.root_pos[:, :2] += xy - motion.root_pos[int(_MOMENT * len(motion.root_pos) / motion.duration_sec), :2]
        look = everyday_look(rng)
        exposed = times
        if leaps.random() < recipe.leaping:
            if recipe.over and places:
                behind = places[leaps.integers(len(places))]
                nearer = leaps.uniform(0.05, 0.35) * ((behind - centre[:2]) @ away)
                xy = behind + leaps.normal(0, _BESIDE) * side - nearer * away
            motion = leaping_motion(leaps, body, xy, _MOMENT)
            exposed = _MOMENT + shutter * leaps.uniform(0, _LEAP_SHUTTER)
        places.append(xy)
        figures.append(make_figure(body, motion.posture(exposed), look, camera, _SUB_FRAMES, venue.light, joints=True))
    if rng.random() < things:
        figures.append(_something_in_front(rng, camera, middle, azimuth, frame_width))
    crowd = np.empty((0, 4))
    if recipe.public and public.random() < _PUBLIC_SHARE:
        venue, row = _add_public(public, venue, camera, middle, azimuth, distance)
        figures.append(row)
        crowd = row.group_boxes(3)[0]
    # An image of one moment is traced through the camera itself.
    moment = camera[_SUB_FRAMES // 2 : _SUB_FRAMES // 2 + 1]
    renderer = SceneRenderer(venue, camera, figures, rng, _SUB_FRAMES, (trace(venue, moment), moment))
    image, visible = renderer.render(0)
    # People are the first figures; spectators have no joints.
    people = [
        (Person(figure.joints[0, :, :2], visibility, figure.boxes[0].clip(0, size * 2)), 4)
        for figure, visibility in zip(figures, visible)
    ]
    no_joints = np.zeros((17, 2), np.float32), np.zeros(17, np.uint8)
    people += [(Person(*no_joints, box), 2) for box in crowd.clip(0, size * 2)]
    return image, [person for person, least in people if np.all(person.box[2:] - person.box[:2] > least)]


def _add_public(
    rng: np.random.Generator, venue: Venue, camera: CameraTrack, middle: np.ndarray, azimuth: float, distance: float
) -> tuple[Venue, Figure]:
    """Return the place with a board some metres behind the people, and the row of spectators behind the board."""
    behind = rng.uniform(1.0, 0.6 * distance)
    turned = azimuth - np.pi / 2 + rng.normal(0, 0.15)
    turn = rot_z(turned)
    at = np.append(middle[:2] + behind * heading(azimuth), 0) - rng.uniform(0.2, 0.8) * turn[:, 1]
    line = at + np.outer((-9.0, 9.0), turn[:, 0])
    row = fans(rng, venue, camera, _SUB_FRAMES, 25.0, turn, at - turn @ (0, FAR - rng.uniform(1.7, 2.2), 0))
    return replace(venue, board=paint_board(rng, rng.random()), board_line=line), row


def _something_in_front(
    rng: np.random.Generator, camera: CameraTrack, middle: np.ndarray, azimuth: float, frame_width: float
) -> Figure:
    """Make a post, a rail or a box between the camera and the people."""
    away = np.append(heading(azimuth), 0)
    side = np.array([away[1], -away[0], 0])
    at = middle * (1, 1, 0) - away * rng.uniform(0.8, 2.0) + side * rng.uniform(-0.3, 0.3) * frame_width
    high, wide = np.array([0, 0, rng.uniform(0.4, 2.5)]), rng.uniform(0.3, 2.0) * side
    upright = rng.random() < 0.6
    ends = [at, at + high] if upright else [at + 0.5 * high - wide, at + 0.5 * high + wide]
    color = vivid(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.1, 0.9))
    radii = np.full((1, 2), rng.uniform(0.03, 0.18))
    return make_thing(np.array([ends]), radii, color[None], camera, _SUB_FRAMES)


def make_generic(
    out: str | os.PathLike,
    train: int = 4000,
    val: int = 400,
    recipe: GenericRecipe | None = None,
    workers: int = 1,
    on_progress: OnProgress = no_progress,
) -> Path:
    """Write ``images/*.jpg`` and ``annotations/person_{train,val}.json``; a rerun makes the missing images.

    Args:
        out: Folder, new, empty, or made by this function with the same recipe.
        train, val: Number of images of each split; larger numbers extend the folder.
        recipe, workers: Seed and options; processes, on whose number the result does not depend.
        on_progress: Called with (done, total) images at the start and after every place.

    Raises:
        UserError: a number is invalid, or the folder holds something else.
    """
    recipe = recipe or GenericRecipe()
    counts = {'train': train, 'val': val}
    check_counts(counts, 999_999, workers)
    root = Path(out)
    _check_folder(root, recipe)
    counts = {split: max(count, _num_made(root, split)) for split, count in counts.items()}
    parts = [
        (split, start, min(IMAGES_PER_PLACE, count - start))
        for split, count in counts.items()
        for start in range(0, count, IMAGES_PER_PLACE)
    ]
    jobs = [(root, recipe, *part) for part in parts if not _part_path(root, *part).is_file()]
    total = sum(counts.values())
    run_jobs(_make_part, jobs, workers, on_progress, total - sum(job[-1] for job in jobs), total)
    for split, count in counts.items():
        pieces = [
            read_json(_part_path(root, *part), 'delete it to make it again') for part in parts if part[0] == split
        ]
        if count:
            _write_coco(root / 'annotations' / f'person_{split}.json', recipe, pieces)
    return root


def _make_part(root: Path, recipe: GenericRecipe, split: str, start: int, count: int) -> int:
    people = []
    for k, (image, who) in enumerate(generic_images(recipe, split, count, start)):
        name = f'{split}_{start + k:06d}.jpg'
        write_bytes(root / 'images' / name, encode_image(image, '.jpg', 90))
        people.append({'file_name': name, 'people': [_annotation(person) for person in who]})
    write_json(_part_path(root, split, start, count), people)
    return count


def _annotation(person: Person) -> dict:
    labelled = person.visibility > 0
    points = np.where(labelled[:, None], person.keypoints, 0).round(2)
    x0, y0, x1, y1 = (round(float(c), 2) for c in person.box)
    return {
        'keypoints': [v for p, s in zip(points.tolist(), person.visibility.tolist()) for v in (*p, s)],
        'num_keypoints': int(labelled.sum()),
        'bbox': [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        # COCO needs the area of the mask; a standing person fills about half of the box.
        'area': round(0.5 * (x1 - x0) * (y1 - y0), 2),
        'iscrowd': int((person.visibility == 2).sum() < MIN_VISIBLE),
        'category_id': 1,
    }


def _write_coco(path: Path, recipe: GenericRecipe, pieces: list[list[dict]]) -> None:
    images: list[dict] = []
    annotations: list[dict] = []
    for number, image in enumerate(itertools.chain(*pieces), 1):
        images.append({'id': number, 'file_name': image['file_name'], 'width': recipe.width, 'height': recipe.height})
        for person in image['people']:
            annotations.append({'id': len(annotations) + 1, 'image_id': number, **person})
    names = [re.sub('^l_', 'left_', re.sub('^r_', 'right_', node)) for node in COCO_NODES]
    limbs = [[a + 1, b + 1] for a, b in COCO17.limbs]
    category = {'id': 1, 'name': 'person', 'supercategory': 'person', 'keypoints': names, 'skeleton': limbs}
    write_json(path, {'images': images, 'annotations': annotations, 'categories': [category]})


def _part_path(root: Path, split: str, start: int, count: int) -> Path:
    return root / 'annotations' / 'parts' / f'{split}_{start:06d}_{count}.json'


def _num_made(root: Path, split: str) -> int:
    parts = list_folder(root / 'annotations' / 'parts', f'{split}_*_*.json')
    return max((sum(map(int, path.stem.split('_')[1:])) for path in parts), default=0)


def _check_folder(root: Path, recipe: GenericRecipe) -> None:
    check_no_links(root, '*', 'annotations/*')
    path = root / _RECIPE_FILE
    content = {'recipe': RECIPE, **asdict(recipe)}
    # Recipe files of earlier versions lack these fields.
    content = {k: v for k, v in content.items() if v or k not in ('public', 'leaping', 'clear', 'over')}
    if path.is_file():
        check_recipe(path, content)
    elif root.exists() and (not root.is_dir() or list_folder(root)):
        raise UserError(f'{root}: not empty and not made by this command (no {_RECIPE_FILE}); pass another --out')
    else:
        write_json(path, content, indent=1, sort_keys=True)
