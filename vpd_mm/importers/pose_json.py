"""People a frame from the JSON that pose estimators write: VPD release, mmpose, COCO.

Every reader returns ``{frame: [Person, ...]}``, frames from 0.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .json_io import frame_number, numbers, read_json, shape_error
from .pose_choice import Person

People = dict[int, list[Person]]

#: Joint counts whose first 17 joints are COCO's: COCO, Halpe (body with feet), COCO-WholeBody.
COCO_FIRST = (17, 26, 133)
#: COCO annotations: 0 = not labelled, 1 = labelled, not visible, 2 = visible.
COCO_VISIBILITY = {0: 0.0, 1: 0.5, 2: 1.0}
_FRAME_FIELDS = ('frame_id', 'frame_num', 'frame_number', 'frame_index')


def parse_pose_json(content: Any, path: Path, num_frames: int | None) -> People:
    """Recognise the format of one file of a whole video and read it.

    - VPD release: ``[[frame, [[score, [x, y, w, h], [[x, y, score] x 17]], ...]], ...]``
    - mmpose inferencer: ``[{frame_id, instances}, ...]``, ``frame_id`` from 0
    - mmpose demo: ``{meta_info, instance_info: [{frame_id, instances}, ...]}``,
      whose ``frame_id`` counts from 1
    - COCO results: ``[{image_id, keypoints: 51 numbers, score, bbox?}, ...]``;
      the frame is ``image_id``, or the last digits of it where it is a name
    - COCO annotations: ``{images, annotations}``; the frame is the image's
      ``frame_id``, else the last digits of its ``file_name``, else its ``id``

    Raises:
        UserError: no known format, or an entry is off.
    """
    if isinstance(content, dict):
        if 'instance_info' in content:
            return _parse_mmpose(content['instance_info'], path, num_frames, first_frame=1)
        if 'annotations' in content:
            return _parse_coco_annotations(content, path, num_frames)
    elif isinstance(content, list):
        if not content:
            return {}
        if isinstance(content[0], list):
            return _parse_release(content, path, num_frames)
        if isinstance(content[0], dict) and 'instances' in content[0]:
            return _parse_mmpose(content, path, num_frames, first_frame=0)
        if isinstance(content[0], dict) and 'image_id' in content[0]:
            return _parse_coco_results(content, path, num_frames)
    raise shape_error(str(path), 'poses of the VPD release, mmpose, or COCO', content)


def parse_mmpose_images(files: Iterable[Path], num_frames: int | None) -> People:
    """Read the inferencer's output for a folder of frames: a list of instances a file, the frame in its name."""
    people: People = {}
    for path in files:
        frame = _new_frame(people, last_digits(path.name), str(path), num_frames)
        people[frame] = _instances(read_json(path), str(path))
    return people


def last_digits(name: str) -> int | None:
    """'clip_000012.jpg' -> 12; None where the stem does not end in digits."""
    match = re.search(r'(\d{1,15})$', Path(name).stem)
    return int(match.group(1)) if match else None


def _parse_release(entries: list, path: Path, num_frames: int | None) -> People:
    people: People = {}
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
            raise shape_error(where, '[frame, [[score, [x, y, w, h], keypoints], ...]]', entry)
        frame = _new_frame(people, entry[0], where, num_frames)
        for person in entry[1]:
            if not isinstance(person, list) or len(person) != 3 or not isinstance(person[2], list):
                raise shape_error(where, '[score, [x, y, w, h], keypoints]', person)
            at = f'{where} (frame {frame})'
            joints = np.stack([numbers(j, at, 'a joint [x, y, score]', 3) for j in _joints(person[2], at)])
            score = float(numbers([person[0]], at, 'a score', 1)[0])
            people[frame].append(Person(joints[:, :2], joints[:, 2], _from_xywh(person[1], at), score))
    return people


def _parse_mmpose(entries: Any, path: Path, num_frames: int | None, first_frame: int) -> People:
    if not isinstance(entries, list):
        raise shape_error(str(path), 'a list of {frame_id, instances}', entries)
    people: People = {}
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        if not isinstance(entry, dict) or not {'frame_id', 'instances'} <= entry.keys():
            raise shape_error(where, '{frame_id, instances}', entry)
        if not isinstance(entry['frame_id'], (int, float)):
            raise shape_error(f'{where}: frame_id', 'a number', entry['frame_id'])
        frame = _new_frame(people, entry['frame_id'] - first_frame, where, num_frames)
        people[frame] = _instances(entry['instances'], f'{where} (frame {frame})')
    return people


