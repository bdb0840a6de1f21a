"""People per frame from the JSON of pose estimators: VPD release, mmpose, COCO, OpenPose.

Every parser returns ``{frame: [Person, ...]}``, frames from 0.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .json_io import frame_number, numbers, read_json, shape_error, xyxy

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
OPENPOSE_NAME = re.compile(r'^(?P<video>.+)_(?P<frame>\d{12})_keypoints\.json$')
_FRAME_FIELDS = ('frame_id', 'frame_num', 'frame_number', 'frame_index')


@dataclass(frozen=True, eq=False)
class Person:
    """One detected person.

    Args:
        keypoints: (17, 2) float64 in pixels, COCO order.
        scores: (17,) float64.
        box: (4,) xyxy, or None where the source has none.
        score: Of the person.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    box: np.ndarray | None
    score: float

    @classmethod
    def from_joints(cls, joints: np.ndarray, box: np.ndarray | None = None, score: float | None = None) -> 'Person':
        """Make a person of joints (17, 3) x, y, score; its score is their mean by default."""
        return cls(joints[:, :2], joints[:, 2], box, float(joints[:, 2].mean()) if score is None else score)

    def extent(self) -> np.ndarray:
        """Return xyxy: the box, or the extent of the detected joints."""
        if self.box is not None:
            return self.box
        detected = self.keypoints[self.scores > 0]
        return np.concatenate([detected.min(axis=0), detected.max(axis=0)]) if len(detected) else np.zeros(4)


class People(dict[int, list[Person]]):
    """Frame number to the people of the frame.

    Args:
        num_frames: Frames of the video, None = unknown; no frame may lie past its end.
    """

    def __init__(self, num_frames: int | None) -> None:
        self.num_frames = num_frames

    def new_frame(self, value: Any, where: str) -> int:
        """Add an empty frame and return its number.

        Raises:
            UserError: no frame number, past the end, or a duplicate.
        """
        frame = frame_number(value, where, self.num_frames)
        if frame in self:
            raise UserError(f'{where}: frame {frame} occurs twice; keep one entry a frame')
        self[frame] = []
        return frame


def parse_pose_json(content: Any, path: Path, num_frames: int | None) -> People:
    """Detect the format of one file of a whole video and read it.

    - VPD release: ``[[frame, [[score, [x, y, w, h], [[x, y, score] x 17]], ...]], ...]``
    - mmpose inferencer: ``[{frame_id, instances}, ...]``, ``frame_id`` from 0
    - mmpose demo: ``{meta_info, instance_info: [{frame_id, instances}, ...]}``, whose ``frame_id`` counts from 1
    - COCO results: ``[{image_id, keypoints: 51 numbers, score, bbox?}, ...]``; the frame is ``image_id``, or the last
      digits of it where it is a name
    - COCO annotations: ``{images, annotations}``; the frame is the image's ``frame_id``, else the last digits of its
      ``file_name``, else its ``id``

    Raises:
        UserError: no known format, or an invalid entry.
    """
    people = People(num_frames)
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(content, dict) and 'instance_info' in content:
        _parse_mmpose(content['instance_info'], people, path, first_frame=1)
    elif isinstance(content, dict) and 'annotations' in content:
        _parse_coco_annotations(content, people, path)
    elif isinstance(first, list):
        _parse_release(content, people, path)
    elif isinstance(first, dict) and 'instances' in first:
        _parse_mmpose(content, people, path, first_frame=0)
    elif isinstance(first, dict) and 'image_id' in first:
        _parse_coco_results(content, people, path)
    elif content != []:
        raise shape_error(str(path), 'poses of the VPD release, mmpose, or COCO', content)
    return people


def parse_mmpose_images(files: Iterable[Path], num_frames: int | None) -> People:
    """Read the inferencer's output for a folder of frames: a list of instances a file, the frame in its name."""
    people = People(num_frames)
    for path in files:
        frame = people.new_frame(last_digits(path.name), str(path))
        people[frame] = _instances(read_json(path), str(path))
    return people


def parse_openpose(files: Iterable[Path], num_frames: int | None) -> People:
    """Read OpenPose's files of one video, ``<video>_<frame, 12 digits>_keypoints.json``.

    Raises:
        UserError: a file is invalid, has an unknown joint count, or coordinates scaled to 0..1
            (``--keypoint_scale``), which are not pixels.
    """
    people = People(num_frames)
    largest = 0.0
    path = Path()
    for path in sorted(files):
        match = OPENPOSE_NAME.match(path.name)
        if match is None:
            raise UserError(f'{path}: the name must end in _<12 digits>_keypoints.json')
        frame = people.new_frame(int(match['frame']), str(path))
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get('people'), list):
            raise shape_error(str(path), 'OpenPose output {people: [...]}', content)
        people[frame] = [_openpose_person(entry, f'{path}: person {i}') for i, entry in enumerate(content['people'])]
        largest = max([largest, *(float(np.abs(person.keypoints).max()) for person in people[frame])])
    if 0 < largest <= 1:
        raise UserError(f'{path.parent}: OpenPose coordinates are scaled to 0..1; run it with --keypoint_scale 0')
    return people


def last_digits(name: str) -> int | None:
    """'clip_000012.jpg' -> 12; None where the stem does not end in digits."""
    match = re.search(r'(\d{1,15})$', Path(name).stem)
    return int(match.group(1)) if match else None


