"""The generic domain as COCO keypoints, for ``CocoDataset`` of mmpose and of mmdet."""

import itertools
import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..structures import atomic_write
from ..visualize.skeleton import COCO17
from .generation import check_counts, check_recipe, run_jobs, write_json
from .generic import IMAGES_PER_PLACE, GenericRecipe, Person, generic_images
from .skeleton import COCO_NODES

#: Version of the images, part of the recipe file of a folder.
RECIPE = 2
_RECIPE_FILE = 'generic.json'
#: With fewer visible joints a person is marked as a crowd, which the evaluation of COCO ignores.
MIN_VISIBLE = 4


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
        recipe: Seed and size.
        workers: Processes; the result does not depend on their number.
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
        pieces = [json.loads(_part_path(root, *part).read_text('utf-8')) for part in parts if part[0] == split]
        if count:
            _write_coco(root / 'annotations' / f'person_{split}.json', recipe, pieces)
    return root


def _make_part(root: Path, recipe: GenericRecipe, split: str, start: int, count: int) -> int:
    people = []
    for k, (image, who) in enumerate(generic_images(recipe, split, count, start)):
        name = f'{split}_{start + k:06d}.jpg'
        code = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        with atomic_write(root / 'images' / name) as f:
            f.write(code.tobytes())
        people.append({'file_name': name, 'people': [_annotation(person) for person in who]})
    with atomic_write(_part_path(root, split, start, count), 'w') as f:
        json.dump(people, f)
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
    with atomic_write(path, 'w') as f:
        json.dump({'images': images, 'annotations': annotations, 'categories': [category]}, f)


def _part_path(root: Path, split: str, start: int, count: int) -> Path:
    return root / 'annotations' / 'parts' / f'{split}_{start:06d}_{count}.json'


def _num_made(root: Path, split: str) -> int:
    parts = (root / 'annotations' / 'parts').glob(f'{split}_*_*.json')
    return max((sum(map(int, path.stem.split('_')[1:])) for path in parts), default=0)


def _check_folder(root: Path, recipe: GenericRecipe) -> None:
    path = root / _RECIPE_FILE
    content = {'recipe': RECIPE, **asdict(recipe)}
    # Recipe files of earlier versions lack these fields.
    content = {k: v for k, v in content.items() if v or k not in ('public', 'leaping', 'clear', 'over')}
    if path.is_file():
        check_recipe(path, content)
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f'{root}: not empty and not made by this command (no {_RECIPE_FILE}); pass another --out')
    else:
        write_json(path, content)