def _instances(instances: Any, where: str) -> list[Person]:
    if not isinstance(instances, list) or not all(isinstance(x, dict) and 'keypoints' in x for x in instances):
        raise shape_error(where, 'instances, each with keypoints and keypoint_scores', instances)
    people = []
    for instance in instances:
        points = [numbers(p, where, 'a keypoint [x, y]', 2) for p in _joints(instance['keypoints'], where)]
        count = len(instance['keypoints'])
        scores = numbers(instance.get('keypoint_scores'), where, f'{count} keypoint_scores', count)[: len(points)]
        box = instance.get('bbox')
        if isinstance(box, list) and len(box) == 1:  # mmpose 1.x wraps the box into a tuple
            box = box[0]
        box = None if box is None else numbers(box, where, 'a bbox [x1, y1, x2, y2]', 4)
        score = instance.get('bbox_score', scores.mean())
        score = float(numbers(np.ravel(score), where, 'a bbox_score', 1)[0])
        people.append(Person(np.stack(points), scores, box, score))
    return people


def _parse_coco_results(entries: list, path: Path, num_frames: int | None) -> People:
    people: People = {}
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        if not isinstance(entry, dict) or not {'image_id', 'keypoints'} <= entry.keys():
            raise shape_error(where, '{image_id, keypoints, score}', entry)
        image = entry['image_id']
        frame = frame_number(last_digits(image) if isinstance(image, str) else image, where, num_frames)
        joints = _flat_joints(entry['keypoints'], where)
        box = None if entry.get('bbox') is None else _from_xywh(entry['bbox'], where)
        score = float(numbers([entry.get('score', joints[:, 2].mean())], where, 'a score', 1)[0])
        people.setdefault(frame, []).append(Person(joints[:, :2], joints[:, 2], box, score))
    return people


def _parse_coco_annotations(content: dict, path: Path, num_frames: int | None) -> People:
    images, annotations = content.get('images'), content['annotations']
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise shape_error(str(path), 'lists images and annotations', images)
    frames: dict[Any, int] = {}
    people: People = {}
    for i, image in enumerate(images):
        where = f'{path}: image {i}'
        if not isinstance(image, dict) or not isinstance(image.get('id'), (int, str)):
            raise shape_error(where, '{id, file_name}', image)
        named = last_digits(str(image.get('file_name', '')))
        number = next((image[f] for f in _FRAME_FIELDS if f in image), image['id'] if named is None else named)
        frames[image['id']] = _new_frame(people, number, where, num_frames)
    for i, entry in enumerate(annotations):
        where = f'{path}: annotation {i}'
        if not isinstance(entry, dict) or not {'image_id', 'keypoints'} <= entry.keys():
            raise shape_error(where, '{image_id, keypoints}', entry)
        if not isinstance(entry['image_id'], (int, str)) or entry['image_id'] not in frames:
            raise UserError(f'{where}: image_id {entry["image_id"]!r} is not among the images')
        joints = _flat_joints(entry['keypoints'], where)
        unknown = set(joints[:, 2].tolist()) - COCO_VISIBILITY.keys()
        if unknown:
            raise UserError(f'{where}: visibility must be 0, 1 or 2, found {sorted(unknown)[0]:g}')
        scores = np.array([COCO_VISIBILITY[int(v)] for v in joints[:, 2]])
        box = None if entry.get('bbox') is None else _from_xywh(entry['bbox'], where)
        people[frames[entry['image_id']]].append(Person(joints[:, :2], scores, box, float(scores.mean())))
    return people


def _new_frame(people: People, value: Any, where: str, num_frames: int | None) -> int:
    frame = frame_number(value, where, num_frames)
    if frame in people:
        raise UserError(f'{where}: frame {frame} stands there twice; keep one entry a frame')
    people[frame] = []
    return frame


def _joints(joints: Any, where: str) -> list:
    if not isinstance(joints, list) or len(joints) not in COCO_FIRST:
        found = len(joints) if isinstance(joints, list) else repr(joints)[:40]
        raise UserError(f'{where}: needs 17 COCO joints (or {COCO_FIRST[1]}, {COCO_FIRST[2]}), found {found}')
    return joints[:17]


def _flat_joints(values: Any, where: str) -> np.ndarray:
    count = len(values) if isinstance(values, list) else 0
    if count % 3 or count // 3 not in COCO_FIRST:
        raise UserError(f'{where}: keypoints must be 51 numbers (17 COCO joints x, y, score), found {count}')
    return numbers(values, where, 'keypoints', count).reshape(-1, 3)[:17]


def _from_xywh(box: Any, where: str) -> np.ndarray:
    x, y, w, h = numbers(box, where, 'a box [x, y, w, h]', 4)
    return np.array([x, y, x + w, y + h])
