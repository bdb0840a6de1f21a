"""The generic domain as COCO keypoints, which mmpose's ``CocoDataset`` and mmdet's ``CocoDataset`` read as they are."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..structures import atomic_write
from ..visualize.skeleton import COCO17
from .generic import IMAGES_PER_PLACE, GenericRecipe, Person, generic_images
from .skeleton import COCO_NODES

#: Of how pictures are drawn; part of the file that says how a folder was made.
RECIPE = 2
_RECIPE_FILE = 'generic.json'
#: With fewer joints in view a person is marked as a crowd, which COCO's evaluation passes over.
MIN_VISIBLE = 4


def make_generic(
    out: str | os.PathLike,
    train: int = 4000,
    val: int = 400,
    recipe: GenericRecipe | None = None,
    workers: int = 1,
    on_part: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``images/*.jpg`` and ``annotations/person_{train,val}.json``; a rerun makes what is missing, drops nothing.

    Args:
        out: Folder, new, empty, or made by this function with the same recipe.
        train, val: Number of images, of one of them at least 1.
        recipe: Seed and size.
        workers: Processes; their number changes nothing but the time.
        on_part: Called with (images done, total) at the start and after every place.

    Raises:
        UserError: a number is off, or the folder holds something else.
    """
    recipe = recipe or GenericRecipe()
    counts = {'train': train, 'val': val}
    for name, count in counts.items():
        if not isinstance(count, int) or not 0 <= count <= 999_999:
            raise UserError(f'{name} must be a whole number of images from 0 to 999999, found {count!r}')
    if not any(counts.values()):
        raise UserError('nothing to make: train and val are 0 images')
    if not isinstance(workers, int) or workers < 1:
        raise UserError(f'workers must be 1 or more, found {workers!r}')
    root = Path(out)
    _claim(root, recipe)
    counts = {split: max(count, _num_made(root, split)) for split, count in counts.items()}
    parts = [
        (split, start, min(IMAGES_PER_PLACE, count - start))
        for split, count in counts.items()
        for start in range(0, count, IMAGES_PER_PLACE)
    ]
    missing = [part for part in parts if not _part_path(root, *part).is_file()]
    total = sum(counts.values())
    done = total - sum(part[2] for part in missing)
    if on_part:
        on_part(done, total)
    for num in _in_parallel(root, recipe, missing, workers):
        done += num
        if on_part:
            on_part(done, total)
    for split, count in counts.items():
        pieces = [json.loads(_part_path(root, *part).read_text('utf-8')) for part in parts if part[0] == split]
        if count:
            _write_coco(root / 'annotations' / f'person_{split}.json', recipe, pieces)
    return root


def _in_parallel(root: Path, recipe: GenericRecipe, parts: list[tuple], workers: int) -> Iterator[int]:
    if workers == 1 or len(parts) < 2:
        for part in parts:
            yield _make_part(root, recipe, *part)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(workers, len(parts)), context, cv2.setNumThreads, (1,)) as pool:
        jobs = [pool.submit(_make_part, root, recipe, *part) for part in parts]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


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
    seen = person.visibility > 0
    points = np.where(seen[:, None], person.keypoints, 0).round(2)
    x0, y0, x1, y1 = (round(float(c), 2) for c in person.box)
    return {
        'keypoints': [v for p, s in zip(points.tolist(), person.visibility.tolist()) for v in (*p, s)],
        'num_keypoints': int(seen.sum()),
        'bbox': [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
        # COCO wants the area of the mask; a standing person fills about half of the box.
        'area': round(0.5 * (x1 - x0) * (y1 - y0), 2),
        'iscrowd': int((person.visibility == 2).sum() < MIN_VISIBLE),
        'category_id': 1,
    }


def _write_coco(path: Path, recipe: GenericRecipe, pieces: list[list[dict]]) -> None:
    images: list[dict] = []
    annotations: list[dict] = []
    for number, film in enumerate((image for piece in pieces for image in piece), 1):
        images.append({'id': number, 'file_name': film['file_name'], 'width': recipe.width, 'height': recipe.height})
        for person in film['people']:
            annotations.append({'id': len(annotations) + 1, 'image_id': number, **person})
    names = [
        node.replace('l_', 'left_', 1) if node[:2] == 'l_' else node.replace('r_', 'right_', 1) for node in COCO_NODES
    ]
    category = {'id': 1, 'name': 'person', 'supercategory': 'person', 'keypoints': names}
    category['skeleton'] = [[a + 1, b + 1] for a, b in COCO17.limbs]
    with atomic_write(path, 'w') as f:
        json.dump({'images': images, 'annotations': annotations, 'categories': [category]}, f)


def _part_path(root: Path, split: str, start: int, count: int) -> Path:
    return root / 'annotations' / 'parts' / f'{split}_{start:06d}_{count}.json'


def _num_made(root: Path, split: str) -> int:
    parts = (root / 'annotations' / 'parts').glob(f'{split}_*_*.json')
    return max((sum(map(int, path.stem.split('_')[1:])) for path in parts), default=0)


def _claim(root: Path, recipe: GenericRecipe) -> None:
    path = root / _RECIPE_FILE
    wanted = {'recipe': RECIPE, **asdict(recipe)}
    # Folders that were made before there were these have no such field.
    for name in ('public', 'leaping', 'clear', 'over'):
        if not wanted[name]:
            del wanted[name]
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as e:
            raise UserError(f'{path}: no valid JSON ({e}); delete the folder or pass another --out') from e
        if found != wanted:
            raise UserError(
                f'{path}: was made with {found}, asked for {wanted}; pass the same numbers or another --out'
            )
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f'{root}: not empty and not made by this command (no {_RECIPE_FILE}); pass another --out')
    with atomic_write(path, 'w') as f:
        json.dump(wanted, f, sort_keys=True)
