#!/usr/bin/env python3
"""Fit the score table of a teacher (SoftmaxHeatmap) on the validation images of the generic domain.

python tools/calibrate_teacher.py CONFIG CHECKPOINT --data data/generic
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.errors import UserError
from vpd_mm.files import read_json

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
    from vpd_mm.infer.frame_source import read_image
    from vpd_mm.teacher.joint_feature import VPD_JOINTS
    from vpd_mm.teacher.pose_teacher import PoseTeacher
    from vpd_mm.teacher.softmax_heatmap import SoftmaxHeatmap, fit_score_table

    path = data / 'annotations' / 'person_val.json'
    coco = read_json(path, f'make it with tools/make_synthetic.py generic --out {data}')
    teacher = PoseTeacher(config, checkpoint)
    if not isinstance(teacher.model.head.decoder, SoftmaxHeatmap):
        raise UserError(f'{config}: the codec must be SoftmaxHeatmap to hold a score table')
    teacher.model.head.decoder.score_table = np.zeros((0, 2))
    files = {image['id']: image['file_name'] for image in coco['images']}
    raw, correct = [], []
    for person in coco['annotations']:
        if person['iscrowd']:
            continue
        image = read_image(data / 'images' / files[person['image_id']])
        ground_truth = np.array(person['keypoints'], float).reshape(1, 17, 3)
        x, y, w, h = person['bbox']
        keypoints, scores = teacher.infer([image], np.array([[x, y, x + w, y + h]]))
        labeled = ground_truth[0, VPD_JOINTS, 2] > 0
        correct.append(joint_hits(keypoints, ground_truth[..., :2])[0, labeled])
        raw.append(scores[0, VPD_JOINTS][labeled])
    num_joints = sum(map(len, raw))
    if num_joints < MIN_JOINTS:
        raise UserError(f'{path}: {num_joints} joints are too few for a table; make more images (--val)')
    return fit_score_table(np.concatenate(raw), np.concatenate(correct))


def main(argv: Sequence[str] | None = None) -> None:
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='config of the teacher')
    parser.add_argument('checkpoint', help='weights of the teacher')
    parser.add_argument('--data', type=Path, default=Path('data/generic'), help='output folder of make-generic')
    args = parser.parse_args(argv)
    print(f'score_table={calibrate(args.config, args.checkpoint, args.data)}')


if __name__ == '__main__':
    run_tool(main)
