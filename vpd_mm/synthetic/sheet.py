"""Contact sheets of the synthetic sport and of the generic domain, with and without the ground truth skeleton."""

import itertools
import os
from pathlib import Path

import cv2
import numpy as np

from ..files import check_output, open_output
from ..visualize.panels import BAR, draw_text, encode_image, evenly_spread, grid, legend, mark_image
from ..visualize.skeleton import COCO17, SIDES, draw_skeleton
from .generic import GenericRecipe, generic_images
from .routine import SKILLS, Skill
from .shot import VIDEOS_PER_ATHLETE, SportRecipe, perform_plan, plan_videos

#: Largest size of a sheet, so that a web page may embed it.
MAX_BYTES = 290_000
#: Plain image and the same image with the skeleton, RGB uint8.
Pair = tuple[np.ndarray, np.ndarray]


def draw_visible(image: np.ndarray, keypoints: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """Return a copy of ``image`` with COCO-17 ``keypoints`` (17, 2) px; hidden joints are rings."""
    return draw_skeleton(image.copy(), keypoints, COCO17, visibility, threshold=2, thickness=1, rings=True)


def crop_square(image: np.ndarray, box: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the square around ``box`` (xyxy) resized to ``side``, and the (2, 3) matrix from image to square."""
    centre, size = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * 1.25
    matrix = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]]]) * (side / size) + [[0, 0, side / 2], [0, 0, side / 2]]
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), matrix


def _draw_frame(shot: tuple, frame: int, side: int = 0) -> Pair:
    """Draw a frame of :func:`perform_plan`'s result, or the square of ``side`` px around the athlete."""
    renderer, _, arrays, _ = shot
    image, (visibility,) = renderer.render(frame)
    keypoints = arrays['keypoints'][frame]
    if side:
        image, matrix = crop_square(image, arrays['boxes'][frame], side)
        keypoints = keypoints @ matrix[:, :2].T + matrix[:, 2]
    return image, draw_visible(image, keypoints, visibility)


def _grids(tiles: list[Pair], columns: int) -> Pair:
    plain, drawn = (grid(list(images), columns) for images in zip(*tiles))
    return plain, _explain(drawn)


def _explain(drawn: np.ndarray) -> np.ndarray:
    return np.vstack([drawn, legend(drawn.shape[1], SIDES | {'ring: hidden joint': None})])


def sport_sheet(recipe: SportRecipe) -> Pair:
    """Draw evenly spread frames of training videos, one row for each of five athletes."""
    tiles = []
    for plan in plan_videos(recipe, 'train', 5 * VIDEOS_PER_ATHLETE)[::VIDEOS_PER_ATHLETE]:
        shot = perform_plan(recipe, plan)
        tiles += [_draw_frame(shot, int(k)) for k in 4 + evenly_spread(len(shot[0]) - 8, 5)]
    return _grids(tiles, 5)


def class_strips(recipe: SportRecipe) -> Pair:
    """Draw one strip per class: crops of the athlete from take-off to landing, the name on the left."""
    columns, side = 11, 88
    strips: dict[Skill, list[Pair]] = {}
    # Every third video, so that different athletes show.
    for plan in plan_videos(recipe, 'train', 180)[::3]:
        if strips.keys() >= set(plan.skills):
            continue
        shot = perform_plan(recipe, plan)
        for done in shot[1]:
            if done.skill in strips:
                continue
            fps = shot[0].venue.fps
            span = np.linspace(done.start_sec * fps, done.end_sec * fps, columns)
            strips[done.skill] = [_draw_frame(shot, k, side) for k in span.round().astype(int)]
    tiles = []
    for skill in SKILLS:
        lines = skill.takeoff, skill.position, f's{skill.half_somersaults} t{skill.half_twists}'
        label = draw_text(np.full((side, 2 * side, 3), BAR, np.uint8), lines, (8, 6), 18)
        tiles.append([np.hstack([label, *images]) for images in zip(*strips[skill])])
    plain, drawn = (np.vstack(images) for images in zip(*tiles))
    return plain, _explain(drawn)


def generic_sheet(sport: SportRecipe) -> Pair:
    """Draw images of the generic domain with the seed of ``sport``.

    Two rows for the teacher with people apart, one with people that occlude each other, one for the detector.
    """
    columns, seed = 5, sport.seed
    apart, crowded = GenericRecipe(seed, clear=True), GenericRecipe(seed)
    leaping = GenericRecipe(seed, public=True, leaping=0.5, over=True)
    tiles = []
    for row, recipe in enumerate((apart, apart, crowded, leaping)):
        for image, people in generic_images(recipe, 'train', columns, row * columns):
            drawn = image
            for person in people:
                if person.visibility.any():
                    drawn = draw_visible(drawn, person.keypoints, person.visibility)
            tiles.append((image, drawn))
    return _grids(tiles, columns)


def write_sheets(out: str | os.PathLike, recipe: SportRecipe, overwrite: bool = False) -> list[Path]:
    """Write sport, sport_skeleton, classes, classes_skeleton, generic and generic_skeleton as JPEG into ``out``.

    Raises:
        UserError: one of the files exists and is not a sheet, without ``overwrite``.
    """
    draw = {'sport': sport_sheet, 'classes': class_strips, 'generic': generic_sheet}
    paths = [Path(out) / f'{name}{suffix}.jpg' for name in draw for suffix in ('', '_skeleton')]
    for path in paths:
        check_output(path, overwrite=overwrite)
    for path, image in zip(paths, itertools.chain(*(draw_pair(recipe) for draw_pair in draw.values()))):
        with open_output(path, overwrite=overwrite) as f:
            f.write(_jpeg(image))
    return paths


def _jpeg(image: np.ndarray) -> bytes:
    """Encode with the best quality that fits into :data:`MAX_BYTES`, with the mark of this project."""
    for quality in range(90, 20, -10):
        content = mark_image(encode_image(image, '.jpg', quality))
        if len(content) <= MAX_BYTES:
            break
    return content
