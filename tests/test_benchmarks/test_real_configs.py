"""The table of ``benchmark.py real-configs``: students of several configs, new athletes, seeds together."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from benchmarks.real_configs import compare, mean_student, to_rows
from benchmarks.real_methods import VideoPoses
from vpd_mm.teacher.joint_feature import FLIP_ORDER

from .test_real import POSE, video

JOINTS = np.concatenate([np.zeros((1, 2)), POSE / 2]).reshape(26)


def with_shift(poses: VideoPoses, shift: float) -> VideoPoses:
    """A student whose joints are off by ``shift`` torsos in the original view, and right in the flipped one."""
    flipped = (JOINTS.reshape(13, 2)[list(FLIP_ORDER)] * [-1, 1]).reshape(26)
    views = np.stack([JOINTS + np.tile([shift / 2, 0], 13), flipped])
    return replace(poses, student=views + default_rng(0).normal(0, 0.001, (len(poses.scores), 2, 26)))


def test_columns_are_groups_of_athletes_and_rows_are_configs():
    known = {name: video() for name in ('kv01_PKFC', 'mu02_PKLP', 'pu02_PKLT', 'sv03_PKMT')}
    truths = {name: np.tile(POSE, (10, 1, 1)) for name in known}
    for poses in known.values():
        poses.keypoints[:] += default_rng(1).normal(0, 0.5, poses.keypoints.shape)
    known['mu02_PKLP'].keypoints[5], known['mu02_PKLP'].scores[5] = np.nan, 0
    own = {'kv01_PKFC': 0.4, 'mu02_PKLP': 0.1, 'pu02_PKLT': 0.2, 'sv03_PKMT': 0.2}
    students = {
        'a': [[with_shift(poses, sign * own[name]) for name, poses in known.items()] for sign in (1, -1)],
        'b': [[with_shift(poses, 0.0) for poses in known.values()]],
    }
    result = compare(students, truths, ['PKLT-PKMT', 'PKFC'])
    values = result[result.metric == 'error'].set_index(['method', 'group'])
    assert values.loc[('a', 'PKFC: all'), ['frames', 'mean', 'seeds']].tolist() == pytest.approx([10, 0.4, 2], abs=0.01)
    assert values.loc[('a, flip test', 'PKLT-PKMT: all'), ['frames', 'mean']].tolist() == pytest.approx(
        [20, 0.1], abs=0.01
    )
    assert values.loc[('a', 'seen: absent'), ['frames', 'mean']].tolist() == pytest.approx([1, 0.1], abs=0.01)
    assert values.loc[('a, flip test, 2 seeds together', 'PKFC: all'), 'mean'] == pytest.approx(0, abs=0.01)
    assert values.loc[('b, repaired', 'PKFC: all'), 'mean'] < 0.02
    assert ('b, flip test, 2 seeds together', 'PKFC: all') not in values.index
    lines = to_rows(result).splitlines()
    assert lines[0].startswith('| poses | PKLT-PKMT: all (20) | PKLT-PKMT: present (20) | PKLT-PKMT: wrong (0) |')
    assert re.match(r'\| a \| 0\.\d{3} ± 0\.\d{3} \| 0\.\d{3} ± 0\.\d{3} \| - \| - \| 0\.', lines[5])


def test_mean_of_students():
    a, b = (with_shift(video(3), shift) for shift in (0.1, 0.3))
    assert mean_student([a, b]).student == pytest.approx(with_shift(video(3), 0.2).student)
