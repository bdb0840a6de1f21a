"""The table of ``benchmark.py repair``: errors by the teacher's score, and joints of frames without a pose."""

import numpy as np
import pytest

from benchmarks.repair import frame_table, joints_of, to_markdown
from vpd_mm.structures import PoseSequence


def test_errors_by_score():
    truth = np.zeros((3, 13, 2))
    teacher = truth + np.array([0.1, 0.5, np.nan])[:, None, None] * [1, 0]
    table = frame_table(
        truth, {'teacher': teacher, 'student': truth + [0.2, 0], 'repaired': truth}, np.array([0.9, 0.4, np.nan])
    )
    assert table.teacher.tolist() == pytest.approx([0.2, 1.0, np.nan], nan_ok=True)
    lines = to_markdown(table).splitlines()
    assert lines[2:] == [
        '| teacher has a pose | 2 | 0.600 | 0.400 | 0.000 |',
        "| teacher's score >= 0.5 | 1 | 0.200 | 0.400 | 0.000 |",
        "| teacher's score < 0.5 | 1 | 1.000 | 0.400 | 0.000 |",
        '| teacher has no pose | 1 | - | 0.400 | 0.000 |',
    ]


def test_joints_of_frames():
    keypoints = np.random.default_rng(0).uniform(0, 99, (2, 17, 2)).astype(np.float32)
    joints = joints_of(PoseSequence(np.array([3, 5]), keypoints, np.ones((2, 17), np.float32)), np.array([3, 4, 5]))
    assert np.isfinite(joints).all(axis=(1, 2)).tolist() == [True, False, True]