def _openpose_person(entry: Any, where: str) -> Person:
    values = entry.get('pose_keypoints_2d') if isinstance(entry, dict) else None
    count = len(values) if isinstance(values, list) else 0
    if count % 3 or count // 3 not in TO_COCO_17:
        raise UserError(f'{where}: pose_keypoints_2d must hold 25 (BODY_25) or 18 (COCO) x, y, score; found {count}')
    joints = numbers(values, where, 'pose_keypoints_2d', count).reshape(-1, 3)
    return Person.from_joints(joints[list(TO_COCO_17[count // 3])])


def _parse_release(entries: list, people: People, path: Path) -> None:
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
            raise shape_error(where, '[frame, [[score, [x, y, w, h], keypoints], ...]]', entry)
        frame = people.new_frame(entry[0], where)
        in_frame = f'{where} (frame {frame})'
        for person in entry[1]:
            if not isinstance(person, list) or len(person) != 3 or not isinstance(person[2], list):
                raise shape_error(where, '[score, [x, y, w, h], keypoints]', person)
            rows = [numbers(j, in_frame, 'a joint [x, y, score]', 3) for j in _joints(person[2], in_frame)]
            score = _score(person[0], in_frame)
            people[frame].append(Person.from_joints(np.stack(rows), xyxy(person[1], in_frame), score))


def _parse_mmpose(entries: Any, people: People, path: Path, first_frame: int) -> None:
    if not isinstance(entries, list):
        raise shape_error(str(path), 'a list of {frame_id, instances}', entries)
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        _check_fields(entry, ('frame_id', 'instances'), where)
        if not isinstance(entry['frame_id'], (int, float)):
            raise shape_error(f'{where}: frame_id', 'a number', entry['frame_id'])
        frame = people.new_frame(entry['frame_id'] - first_frame, where)
        people[frame] = _instances(entry['instances'], f'{where} (frame {frame})')


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
        score = numbers(np.ravel(instance.get('bbox_score', scores.mean())), where, 'a bbox_score', 1)
        people.append(Person(np.stack(points), scores, box, float(score[0])))
    return people


def _parse_coco_results(entries: list, people: People, path: Path) -> None:
    for i, entry in enumerate(entries):
        where = f'{path}: entry {i}'
        _check_fields(entry, ('image_id', 'keypoints'), where)
        image = entry['image_id']
        frame = frame_number(last_digits(image) if isinstance(image, str) else image, where, people.num_frames)
        score = None if 'score' not in entry else _score(entry['score'], where)
        person = Person.from_joints(_flat_joints(entry['keypoints'], where), _coco_box(entry, where), score)
        people.setdefault(frame, []).append(person)


def _parse_coco_annotations(content: dict, people: People, path: Path) -> None:
    images, annotations = content.get('images'), content['annotations']
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise shape_error(str(path), 'lists images and annotations', images)
    frames: dict[Any, int] = {}
    for i, image in enumerate(images):
        where = f'{path}: image {i}'
        if not isinstance(image, dict) or not isinstance(image.get('id'), (int, str)):
            raise shape_error(where, '{id, file_name}', image)
        digits = last_digits(str(image.get('file_name', '')))
        number = next((image[f] for f in _FRAME_FIELDS if f in image), image['id'] if digits is None else digits)
        frames[image['id']] = people.new_frame(number, where)
    for i, entry in enumerate(annotations):
        where = f'{path}: annotation {i}'
        _check_fields(entry, ('image_id', 'keypoints'), where)
        if not isinstance(entry['image_id'], (int, str)) or entry['image_id'] not in frames:
            raise UserError(f'{where}: image_id {entry["image_id"]!r} is not among the images')
        joints = _flat_joints(entry['keypoints'], where)
        unknown = set(joints[:, 2].tolist()) - COCO_VISIBILITY.keys()
        if unknown:
            raise UserError(f'{where}: visibility must be 0, 1 or 2, found {sorted(unknown)[0]:g}')
        joints[:, 2] = [COCO_VISIBILITY[int(v)] for v in joints[:, 2]]
        people[frames[entry['image_id']]].append(Person.from_joints(joints, _coco_box(entry, where)))


def _check_fields(entry: Any, fields: tuple[str, ...], where: str) -> None:
    if not isinstance(entry, dict) or not set(fields) <= entry.keys():
        raise shape_error(where, f'{{{", ".join(fields)}}}', entry)


def _joints(joints: Any, where: str) -> list:
    if not isinstance(joints, list) or len(joints) not in COCO_FIRST:
        count = len(joints) if isinstance(joints, list) else repr(joints)[:40]
        raise UserError(f'{where}: needs 17 COCO joints (or {COCO_FIRST[1]}, {COCO_FIRST[2]}), found {count}')
    return joints[:17]


def _flat_joints(values: Any, where: str) -> np.ndarray:
    count = len(values) if isinstance(values, list) else 0
    if count % 3 or count // 3 not in COCO_FIRST:
        raise UserError(f'{where}: keypoints must be 51 numbers (17 COCO joints x, y, score), found {count}')
    return numbers(values, where, 'keypoints', count).reshape(-1, 3)[:17]


def _coco_box(entry: dict, where: str) -> np.ndarray | None:
    return None if entry.get('bbox') is None else xyxy(entry['bbox'], where)


def _score(value: Any, where: str) -> float:
    return float(numbers([value], where, 'a score', 1)[0])
