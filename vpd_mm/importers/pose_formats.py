"""People per frame from the JSON of pose estimators: VPD release, mmpose, COCO, OpenPose.

Every parser yields (frame, Person), frames from 0; it raises UserError for an invalid entry.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from .json_io import (
    entries_of,
    fields_of,
    frame_entries,
    frame_number,
    numbers,
    read_json,
    scored_people,
    shape_error,
    xyxy,
)

#: Joint counts whose first 17 joints are COCO's: COCO, Halpe (body with feet), COCO-WholeBody.
COCO_FIRST = (17, 26, 133)
#: COCO visibility to score: 0 = not labelled, 1 = labelled, not visible, 2 = visible.
COCO_VISIBILITY = {0: 0.0, 1: 0.5, 2: 1.0}
#: OpenPose's joint count to the rows that make COCO-17 (nose, eyes, ears, shoulders, elbows, wrists, hips, knees,
#: ankles; left before right).
TO_COCO_17 = {
    25: (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),  # BODY_25
    18: (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),  # COCO-18, with a neck
}
OPENPOSE_NAME = re.compile(r'^(?P<video>.+)_(?P<frame>[0-9]{12})_keypoints\.json$')
_FRAME_FIELDS = ('frame_id', 'frame_num', 'frame_number', 'frame_index')
_IMAGE_FIELDS = ('image_id', 'keypoints')


class Person(NamedTuple):
    """One detected person: COCO joints (17, 3) float64 x, y (px), score; box (4,) xyxy, if any; score."""

    joints: np.ndarray
    box: np.ndarray | None
    score: float

    def extent(self) -> np.ndarray:
        """Return xyxy: the box, or the extent of the detected joints."""
        if self.box is not None:
            return self.box
        detected = self.joints[self.joints[:, 2] > 0, :2]
        return np.concatenate([detected.min(axis=0), detected.max(axis=0)]) if len(detected) else np.zeros(4)


People = Iterator[tuple[int, Person]]


def parse_pose_json(content: Any, path: Path, num_frames: int | None) -> People:
    """Detect the format of one file of a whole video and read it.

    - VPD release: ``[[frame, [[score, [x, y, w, h], [[x, y, score] x 17]], ...]], ...]``
    - mmpose inferencer: ``[{frame_id, instances}, ...]``, ``frame_id`` from 0
    - mmpose demo: ``{meta_info, instance_info: [{frame_id, instances}, ...]}``, whose ``frame_id`` counts from 1
    - COCO results: ``[{image_id, keypoints: 51 numbers, score, bbox?}, ...]``; the frame is ``image_id``, or the last
      digits of it where it is a name
    - COCO annotations: ``{images, annotations}``; the frame is the image's ``frame_id``, else the last digits of its
      ``file_name``, else its ``id``
    """
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(content, dict) and 'instance_info' in content:
        return _parse_mmpose(content['instance_info'], path, num_frames, first_frame=1)
    if isinstance(content, dict) and 'annotations' in content:
        return _parse_coco_annotations(content, path, num_frames)
    if isinstance(first, list):
        return _parse_release(content, path, num_frames)
    if isinstance(first, dict) and 'instances' in first:
        return _parse_mmpose(content, path, num_frames, first_frame=0)
    if isinstance(first, dict) and 'image_id' in first:
        return _parse_coco_results(content, path, num_frames)
    if content != []:
        raise shape_error(path, 'poses of the VPD release, mmpose, or COCO', content)
    return iter(())


def parse_mmpose_images(files: Iterable[Path], num_frames: int | None) -> People:
    """Read the inferencer's output for a folder of frames: a list of instances a file, the frame in its name."""
    frames: set[int] = set()
    for path in files:
        frame = frame_number(last_digits(path.name), path, num_frames, frames)
        for person in _instances(read_json(path), str(path)):
            yield frame, person


def parse_openpose(files: Iterable[Path], num_frames: int | None) -> People:
    """Read OpenPose's files of one video, ``<video>_<frame, 12 digits>_keypoints.json``.

    Coordinates scaled to 0..1 (``--keypoint_scale``), which are not pixels, raise an error.
    """
    frames: set[int] = set()
    largest = 0.0
    path = Path()
    for path in files:
        frame = frame_number(int(path.name.removesuffix('_keypoints.json')[-12:]), path, num_frames, frames)
        (people,) = fields_of(read_json(path), path, ['people'])
        for where, entry in entries_of(people, path, 'people of OpenPose', 'person'):
            (values,) = fields_of(entry, where, ['pose_keypoints_2d'])
            form = 'pose_keypoints_2d must hold 25 (BODY_25) or 18 (COCO) x, y, score'
            joints = _flat_joints(values, where, TO_COCO_17, form)
            joints = joints[list(TO_COCO_17[len(joints)])]
            largest = max(largest, float(np.abs(joints[:, :2]).max()))
            yield frame, Person(joints, None, joints[:, 2].mean())
    if 0 < largest <= 1:
        raise UserError(f'{path.parent}: OpenPose coordinates are scaled to 0..1; run it with --keypoint_scale 0')


def last_digits(name: str) -> int | None:
    """'clip_000012.jpg' -> 12; None where the stem does not end in digits."""
    match = re.search(r'([0-9]{1,15})$', Path(name).stem[-15:])
    return int(match.group(1)) if match else None


