"""Contact sheets: what the sport looks like, with and without the true skeleton."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..structures import atomic_write
from .corpus import VIDEOS_PER_ATHLETE, SportRecipe, perform_plan, plan_videos
from .generic import GenericRecipe, generic_images
from .routine import SKILLS, Performed, Skill
from .shot import Shot
from .skeleton import COCO_LINKS

#: A sheet is at most so large, so that a page may carry it.
MAX_BYTES = 290_000
#: What a sheet of ours says of itself.
_MARK = b'vpd_mm contact sheet'
#: The athlete's left is blue, right is orange, the middle white.
_LEFT, _RIGHT, _MIDDLE = (70, 150, 255), (255, 140, 40), (240, 240, 240)


def draw_skeleton(image: np.ndarray, keypoints: np.ndarray, visibility: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """A copy of ``image`` with COCO-17 ``keypoints`` (17, 2); left blue, right orange, hidden joints as rings."""
    out = image.copy()
    points = [tuple(int(16 * c) for c in p) for p in keypoints * scale]
    for a, b in COCO_LINKS:
        sides = {k % 2 for k in (a, b) if k}
        color = _MIDDLE if len(sides) != 1 else _LEFT if sides == {1} else _RIGHT
        cv2.line(out, points[a], points[b], color, max(int(scale), 1), cv2.LINE_AA, 4)
    for k, point in enumerate(points):
        color = _MIDDLE if k == 0 else _LEFT if k % 2 else _RIGHT
        cv2.circle(out, point, int(24 * scale), color, -1 if visibility[k] == 2 else 1, cv2.LINE_AA, 4)
    return out


def crop_square(image: np.ndarray, box: np.ndarray, side: int, pad: float = 1.25) -> tuple[np.ndarray, np.ndarray]:
    """The square around ``box`` (xyxy) resized to ``side``, and the (2, 3) matrix that did it."""
    centre, size = (box[:2] + box[2:]) / 2, max(box[2:] - box[:2]) * pad
    matrix = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]]]) * (side / size) + [[0, 0, side / 2], [0, 0, side / 2]]
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), matrix


def sport_sheet(recipe: SportRecipe, films: int = 5, columns: int = 5, skeleton: bool = False) -> np.ndarray:
    """Evenly spaced whole frames of training films, one of each of the first athletes, a film a row; RGB uint8."""
    rows = []
    for plan in plan_videos(recipe, 'train', films * VIDEOS_PER_ATHLETE)[::VIDEOS_PER_ATHLETE]:
        _, shot, _ = perform_plan(recipe, plan)
        picks = np.linspace(4, len(shot) - 5, columns).round().astype(int)
        row = []
        for k in picks:
            image, visible = shot.renderer.render(k)
            points = shot.arrays['keypoints'][k]
            row.append(draw_skeleton(image, points, visible[shot.athlete]) if skeleton else image)
        rows.append(np.hstack(row))
    return np.vstack(rows)


def class_strips(recipe: SportRecipe, columns: int = 11, side: int = 88, skeleton: bool = False) -> np.ndarray:
    """One strip a class: the athlete from take-off to landing, cut out; name on the left; RGB uint8."""
    wanted: dict[Skill, np.ndarray] = {}
    # Every third film, so that different athletes show.
    for plan in plan_videos(recipe, 'train', 180)[::3]:
        fresh = [skill for skill in plan.skills if skill not in wanted]
        if not fresh:
            continue
        routine, shot, _ = perform_plan(recipe, plan)
        for done in routine.performed:
            if done.skill not in wanted:
                wanted[done.skill] = _strip(shot, done, columns, side, skeleton)
        if len(wanted) == len(SKILLS):
            break
    rows = []
    for skill in SKILLS:
        label = np.full((side, 2 * side, 3), 255, np.uint8)
        for k, word in enumerate((skill.takeoff, skill.position, f's{skill.half_somersaults} t{skill.half_twists}')):
            cv2.putText(label, word, (8, 26 + 24 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (20, 20, 20), 2, cv2.LINE_AA)
        rows.append(np.hstack([label, wanted[skill]]))
    return np.vstack(rows)


def _strip(shot: Shot, done: Performed, columns: int, side: int, skeleton: bool) -> np.ndarray:
    picks = np.linspace(done.start_sec * shot.fps, done.end_sec * shot.fps, columns).round().astype(int)
    tiles = []
    for k in picks:
        image, visible = shot.renderer.render(int(k))
        tile, matrix = crop_square(image, shot.arrays['boxes'][k], side)
        if skeleton:
            points = shot.arrays['keypoints'][k] @ matrix[:, :2].T + matrix[:, 2]
            tile = draw_skeleton(tile, points, visible[shot.athlete])
        tiles.append(tile)
    return np.hstack(tiles)


def generic_sheet(seed: int, columns: int = 5, skeleton: bool = False) -> np.ndarray:
    """Images of the generic domain, RGB uint8: two rows of the teacher's, one of people in one another's way, one of
    the detector's."""
    rows = []
    apart, crowded, leaping = (
        GenericRecipe(seed, clear=True),
        GenericRecipe(seed),
        GenericRecipe(seed, public=True, leaping=0.5, over=True),
    )
    for row, recipe in enumerate((apart, apart, crowded, leaping)):
        tiles = []
        for image, people in generic_images(recipe, 'train', columns, row * columns):
            for person in people if skeleton else ():
                if person.visibility.any():
                    image = draw_skeleton(image, person.keypoints, person.visibility)
            tiles.append(image)
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


def write_sheets(out: str | os.PathLike, recipe: SportRecipe) -> list[Path]:
    """Write sport, sport_skeleton, classes, classes_skeleton, generic and generic_skeleton as JPEG into ``out``.

    Raises:
        UserError: one of them is there and is not a sheet.
    """
    draw: dict[str, Callable[[bool], np.ndarray]] = {
        'sport': lambda skeleton: sport_sheet(recipe, skeleton=skeleton),
        'classes': lambda skeleton: class_strips(recipe, skeleton=skeleton),
        'generic': lambda skeleton: generic_sheet(recipe.seed, skeleton=skeleton),
    }
    paths = {Path(out) / f'{name}{suffix}.jpg': (name, bool(suffix)) for suffix in ('', '_skeleton') for name in draw}
    for path in paths:
        if path.exists() and not (path.is_file() and _MARK in path.read_bytes()[: 8 + len(_MARK)]):
            raise UserError(f'{path}: is there and no sheet of this command; pass another --out')
    for path, (name, skeleton) in paths.items():
        with atomic_write(path) as f:
            f.write(_jpeg(draw[name](skeleton)))
    return list(paths)


def _jpeg(image: np.ndarray) -> bytes:
    """As good as fits into :data:`MAX_BYTES`, with a comment that says whose it is."""
    for quality in range(90, 20, -10):
        code = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if len(code) <= MAX_BYTES:
            break
    content = code.tobytes()
    comment = b'\xff\xfe' + (2 + len(_MARK)).to_bytes(2, 'big') + _MARK
    return content[:2] + comment + content[2:]
