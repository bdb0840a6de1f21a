"""People a frame from OpenPose's JSON: one file a frame, ``<video>_000000000012_keypoints.json``."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import UserError
from .json_io import frame_number, numbers, read_json, shape_error
from .pose_choice import Person

#: Joint count to the rows that make COCO-17 (nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left
#: before right).
TO_COCO_17 = {
    25: (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),  # BODY_25
    18: (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),  # COCO-18, with a neck
}
FILE_NAME = re.compile(r'^(?P<video>.+)_(?P<frame>\d{12})_keypoints\.json$')


def parse_openpose(files: Iterable[Path], num_frames: int | None) -> dict[int, list[Person]]:
    """Read OpenPose's files of one video; the frame is the number in the name.

    Raises:
        UserError: a file is off, has an unknown joint count, or coordinates
            scaled to 0..1 (``--keypoint_scale``), which are not pixels.
    """
    people: dict[int, list[Person]] = {}
    largest = 0.0
    path = None
    for path in sorted(files):
        match = FILE_NAME.match(path.name)
        if match is None:
            raise UserError(f'{path}: the name must end in _<12 digits>_keypoints.json')
        frame = frame_number(int(match['frame']), str(path), num_frames)
        if frame in people:
            raise UserError(f'{path}: frame {frame} stands there twice; keep one file a frame')
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get('people'), list):
            raise shape_error(str(path), 'OpenPose output {people: [...]}', content)
        people[frame] = [_person(entry, f'{path}: person {i}') for i, entry in enumerate(content['people'])]
        largest = max([largest, *(float(np.abs(p.keypoints).max()) for p in people[frame])])
    if path is not None and 0 < largest <= 1:
        raise UserError(f'{path.parent}: OpenPose coordinates are scaled to 0..1; run it with --keypoint_scale 0')
    return people


def _person(entry: object, where: str) -> Person:
    values = entry.get('pose_keypoints_2d') if isinstance(entry, dict) else None
    count = len(values) if isinstance(values, list) else 0
    if not isinstance(values, list) or count % 3 or count // 3 not in TO_COCO_17:
        raise UserError(f'{where}: pose_keypoints_2d must hold 25 (BODY_25) or 18 (COCO) x, y, score; found {count}')
    joints = numbers(values, where, 'pose_keypoints_2d', count).reshape(-1, 3)[list(TO_COCO_17[count // 3])]
    return Person(joints[:, :2], joints[:, 2], None, float(joints[:, 2].mean()))
