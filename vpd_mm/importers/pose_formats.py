"""People per frame from the JSON of pose estimators: VPD release, mmpose, COCO, AlphaPose, OpenPose, Pose2Sim.

Every parser yields (frame as numbered in the file, people), also of frames without people; it raises UserError for an
entry of the wrong form.  Numbers that are not finite, or null, are NaN.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from .joint_sets import find_joint_set
from .json_io import (
    entries_of,
    fields_of,
    frame_entries,
    frame_number,
    measurements,
    read_json,
    scored_people,
    shape_error,
    xyxy,
)

#: COCO visibility to score: 0 = not labelled, 1 = labelled, not visible, 2 = visible.
COCO_VISIBILITY = {0: 0.0, 1: 0.5, 2: 1.0}
_FRAME_FIELDS = ('frame_id', 'frame_num', 'frame_number', 'frame_index')
_IMAGE_FIELDS = ('image_id', 'keypoints')
#: Field of the people of a frame to the field of a person's joints: OpenPose, AlphaPose's --format cmu.
_PEOPLE_FIELDS = {'people': 'pose_keypoints_2d', 'bodies': 'joints'}


class Person(NamedTuple):
    """One detected person: COCO joints (17, 3) float64 x, y (px), score; box (4,) xyxy, NaN where there is none; score;
    name of the joint set of the file."""

    joints: np.ndarray
    box: np.ndarray
    score: float
    joint_set: str


People = Iterator[tuple[int, list[Person]]]


def parse_pose_json(content: Any, path: Path) -> People:
    """Detect the format of one file of a whole video and read it.

    - VPD release: ``[[frame, [[score, [x, y, w, h], [[x, y, score], ...]], ...]], ...]``
    - mmpose inferencer: ``[{frame_id, instances}, ...]``, ``frame_id`` from 0
    - mmpose demo: ``{meta_info, instance_info: [{frame_id, instances}, ...]}``, whose ``frame_id`` counts from 1
    - COCO results, AlphaPose: ``[{image_id, keypoints: 3 numbers a joint, score, bbox or box?}, ...]``; the frame is
      ``image_id``, or the last digits of it where it is a name
    - AlphaPose with ``--format cmu`` or ``open``: ``{image: {people: [...]}}``, people as of OpenPose
    - COCO annotations: ``{images, annotations}``; the scores are ``keypoint_scores`` where given, else the visibility;
      the frame is the image's ``frame_id``, else the last digits of its ``file_name``, else its ``id``
    """
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(content, dict) and 'instance_info' in content:
        return _parse_mmpose(content['instance_info'], path, first_frame=1)
    if isinstance(content, dict) and 'annotations' in content:
        return _parse_coco_annotations(content, path)
    if isinstance(content, dict) and content and all(map(_is_openpose, content.values())):
        return _parse_images(content, path)
    if isinstance(first, list):
        return _parse_release(content, path)
    if isinstance(first, dict) and 'instances' in first:
        return _parse_mmpose(content, path, first_frame=0)
    if isinstance(first, dict) and 'image_id' in first:
        return _parse_coco_results(content, path)
    if content != []:
        raise shape_error(path, 'poses of the VPD release, mmpose, COCO, AlphaPose or OpenPose', content)
    return iter(())


def parse_frame_files(files: Sequence[tuple[int, Path]], counts: Counter[str]) -> People:
    """Read (frame, file) of one video: OpenPose's ``{people: [...]}``, or a list of mmpose's instances.

    Files that are no JSON, as of a program that was ended, are left out and counted; UserError if most are.
    """
    frames: set[int] = set()
    broken: list[UserError] = []
    for frame, path in files:
        frame_number(frame, path, None, frames)
        try:
            content = read_json(path)
        except UserError as e:
            broken.append(e)
            continue
        yield frame, list((_openpose_people if _is_openpose(content) else _instances)(content, str(path)))
    if len(broken) > len(files) / 2:
        raise broken[0]
    if broken:
        counts['files of a frame that are damaged, left out'] += len(broken)


def last_digits(name: str) -> int | None:
    """'clip_000012.jpg' -> 12; None where the stem does not end in digits."""
    match = re.search(r'([0-9]{1,15})$', Path(name).stem[-15:])
    return int(match.group(1)) if match else None


def person_of(joints: np.ndarray, where: str, box: np.ndarray | None = None, score: float | None = None) -> Person:
    """Return the person with joints (K, 3) of any known joint set; the score is by default that of the joints."""
    name, rows = find_joint_set(len(joints), where)
    joints = joints[list(rows)]
    score = float(np.nan_to_num(joints[:, 2]).mean()) if score is None else score
    return Person(joints, np.full(4, np.nan) if box is None else box, score, name)


def _parse_release(entries: list, path: Path) -> People:
    form = '[[score, [x, y, w, h], keypoints], ...]'
    for where, frame, people in frame_entries(entries, path, form, None):
        yield (
            frame,
            [
                person_of(_rows(joints, where, 'a joint [x, y, score]', 3), where, box, score)
                for score, box, joints in scored_people(people, where, 'keypoints')
            ],
        )


def _parse_mmpose(entries: Any, path: Path, first_frame: int) -> People:
    frames: set[int] = set()
    for where, entry in entries_of(entries, path, '{frame_id, instances}'):
        frame_id, instances = fields_of(entry, where, ['frame_id', 'instances'])
        frame = frame_number(frame_number(frame_id, where, None) - first_frame, where, None, frames)
        yield frame, list(_instances(instances, f'{where} (frame {frame})'))


def _instances(instances: Any, where: str) -> Iterator[Person]:
    if not isinstance(instances, list) or not all(isinstance(x, dict) and 'keypoints' in x for x in instances):
        raise shape_error(where, 'people of OpenPose, or instances, each with keypoints and keypoint_scores', instances)
    for instance in instances:
        points = _rows(instance['keypoints'], where, 'a keypoint [x, y]', 2)
        scores = measurements(instance.get('keypoint_scores'), where, f'{len(points)} keypoint_scores', len(points))
        box = instance.get('bbox')
        if isinstance(box, list) and len(box) == 1:  # mmpose 1.x wraps the box into a tuple
            box = box[0]
        box = None if box is None else measurements(box, where, 'a bbox [x1, y1, x2, y2]', 4)
        score = instance.get('bbox_score')
        if score is not None:
            score = float(measurements(score if isinstance(score, list) else [score], where, 'a bbox_score', 1)[0])
        yield person_of(np.column_stack([points, scores]), where, box, score)


def _is_openpose(content: Any) -> bool:
    return isinstance(content, dict) and not _PEOPLE_FIELDS.keys().isdisjoint(content)


def _openpose_people(content: dict, where: str) -> Iterator[Person]:
    field = next(name for name in _PEOPLE_FIELDS if name in content)
    for entry_where, entry in entries_of(content[field], where, 'people of OpenPose', 'person'):
        (values,) = fields_of(entry, entry_where, [_PEOPLE_FIELDS[field]])
        yield person_of(_flat(values, entry_where), entry_where)


def _parse_images(content: dict, path: Path) -> People:
    frames: set[int] = set()
    for name, people in content.items():
        where = f'{path}: {name}'
        frame = frame_number(last_digits(name), where, None, frames)
        yield frame, list(_openpose_people(people, where))


def _parse_coco_results(entries: list, path: Path) -> People:
    for where, entry in entries_of(entries, path, '{image_id, keypoints}'):
        image, keypoints = fields_of(entry, where, _IMAGE_FIELDS)
        frame = frame_number(last_digits(image) if isinstance(image, str) else image, where, None)
        yield frame, [_coco_person(entry, _flat(keypoints, where), where)]


def _parse_coco_annotations(content: dict, path: Path) -> People:
    images, annotations = fields_of(content, path, ['images', 'annotations'])
    frames: dict[int | str, int] = {}
    numbers_seen: set[int] = set()
    for where, image in entries_of(images, path, '{id, file_name}', 'image'):
        (image_id,) = fields_of(image, where, ['id'])
        file_name = image.get('file_name')
        digits = last_digits(file_name) if isinstance(file_name, str) else None
        number = next((image[f] for f in _FRAME_FIELDS if f in image), image_id if digits is None else digits)
        frames[_image_id(image_id, where)] = frame_number(number, where, None, numbers_seen)
    yield from ((frame, []) for frame in frames.values())
    for where, entry in entries_of(annotations, path, '{image_id, keypoints}', 'annotation'):
        image_id, keypoints = fields_of(entry, where, _IMAGE_FIELDS)
        if _image_id(image_id, where) not in frames:
            raise UserError(f'{where}: image_id {image_id!r} is not among the images')
        joints = _flat(keypoints, where)
        unknown = set(joints[:, 2].tolist()) - COCO_VISIBILITY.keys()
        if unknown:
            raise UserError(f'{where}: visibility must be 0, 1 or 2, found {sorted(unknown)[0]:g}')
        joints[:, 2] = [COCO_VISIBILITY[int(v)] for v in joints[:, 2]]
        if 'keypoint_scores' in entry:
            form = f'{len(joints)} keypoint_scores'
            joints[:, 2] = measurements(entry['keypoint_scores'], where, form, len(joints))
        yield frames[image_id], [_coco_person({'bbox': entry.get('bbox')}, joints, where)]


def _image_id(value: Any, where: str) -> int | str:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise shape_error(where, 'a number or name as id of the image', value)
    return value


def _coco_person(entry: dict, joints: np.ndarray, where: str) -> Person:
    box, score = entry.get('bbox', entry.get('box')), entry.get('score')
    return person_of(
        joints,
        where,
        None if box is None else xyxy(box, where),
        None if score is None else float(measurements([score], where, 'a score', 1)[0]),
    )


def _flat(values: Any, where: str) -> np.ndarray:
    """Return (K, 3) of 3 K numbers in a row."""
    if not isinstance(values, list) or len(values) % 3:
        raise shape_error(where, 'x, y, score of each joint in a row', values)
    return measurements(values, where, 'x, y, score of each joint in a row', len(values)).reshape(-1, 3)


def _rows(joints: Any, where: str, form: str, size: int) -> np.ndarray:
    """Return (K, size) of a list with a row for each joint."""
    if not isinstance(joints, list):
        raise shape_error(where, 'a list of joints', joints)
    return np.array([measurements(row, where, form, size) for row in joints]).reshape(-1, size)
