#!/usr/bin/env python3
"""Make the score table of a teacher (SoftmaxHeatmap) from the val pictures of the generic domain."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.errors import UserError

#: Fewer say little of how often joints are right.
LEAST_JOINTS = 100


def calibrate(config: str, checkpoint: str, data: Path) -> list[tuple[float, float]]:
    """Rows (raw score, share of such joints that are right); a table that the config holds already is not used.

    Args:
        config: Of a teacher whose head has a ``SoftmaxHeatmap``.
        checkpoint: Its weights.
        data: Folder of ``tools/demo.py make-generic``; its training pictures are left alone.

    Raises:
        UserError: the model has no such codec, or ``data`` no pictures.
    """
    from benchmarks.teacher_metrics import joint_hits
    from vpd_mm.teacher.joint_feature import VPD_JOINTS
    from vpd_mm.teacher.pose_teacher import PoseTeacher
    from vpd_mm.teacher.softmax_heatmap import SoftmaxHeatmap, fit_score_table

    path = data / 'annotations' / 'person_val.json'
    if not path.is_file():
        raise UserError(f'{path}: no such file; make it with tools/demo.py make-generic --out {data}')
    teacher = PoseTeacher(config, checkpoint)
    if not isinstance(teacher.model.head.decoder, SoftmaxHeatmap):
        raise UserError(f'{config}: the codec must be SoftmaxHeatmap to hold a score table')
    teacher.model.head.decoder.score_table = np.zeros((0, 2))
    coco = json.loads(path.read_text(encoding='utf-8'))
    files = {image['id']: image['file_name'] for image in coco['images']}
    peaks, right = [], []
    for person in coco['annotations']:
        if person['iscrowd']:
            continue
        image = cv2.cvtColor(cv2.imread(str(data / 'images' / files[person['image_id']])), cv2.COLOR_BGR2RGB)
        points = np.array(person['keypoints'], float).reshape(1, 17, 3)
        x, y, w, h = person['bbox']
        found, scores = teacher.infer([image], np.array([[x, y, x + w, y + h]]))
        seen = points[0, VPD_JOINTS, 2] > 0
        right.append(joint_hits(found, points[..., :2])[0, seen])
        peaks.append(scores[0, VPD_JOINTS][seen])
    joints = sum(map(len, peaks))
    if joints < LEAST_JOINTS:
        raise UserError(f'{path}: {joints} joints are too few for a table; make more pictures (--val)')
    return fit_score_table(np.concatenate(peaks), np.concatenate(right))


def main(argv: Sequence[str] | None = None) -> None:
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='of the teacher')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--data', type=Path, default=Path('data/generic'), help='folder of make-generic')
    args = parser.parse_args(argv)
    print(f'score_table={calibrate(args.config, args.checkpoint, args.data)}')


if __name__ == '__main__':
    run_tool(main)
