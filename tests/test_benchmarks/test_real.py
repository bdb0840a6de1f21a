"""The table of ``benchmark.py real``: errors by kind of frame, the filters of Sports2D, seeds and athletes left out."""

import numpy as np
import pytest

from benchmarks.real import compare
from benchmarks.real_methods import VideoPoses, hampel, interpolated, sports2d, student_flip_test, teacher, to_torsos
from benchmarks.real_students import run_names
from benchmarks.real_table import accelerations, evaluate, frame_groups, is_swapped, speeds, to_markdown
from vpd_mm.structures import FeatureSequence
from vpd_mm.teacher.joint_feature import FLIP_ORDER

#: An athlete whose torso is 100 px: hips at (0, 0) and (60, 0), shoulders 80 px above.
KEYPOINTS = np.zeros((17, 2))
KEYPOINTS[[5, 6, 11, 12]] = [[0, -80], [60, -80], [0, 0], [60, 0]]
KEYPOINTS[[7, 8, 9, 10, 13, 14, 15, 16]] = [
    *([-20, -40], [80, -40], [-20, 0], [80, 0]),
    *([0, 60], [60, 60], [0, 120], [60, 120]),
]
POSE = to_torsos(KEYPOINTS[None])[0]
#: Joints of both sides are this far apart, torsos, on average: arms 0.6, 1, 1; legs 0.6 each.
APART = (0.6 + 1 + 1 + 0.6 * 3) / 6


def video(num_frames=10, **changes):
    """An athlete who moves 5 px a frame, seen in every frame."""
    steps = np.arange(num_frames)[:, None, None] * [5.0, 0]
    fields = {'fps': 25.0, 'keypoints': KEYPOINTS + steps, 'scores': np.full((num_frames, 17), 0.8)}
    return VideoPoses(
        **fields
        | {'student': np.full((num_frames, 2, 26), np.nan), 'starts': np.zeros(1, int)}
        | {'trained': np.zeros(num_frames, bool)}
        | changes
    )


def test_joints_in_torsos_relative_to_the_hips():
    assert POSE[0].tolist() == [-0.3, -0.8]  # left shoulder
    assert POSE[11].tolist() == [0.3, 1.2]  # right ankle
    assert np.isnan(to_torsos(np.full((1, 17, 2), np.nan))).all()


def test_errors_of_a_method_by_group():
    truth = np.tile(POSE, (5, 1, 1))
    poses = truth.copy()
    poses[1, :6, 0] += 0.3  # six of twelve joints are off
    poses[3, 0, 1] += 0.12
    poses[4] = np.nan
    groups = {
        'all': np.ones(5, bool),
        'first': np.arange(5) < 4,
        'second': np.arange(5) == 1,
        'none': np.zeros(5, bool),
    }
    result = evaluate([poses[:2], poses[2:]], [truth[:2], truth[2:]], groups)
    assert result.frames.tolist() == [5, 4, 1, 0]
    assert result.error.tolist() == pytest.approx([np.nan, (0.15 + 0.01) / 4, 0.15, np.nan], nan_ok=True)
    assert result.pck.tolist() == pytest.approx([3.5 / 5, 3.5 / 4, 0.5, np.nan], nan_ok=True)
    # frames 0, 1 and 2, 3, 4 are two videos, in which no frame lies between two others with a pose
    assert result.acceleration.isna().all()
    result = evaluate([poses], [truth], groups)
    assert result.acceleration['second'] == pytest.approx(2 * 0.15)
    assert result.acceleration['all'] == pytest.approx((0.3 + (5 * 0.3 + np.hypot(0.3, 0.12)) / 12) / 2)


def test_speed_and_acceleration():
    poses = np.tile(POSE, (4, 1, 1)) + np.array([0, 0.1, 0.3, 0.6])[:, None, None] * [1, 0]
    assert speeds(poses).tolist() == pytest.approx([np.nan, 0.1, 0.2, 0.3], nan_ok=True)
    assert accelerations(poses)[:, 0, 0].tolist() == pytest.approx([np.nan, 0.1, 0.1, np.nan], nan_ok=True)


def test_swapped_arms_legs_or_both():
    swapped = POSE[np.array(FLIP_ORDER[1:]) - 1]
    arms = np.concatenate([swapped[:6], POSE[6:]])
    legs = np.concatenate([POSE[:6], swapped[6:]])
    assert is_swapped(np.stack([POSE, swapped, arms, legs]), np.tile(POSE, (4, 1, 1))).tolist() == [False, *[True] * 3]
    assert np.linalg.norm(swapped - POSE, axis=-1).mean() == pytest.approx(APART)