def _parse_release(entries: list, path: Path, num_frames: int | None) -> People:
    form = '[[score, [x, y, w, h], keypoints], ...]'
    for where, frame, people in frame_entries(entries, path, form, num_frames):
        for score, box, joints in scored_people(people, where, 'keypoints'):
            yield frame, Person(_joint_rows(joints, where, 'a joint [x, y, score]', 3), box, score)


def _parse_mmpose(entries: Any, path: Path, num_frames: int | None, first_frame: int) -> People:
    frames: set[int] = set()
    for where, entry in entries_of(entries, path, '{frame_id, instances}'):
        frame_id, instances = fields_of(entry, where, ['frame_id', 'instances'])
        frame = frame_number(frame_number(frame_id, where, None) - first_frame, where, num_frames, frames)
        for person in _instances(instances, f'{where} (frame {frame})'):
            yield frame, person


def _instances(instances: Any, where: str) -> Iterator[Person]:
    if not isinstance(instances, list) or not all(isinstance(x, dict) and 'keypoints' in x for x in instances):
        raise shape_error(where, 'instances, each with keypoints and keypoint_scores', instances)
    for instance in instances:
        points = _joint_rows(instance['keypoints'], where, 'a keypoint [x, y]', 2)
        count = len(instance['keypoints'])
        scores = numbers(instance.get('keypoint_scores'), where, f'{count} keypoint_scores', count)[:17]
        box = instance.get('bbox')
        if isinstance(box, list) and len(box) == 1:  # mmpose 1.x wraps the box into a tuple
            box = box[0]
        box = None if box is None else numbers(box, where, 'a bbox [x1, y1, x2, y2]', 4)
        score = instance.get('bbox_score', scores.mean())
        score = numbers(score if isinstance(score, list) else [score], where, 'a bbox_score', 1)
        yield Person(np.column_stack([points, scores]), box, float(score[0]))


def _parse_coco_results(entries: list, path: Path, num_frames: int | None) -> People:
    for where, entry in entries_of(entries, path, '{image_id, keypoints}'):
        image, keypoints = fields_of(entry, where, _IMAGE_FIELDS)
        frame = frame_number(last_digits(image) if isinstance(image, str) else image, where, num_frames)
        yield frame, _coco_person(entry, _coco_joints(keypoints, where), where)


def _parse_coco_annotations(content: dict, path: Path, num_frames: int | None) -> People:
    images, annotations = fields_of(content, path, ['images', 'annotations'])
    frames: dict[int | str, int] = {}
    numbers_seen: set[int] = set()
    for where, image in entries_of(images, path, '{id, file_name}', 'image'):
        (image_id,) = fields_of(image, where, ['id'])
        file_name = image.get('file_name')
        digits = last_digits(file_name) if isinstance(file_name, str) else None
        number = next((image[f] for f in _FRAME_FIELDS if f in image), image_id if digits is None else digits)
        frames[_image_id(image_id, where)] = frame_number(number, where, num_frames, numbers_seen)
    for where, entry in entries_of(annotations, path, '{image_id, keypoints}', 'annotation'):
        image_id, keypoints = fields_of(entry, where, _IMAGE_FIELDS)
        if _image_id(image_id, where) not in frames:
            raise UserError(f'{where}: image_id {image_id!r} is not among the images')
        joints = _coco_joints(keypoints, where)
        unknown = set(joints[:, 2].tolist()) - COCO_VISIBILITY.keys()
        if unknown:
            raise UserError(f'{where}: visibility must be 0, 1 or 2, found {sorted(unknown)[0]:g}')
        joints[:, 2] = [COCO_VISIBILITY[int(v)] for v in joints[:, 2]]
        yield frames[image_id], _coco_person({'bbox': entry.get('bbox')}, joints, where)


def _image_id(value: Any, where: str) -> int | str:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise shape_error(where, 'a number or name as id of the image', value)
    return value


def _coco_person(entry: dict, joints: np.ndarray, where: str) -> Person:
    box = None if entry.get('bbox') is None else xyxy(entry['bbox'], where)
    score = numbers([entry.get('score', joints[:, 2].mean())], where, 'a score', 1)
    return Person(joints, box, float(score[0]))


def _coco_joints(values: Any, where: str) -> np.ndarray:
    return _flat_joints(values, where, COCO_FIRST, 'keypoints must be 51 numbers (17 COCO joints x, y, score)')[:17]


def _flat_joints(values: Any, where: str, counts: Iterable[int], form: str) -> np.ndarray:
    """Return (K, 3) of 3 K numbers in a row, K one of ``counts``."""
    size = len(values) if isinstance(values, list) else 0
    if size % 3 or size // 3 not in counts:
        raise UserError(f'{where}: {form}; found {size}')
    return numbers(values, where, form.split()[0], size).reshape(-1, 3)


def _joint_rows(joints: Any, where: str, form: str, size: int) -> np.ndarray:
    """Return (17, size): the COCO joints of a list with a row for each."""
    if not isinstance(joints, list) or len(joints) not in COCO_FIRST:
        raise shape_error(where, f'17 COCO joints (or {COCO_FIRST[1]}, {COCO_FIRST[2]})', joints)
    return np.stack([numbers(row, where, form, size) for row in joints[:17]])
