"""Contact sheets of the synthetic sport and of the generic domain, with and without the ground truth skeleton."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..structures import atomic_write
from ..visualize.panels import BAR, draw_text, encode_image, evenly_spread, grid
from ..visualize.skeleton import COCO17, draw_skeleton
from .corpus import VIDEOS_PER_ATHLETE, SportRecipe, perform_plan, plan_videos
from .generic import GenericRecipe, generic_images
from .routine import SKILLS, Performed, Skill
from .shot import Shot

#: Largest size of a sheet, so that a web page may embed it.
MAX_BYTES = 290_000
#: JPEG comment by which :func:`write_sheets` knows its own files.
_MARK = b'vpd_mm contact sheet'


def draw_visible(image: np.ndarray, keypoints: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """A copy of ``image`` with COCO-17 ``keypoints`` (17, 2) px; hidden joints (``visibility`` not 2) are rings."""
    return draw_skeleton(image.copy(), keypoints, COCO17, visibility, threshold=2, thickness=1, rings=True)


def crop_square(image: np.ndarray, box: np.ndarray, side: int, pad: float = 1.25) -> tuple[np.ndarray, np.ndarray]:
    """The square around ``box`` (xyxy) resized to ``side``, and the (2, 3) matrix from image to square."""
    centre, size = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * pad
    matrix = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]]]) * (side / size) + [[0, 0, side / 2], [0, 0, side / 2]]
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), matrix


def sport_sheet(recipe: SportRecipe, videos: int = 5, columns: int = 5, skeleton: bool = False) -> np.ndarray:
    """Evenly spread frames of training videos, one row per athlete; RGB uint8."""
    tiles = []
    for plan in plan_videos(recipe, 'train', videos * VIDEOS_PER_ATHLETE)[::VIDEOS_PER_ATHLETE]:
        _, shot, _ = perform_plan(recipe, plan)
        for k in 4 + evenly_spread(len(shot) - 8, columns):
            image, visible = shot.renderer.render(int(k))
            keypoints = shot.arrays['keypoints'][k]
            tiles.append(draw_visible(image, keypoints, visible[shot.athlete]) if skeleton else image)
    return grid(tiles, columns)


def class_strips(recipe: SportRecipe, columns: int = 11, side: int = 88, skeleton: bool = False) -> np.ndarray:
    """One strip per class: crops of the athlete from take-off to landing, the name on the left; RGB uint8."""
    strips: dict[Skill, list[np.ndarray]] = {}
    # Every third video, so that different athletes show.
    for plan in plan_videos(recipe, 'train', 180)[::3]:
        if all(skill in strips for skill in plan.skills):
            continue
        routine, shot, _ = perform_plan(recipe, plan)
        for performed in routine.performed:
            if performed.skill not in strips:
                strips[performed.skill] = _strip(shot, performed, columns, side, skeleton)
        if len(strips) == len(SKILLS):
            break
    rows = []
    for skill in SKILLS:
        lines = skill.takeoff, skill.position, f's{skill.half_somersaults} t{skill.half_twists}'
        label = draw_text(np.full((side, 2 * side, 3), BAR, np.uint8), lines, (8, 6), 18)
        rows.append(np.hstack([label, *strips[skill]]))
    return np.vstack(rows)


def _strip(shot: Shot, performed: Performed, columns: int, side: int, skeleton: bool) -> list[np.ndarray]:
    start, end = performed.start_sec * shot.fps, performed.end_sec * shot.fps
    tiles = []
    for k in np.linspace(start, end, columns).round().astype(int):
        image, visible = shot.renderer.render(int(k))
        tile, matrix = crop_square(image, shot.arrays['boxes'][k], side)
        if skeleton:
            keypoints = shot.arrays['keypoints'][k] @ matrix[:, :2].T + matrix[:, 2]
            tile = draw_visible(tile, keypoints, visible[shot.athlete])
        tiles.append(tile)
    return tiles


def generic_sheet(seed: int, columns: int = 5, skeleton: bool = False) -> np.ndarray:
    """Images of the generic domain, RGB uint8.

    Two rows for the teacher with people apart, one with people that occlude each other, one for the detector.
    """
    apart, crowded = GenericRecipe(seed, clear=True), GenericRecipe(seed)
    leaping = GenericRecipe(seed, public=True, leaping=0.5, over=True)
    tiles = []
    for row, recipe in enumerate((apart, apart, crowded, leaping)):
        for image, people in generic_images(recipe, 'train', columns, row * columns):
            for person in people if skeleton else ():
                if person.visibility.any():
                    image = draw_visible(image, person.keypoints, person.visibility)
            tiles.append(image)
    return grid(tiles, columns)


def write_sheets(out: str | os.PathLike, recipe: SportRecipe) -> list[Path]:
    """Write sport, sport_skeleton, classes, classes_skeleton, generic and generic_skeleton as JPEG into ``out``.

    Raises:
        UserError: one of the files exists and is not a sheet.
    """
    draw: dict[str, Callable[[bool], np.ndarray]] = {
        'sport': lambda skeleton: sport_sheet(recipe, skeleton=skeleton),
        'classes': lambda skeleton: class_strips(recipe, skeleton=skeleton),
        'generic': lambda skeleton: generic_sheet(recipe.seed, skeleton=skeleton),
    }
    paths = {Path(out) / f'{name}{suffix}.jpg': (name, bool(suffix)) for suffix in ('', '_skeleton') for name in draw}
    for path in paths:
        if path.exists() and not (path.is_file() and _MARK in path.read_bytes()[: 8 + len(_MARK)]):
            raise UserError(f'{path}: exists and is not a sheet of this command; pass another --out')
    for path, (name, skeleton) in paths.items():
        with atomic_write(path) as f:
            f.write(_jpeg(draw[name](skeleton)))
    return list(paths)


def _jpeg(image: np.ndarray) -> bytes:
    """The best quality that fits into :data:`MAX_BYTES`, with the comment :data:`_MARK`."""
    for quality in range(90, 20, -10):
        content = encode_image(image, '.jpg', quality)
        if len(content) <= MAX_BYTES:
            break
    comment = b'\xff\xfe' + (2 + len(_MARK)).to_bytes(2, 'big') + _MARK
    return content[:2] + comment + content[2:]