def test_groups_of_frames():
    truth = np.tile(POSE, (12, 1, 1)) + np.repeat([0, 0.2], [11, 1])[:, None, None]
    truth[0] = np.nan
    poses = truth.copy()
    poses[1] = np.nan
    poses[2] += 0.6
    poses[3] = poses[3][np.array(FLIP_ORDER[1:]) - 1]
    scores = np.array([0.9, 0, 0.4, 0.5, 0.7, 0.9, *[1] * 6])
    groups = frame_groups([poses], [scores], [truth])
    assert {name: np.flatnonzero(frames).tolist() for name, frames in groups.items()} == {
        'all frames': [*range(1, 12)],
        'teacher has a pose': [*range(2, 12)],
        'its confidence 0 to 0.5': [2],
        'its confidence 0.5 to 0.7': [3],
        'its confidence 0.7 to 0.9': [4],
        'its confidence 0.9 to 1': [*range(5, 12)],
        'teacher wrong by more than 0.5': [2, 3],
        'teacher swaps left and right': [3],
        'teacher has no pose': [1],
        'fastest 10%': [11],
    }


def test_interpolation_is_linear_in_pixels_and_reaches_the_ends():
    gap = video()
    gap.keypoints[[0, 4, 5]], gap.scores[[0, 4, 5]] = np.nan, 0
    gap.keypoints[3, 15, 0] += 30
    assert np.isnan(teacher(gap)[4]).all()
    filled = interpolated(gap)
    assert filled[0] == pytest.approx(POSE)
    assert filled[4] == pytest.approx(POSE + 0.2 * np.eye(12)[10][:, None] * [1, 0])  # two thirds of 30 px


def test_sports2d_drops_outliers_and_smooths():
    assert sports2d(video()) == pytest.approx(np.tile(POSE, (10, 1, 1)))
    noisy = video(40)
    noisy.keypoints[:] += np.random.default_rng(0).normal(0, 0.5, noisy.keypoints.shape)
    noisy.keypoints[20] = np.nan
    noisy.keypoints[30, 15] += 300
    error = np.linalg.norm(sports2d(noisy) - POSE, axis=-1)
    assert error.max() < 0.05
    series = np.array([0, 1, 2, 90, 4, 5, 6.0])
    assert hampel(series, 1).tolist() == [0, 1, 2, 4, 4, 5, 6]
    assert hampel(series[:2], 1).tolist() == [0, 1]


def test_flip_test_is_the_mean_of_both_views():
    joints = np.concatenate([np.zeros((1, 2)), POSE / 2])
    mirrored = joints[list(FLIP_ORDER)] * [-1, 1]
    views = np.stack([joints + [0.1, 0], mirrored + [0.1, 0]]).reshape(1, 2, 26)
    assert student_flip_test(video(1, student=views))[0] == pytest.approx(POSE)


def test_table_of_seeds_and_of_athletes_left_out():
    known = {'kv01_PKFC': video(), 'mu02_PKLP': video()}
    known['mu02_PKLP'].keypoints[5], known['mu02_PKLP'].scores[5] = np.nan, 0
    truth = np.tile(POSE, (10, 1, 1))
    joints = np.concatenate([np.zeros((1, 2)), POSE / 2]).reshape(26)

    def predicted(shift):
        """A student whose joints are off by ``shift`` torsos, without the first frame."""
        views = np.stack([joints + np.tile([shift / 2, 0], 13), joints], axis=0)
        return FeatureSequence(np.arange(1, 10), np.tile(views, (9, 1, 1)).astype(np.float32), np.ones(9, np.float32))

    runs = {
        name: dict.fromkeys(known, predicted(0.1 + 0.2 * seed)) for name, (_, seed) in run_names([], [0, 1]).items()
    }
    for athlete, name in (('PKFC', 'kv01_PKFC'), ('PKLP', 'mu02_PKLP')):
        runs |= {f'without-{athlete}_seed{seed}': {name: predicted(0.5)} for seed in (0, 1)}
    truths = {name: truth.copy() for name in known}
    for t in truths.values():
        t[0] = np.nan
    result = compare({name: (known[name], truths[name]) for name in known}, runs, True, [0, 1])
    values = result[result.metric == 'error'].set_index(['method', 'group'])
    assert values.loc[('student', 'all frames'), ['frames', 'mean', 'sd']].tolist() == pytest.approx(
        [18, 0.2, 0.2 / 2**0.5]
    )
    assert values.loc[('student, new athlete', 'all frames'), 'mean'] == pytest.approx(0.5)
    assert values.loc[('teacher, interpolated', 'teacher has no pose'), ['frames', 'mean', 'seeds']].tolist() == (
        pytest.approx([1, 0, 1], abs=1e-9)
    )
    lines = to_markdown(result, 'error').splitlines()
    assert lines[0].startswith('| frames | n | teacher | teacher, interpolated | teacher, Sports2D filters | student |')
    assert lines[2].startswith('| all frames | 18 | - | 0.000 | 0.000 | 0.200 ± 0.141 |')
