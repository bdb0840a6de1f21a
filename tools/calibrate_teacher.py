#!/usr/bin/env python3
"""Fit the score table of a teacher (SoftmaxHeatmap) on the validation images of the generic domain.

python tools/calibrate_teacher.py CONFIG CHECKPOINT --data data/generic
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.errors import UserError, errors_name
from vpd_mm.files import check_video_name, read_json
from vpd_mm.importers.json_io import entries_of, fields_of, frame_number, numbers, shape_error, xyxy

#: Least number of joints for a reliable table.
MIN_JOINTS = 100


def calibrate(config: str, checkpoint: str, data: Path) -> list[tuple[float, float]]:
    """Return rows (raw score, share of correct joints); a table in the config is ignored.

    Args:
        config: Config of a teacher whose head has a ``SoftmaxHeatmap``.
        checkpoint: Its weights.
        data: Output folder of ``tools/make_synthetic.py generic``; only its validation images are used.

    Raises:
        UserError: the model has another codec, or ``data`` has no or too few images.
    """
    from benchmarks.teacher_metrics import joint_hits
    from vpd_mm.corpus.image_file import read_image
    from vpd_mm.teacher.joint_feature import VPD_JOINTS
    from vpd_mm.teacher.pose_teacher import PoseTeacher
    from vpd_mm.teacher.softmax_heatmap import SoftmaxHeatmap, fit_score_table

    path = data / 'annotations' / 'person_val.json'
    people = list(read_people(path))
    teacher = PoseTeacher(config, checkpoint)
    if not isinstance(teacher.model.head.decoder, SoftmaxHeatmap):
        raise UserError(f'{config}: the codec must be SoftmaxHeatmap to hold a score table')
    teacher.model.head.decoder.score_table = np.zeros((0, 2))
    raw, correct = [], []
    for name, ground_truth, box in people:
        keypoints, scores = teacher.infer([read_image(data / 'images' / name)], box)
        labeled = ground_truth[0, VPD_JOINTS, 2] > 0
        correct.append(joint_hits(keypoints, ground_truth[..., :2])[0, labeled])
        raw.append(scores[0, VPD_JOINTS][labeled])
    num_joints = sum(map(len, raw))
    if num_joints < MIN_JOINTS:
        raise UserError(f'{path}: {num_joints} joints are too few for a table; make more images (--val)')
    return fit_score_table(np.concatenate(raw), np.concatenate(correct))


def read_people(path: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (file name, keypoints (1, 17, 3), xyxy box (1, 4)) of the annotations that are no crowd.

    Raises:
        UserError: the file is missing, or an entry is invalid.
    """
    coco = read_json(path, 'make it with tools/make_synthetic.py generic')
    images, annotations = fields_of(coco, path, ['images', 'annotations'])
    files = {}
    for where, image in entries_of(images, path, '{id, file_name}', 'image'):
        image_id, name = fields_of(image, where, ['id', 'file_name'])
        if not isinstance(name, str):
            raise shape_error(where, 'a text as file_name', name)
        with errors_name(where):
            files[frame_number(image_id, where, None)] = check_video_name(name)
    for where, person in entries_of(annotations, path, '{image_id, iscrowd, keypoints, bbox}', 'annotation'):
        image_id, crowd, joints, box = fields_of(person, where, ['image_id', 'iscrowd', 'keypoints', 'bbox'])
        name = files.get(frame_number(image_id, where, None))
        if name is None:
            raise UserError(f'{where}: image_id {image_id} is not among the images')
        if not crowd:
            yield name, numbers(joints, where, '51 keypoints', 51).reshape(1, 17, 3), xyxy(box, where)[None]


def main(argv: Sequence[str] | None = None) -> None:
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='config of the teacher')
    parser.add_argument('checkpoint', help='weights of the teacher')
    parser.add_argument('--data', type=Path, default=Path('data/generic'), help='output folder of make-generic')
    args = parser.parse_args(argv)
    print(f'score_table={calibrate(args.config, args.checkpoint, args.data)}')


if __name__ == '__main__':
    run_tool(main)
