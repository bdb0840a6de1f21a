"""Repair of poses: smoother, noise levels of simulated poses, swaps, cuts, placement in the frame."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from vpd_mm.errors import UserError
from vpd_mm.repair import ORIGINS, RepairedPoses, calibrate, observe, place, repair, shots
from vpd_mm.repair.noise import MIN_FRAMES, MIN_TAIL, score_factors, tail_degrees
from vpd_mm.repair.placement import PlacementNoise, PlacementSeries, calibrate_placement
from vpd_mm.repair.pose_repair import take_rows, unswap
from vpd_mm.repair.repaired_poses import repaired_poses
from vpd_mm.repair.smoother import smooth
from vpd_mm.structures import VPD_JOINTS, PoseSequence
from vpd_mm.teacher import normalize_joints
from vpd_mm.teacher.joint_feature import FLIP_ORDER

POSE = normalize_joints(
    np.array([
        [0, -90], *([-15, -80], [15, -80], [-30, -50], [32, -50], [-35, -20], [36, -22]),
        *([-10, 0], [10, 0], [-14, 40], [16, 42], [-15, 80], [18, 81]),
    ], float)
)  # fmt: skip
TEACHER, STUDENT, MOTION, RHO, ACCELERATION = 0.02, 0.04, 0.01, 0.6, 4e-4


def simulated(num_frames=2000, seed=0, trained_share=0.5):
    """Observations with known noise, and the true joints; the student errs half as much where it was trained."""
    rng = np.random.default_rng(seed)
    shape = (num_frames, 13, 2)
    # in shots, so that the random walk stays near
    velocity = np.concatenate([rng.normal(0, ACCELERATION**0.5, (250, 13, 2)).cumsum(axis=0) for _ in range(8)])
    truth = (POSE + velocity.reshape(8, 250, 13, 2).cumsum(axis=1)).reshape(-1, 13, 2)[:num_frames]
    steps = np.where(np.arange(num_frames) % 250 == 0, np.inf, 1.0)
    trained = np.arange(num_frames) < trained_share * num_frames
    error = rng.normal(0, STUDENT, shape)
    for t in range(1, num_frames):
        error[t] = RHO * error[t - 1] + (1 - RHO**2) ** 0.5 * error[t]
    teacher = truth + rng.normal(0, TEACHER, shape)
    change = np.diff(truth, axis=0, prepend=truth[:1]) + rng.normal(0, MOTION, shape)
    student = truth + error * np.where(trained, 0.5, 1)[:, None, None]
    poses = observe(
        np.zeros((num_frames, 17, 2)), np.ones((num_frames, 17)), student, change, np.arange(num_frames),
        np.zeros(0, int), 25.0, trained,
    )  # fmt: skip
    poses.motion[np.isinf(steps)] = np.nan
    return replace(poses, steps=steps, teacher=teacher), truth


@pytest.fixture(scope='module')
def calibrated():
    poses, truth = simulated()
    return poses, truth, calibrate([poses])


def dense(z, r, u, m, steps, q, start):
    """Positions, variances and expected squared changes of one coordinate by one least-squares problem."""
    n = len(steps)
    predictions = []
    information, vector = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)

    def add(rows, value, variance):
        weight = np.linalg.inv(np.atleast_2d(variance))
        information[:] += rows.T @ weight @ rows
        vector[:] += rows.T @ weight @ np.atleast_1d(value)

    unit = np.eye(2 * n)
    for t in range(n):
        dt, own = steps[t], unit[2 * t : 2 * t + 2]
        if np.isinf(dt):
            add(own, [0, 0], np.diag(start))
        else:
            noise = q[t] * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
            change = own - np.array([[1, dt], [0, 1]]) @ unit[2 * t - 2 : 2 * t]
            add(change, [0, 0], noise)
            predictions.append((t, change, np.linalg.inv(noise) / 2))
        for value, variance in zip(z[t], r[t]):
            if np.isfinite(variance):
                add(own[:1], value, variance)
        if np.isfinite(m[t]):
            add(own[1:], u[t], m[t])
    covariance = np.linalg.inv(information)
    mean, changes = covariance @ vector, np.ones(n)
    for t, change, weight in predictions:
        changes[t] = np.trace(weight @ change @ (covariance + np.outer(mean, mean)) @ change.T)
    return mean[::2], np.diag(covariance)[::2], changes


def test_smoother_is_the_least_squares_solution():
    rng = np.random.default_rng(1)
    n, start = 14, (4.0, 0.5)
    z, u = rng.normal(size=(n, 2, 2, 2)), rng.normal(0, 0.3, (n, 2, 2))
    r, m = rng.uniform(0.1, 1, (n, 2, 2)), rng.uniform(0.1, 1, (n, 2))
    r[[3, 4], :, 0], r[8:, 1, 1], m[rng.random((n, 2)) < 0.3] = np.inf, np.inf, np.inf
    steps = np.array([np.inf, 1, 1, 1, 1, 5, 1, 1, np.inf, 1, 2, 1, 1, np.inf])
    q = rng.uniform(0.05, 0.2, (n, 2))
    means, variances, changes = smooth(z, r, u, m, steps, q, start)
    for j in range(2):
        for k in range(2):
            expected = dense(z[:, :, j, k], r[:, :, j], u[:, j, k], m[:, j], steps, q[:, j], start)
            np.testing.assert_allclose(means[:, j, k], expected[0], atol=1e-9)
            np.testing.assert_allclose(variances[:, j], expected[1], atol=1e-9)
            np.testing.assert_allclose(changes[:, j, k], expected[2], atol=1e-9)


def test_noise_levels_of_simulated_poses(calibrated):
    _, _, noise = calibrated
    assert (noise.num_held_out, noise.num_trained, noise.is_held_out) == (1000, 1000, True)
    held_out = TEACHER**2 + STUDENT**2
    assert noise.held_out.mean() == pytest.approx(held_out, rel=0.1)
    assert noise.teacher.mean() == pytest.approx(TEACHER**2 + STUDENT**2 / 4, rel=0.1)
    correlation = RHO * STUDENT**2 / held_out
    lasting = (1 + correlation) / (1 - correlation)
    assert noise.student.mean() == pytest.approx(held_out * lasting, rel=0.1)
    assert noise.motion.mean() == pytest.approx(2 * TEACHER**2 + MOTION**2, rel=0.1)
    assert noise.acceleration.mean() == pytest.approx(ACCELERATION, rel=0.5)


def test_the_deviation_fits_the_residuals_without_the_teacher(calibrated):
    poses, truth, noise = calibrated
    alone = repair(replace(poses, teacher=np.full_like(truth, np.nan)), noise)
    held = ~poses.trained
    fresh = truth + np.random.default_rng(5).normal(0, TEACHER, truth.shape)
    ratio = (fresh[held] - alone.joints[held]) ** 2 / alone.variances[held][..., None]
    assert ratio.mean() == pytest.approx(1, abs=0.1)
    assert alone.shares.max() == 0


def test_gaps_are_filled_wrong_poses_overruled_and_motion_helps(calibrated):
    _, _, noise = calibrated
    poses, truth = simulated(60, seed=3, trained_share=0)
    poses.teacher[20:30] = np.nan
    poses.teacher[40] += 0.8
    result = repair(poses, noise)
    error = np.linalg.norm(result.joints - truth, axis=-1).mean(axis=1)
    student = np.linalg.norm(poses.student - truth, axis=-1).mean(axis=1)
    assert error[20:30].mean() < 0.7 * student[20:30].mean()
    assert error[40] < 0.05
    assert result.factors[40] > 20 > 2 > result.factors[:20].mean()
    assert result.shares[:18].mean() > result.shares[25].mean()


def test_a_fast_turn_is_followed_and_a_leap_of_both_is_not(calibrated):
    _, _, noise = calibrated
    rng, angles = np.random.default_rng(2), np.full(80, 0.0)
    angles[40:50], angles[50:] = np.linspace(0, np.pi, 12)[1:-1], np.pi  # half a turn in eleven frames
    cos, sin = np.cos(angles), np.sin(angles)
    truth = POSE @ np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 1)
    poses, _ = simulated(80, trained_share=0)
    teacher, student = truth + rng.normal(0, TEACHER, truth.shape), truth + rng.normal(0, STUDENT, truth.shape)
    teacher[20] += 0.7
    student[20] += 0.7
    motion = np.zeros_like(truth)  # a student underrates it
    even = replace(noise, acceleration=noise.acceleration / 20)
    result = repair(replace(poses, teacher=teacher, student=student, motion=motion), even)
    error = np.linalg.norm(result.joints - truth, axis=-1).mean(axis=1)
    assert error[20] < 0.05
    assert error[38:52].max() < 0.06


def test_a_student_that_agrees_with_the_teacher():
    _, truth = simulated(200)
    frames, change = np.arange(200), np.diff(truth, axis=0, prepend=truth[:1])
    poses = observe(
        np.zeros((200, 17, 2)), np.ones((200, 17)), truth, change, frames, np.zeros(0, int), 25.0, frames < 100
    )
    poses = replace(poses, teacher=truth.copy())
    with np.errstate(all='raise', under='ignore'):
        noise = calibrate([poses])
        poses.teacher[50] = np.nan
        result = repair(poses, noise)
    np.testing.assert_allclose(result.joints, truth, atol=1e-3)
    assert np.isfinite(result.variances).all()
    assert np.isfinite(result.factors).all()


@pytest.mark.parametrize('parts', [range(1, 7), range(7, 13), range(1, 13)])
def test_swaps_are_undone(calibrated, parts):
    _, _, noise = calibrated
    teacher = np.tile(POSE, (3, 1, 1))
    teacher[1, list(parts)] = POSE[[FLIP_ORDER[i] for i in parts]]
    result, swapped = unswap(teacher, np.tile(POSE + 0.01, (3, 1, 1)), noise.held_out)
    assert swapped.tolist() == [False, True, False]
    np.testing.assert_array_equal(result, np.tile(POSE, (3, 1, 1)))


def test_a_cut_and_a_long_gap_begin_a_shot_and_nothing_crosses_it(calibrated):
    frames = np.array([0, 1, 2, 3, 6, 7, 40, 41])
    assert shots(frames, np.array([0, 2, 6, 40]), 25.0).tolist() == [np.inf, 1, np.inf, 1, 3, 1, np.inf, 1]
    poses, _, noise = calibrated
    cut = replace(poses, steps=np.where(np.arange(2000) % 100 == 0, np.inf, 1.0))
    before = repair(cut, noise)
    later = (np.arange(2000) >= 100)[:, None, None]
    moved = replace(cut, student=cut.student + later, teacher=cut.teacher + later)
    np.testing.assert_array_equal(repair(moved, noise).joints[:100], before.joints[:100])


def test_a_pose_without_a_hip_is_left_out_and_a_start_has_no_motion():
    scores = np.ones((3, 17))
    scores[0, 11], scores[1, 9] = 0, 0
    keypoints = np.zeros((3, 17, 2))
    keypoints[:, VPD_JOINTS] = POSE * 100 + 50
    poses = observe(
        keypoints,
        scores,
        np.tile(POSE, (3, 1, 1)),
        np.ones((3, 13, 2)),
        np.arange(3),
        np.array([1]),
        25,
        np.zeros(3, bool),
    )
    assert np.isnan(poses.teacher[..., 0]).sum(axis=1).tolist() == [13, 1, 0]
    np.testing.assert_allclose(poses.teacher[2], POSE)
    assert np.isnan(poses.motion[:, 0, 0]).tolist() == [False, True, False]


def test_too_few_and_no_confident_frames(calibrated):
    poses, *_ = calibrated
    few = replace(poses, confident=np.arange(2000) >= 2000 - MIN_FRAMES + 1)
    assert not calibrate([few]).is_held_out
    with pytest.raises(UserError, match='no confident pose'):
        calibrate([replace(poses, confident=np.zeros(2000, bool))])
    no_motion = calibrate([replace(poses, motion=np.full_like(poses.motion, np.nan))])
    assert np.isinf(no_motion.motion).all()


def placed(num_frames=40):
    """Poses that move through the frame in px, in crops around them, and a repair without a change."""
    frames = np.arange(num_frames)
    windows = np.stack([10 + 3 * frames, 20 + frames, np.full(num_frames, 240)], axis=1)
    keypoints = np.zeros((num_frames, 17, 2))
    keypoints[:, VPD_JOINTS] = POSE * 200 + (windows[:, :2] + 110)[:, None]
    offset = np.array([-10 / 240, -10 / 240, np.log(100 / 240)])
    noise = PlacementNoise(offset, np.full(3, 0.01), np.full(3, 1e-4), np.full(3, 1e-5))
    return windows, keypoints, noise


def test_placement_returns_to_the_same_pixels_also_in_gaps():
    windows, keypoints, noise = placed()
    joints = keypoints[:, list(VPD_JOINTS)].copy()
    joints[[0, 1, 15, 16, 17, 38, 39]] = np.nan
    series = PlacementSeries.of(joints, windows)
    result = place(series, np.ones(40), shots(np.arange(40), np.zeros(1), 25.0), noise)
    np.testing.assert_allclose(result.to_px(np.tile(POSE, (40, 1, 1))), keypoints[:, list(VPD_JOINTS)], atol=0.5)
    assert result.root_variances[16] > 1.1 * result.root_variances[8]
    calibrated = calibrate_placement([(series, np.ones(40, bool), np.ones(40))])
    np.testing.assert_allclose(calibrated.offset, noise.offset, atol=1e-6)
    # a shot without a pose lies where the crops have it
    alone = PlacementSeries.of(np.full_like(joints, np.nan), windows)
    result = place(alone, np.ones(40), np.full(40, np.inf), noise)
    np.testing.assert_allclose(result.roots, windows[:, :2] + 110, atol=1)
    np.testing.assert_allclose(result.sizes, 100, atol=0.5)


def test_repaired_poses_keep_confident_joints_and_say_where_they_come_from(calibrated, tmp_path):
    _, _, noise = calibrated
    windows, keypoints, of_placement = placed()
    scores = np.full((40, 17), 0.8)
    keypoints[:, 1:5], scores[:, 3:5] = keypoints[:, :1] + 3, 0
    scores[20:23] = 0
    keypoints[30, VPD_JOINTS] += [0, 90]
    keypoints[30, [11, 12, 5, 6]] -= [0, 90]  # a wrong pose on the right torso
    student, rng = np.tile(POSE, (40, 1, 1)), np.random.default_rng(0)
    poses = observe(
        keypoints, scores, student + rng.normal(0, 0.02, student.shape), np.zeros_like(student), np.arange(40),
        np.zeros(1), 25.0, np.zeros(40, bool),
    )  # fmt: skip
    repaired = repair(poses, noise)
    joints = np.where(np.isfinite(poses.teacher), keypoints[:, list(VPD_JOINTS)], np.nan)
    placement = place(PlacementSeries.of(joints, windows), repaired.factors, poses.steps, of_placement)
    result, counts = repaired_poses(np.arange(40), keypoints, scores, repaired, placement)
    assert (counts.frames, counts.filled, counts.swaps) == (40, 3, 0)
    assert counts.overruled == 9  # all but shoulders and hips
    assert (result.scores[:20, VPD_JOINTS] >= 0.8).all()
    np.testing.assert_allclose(result.keypoints[30, 15] + [0, 90], keypoints[30, 15], atol=8)
    names = np.array(ORIGINS)[result.origins]
    assert set(names[:15, 5:].ravel()) <= {'teacher', 'both'}
    assert set(names[20:23, 5:].ravel()) <= {'student', 'interpolated'}
    assert set(names[30, 7:11]) <= {'student', 'interpolated'}
    assert names[0, 1:5].tolist() == ['teacher', 'teacher', 'none', 'none']
    assert (result.scores[20:23, 1:5] == 0).all()
    result.save(tmp_path / 'a.npz')
    np.testing.assert_array_equal(RepairedPoses.load(tmp_path / 'a.npz').origins, result.origins)
    np.testing.assert_array_equal(PoseSequence.load(tmp_path / 'a.npz').scores, result.scores)
    with pytest.raises(UserError, match='origins must be below 5'):
        replace(result, origins=result.origins + np.uint8(5))


@pytest.mark.parametrize('degrees', [0.5, 2.0])
def test_degrees_of_freedom_of_f_distances(degrees):
    distances = stats.f.rvs(6, 6 * degrees, size=4000, random_state=0)
    assert tail_degrees(3 * distances) == pytest.approx(degrees, rel=0.15)
    assert tail_degrees(distances[: MIN_TAIL - 1]) == 4


def test_a_student_far_from_the_others_has_little_weight(calibrated):
    poses, _, noise = calibrated
    student = poses.student.copy()
    student[1500] += 1
    teacher = poses.teacher.copy()
    teacher[1499:1502] = np.nan
    own = [repair(replace(poses, teacher=teacher, student=s), noise).joints[1500] for s in (poses.student, student)]
    assert np.abs(own[0] - own[1]).max() < 0.1


@pytest.mark.parametrize('degrees', [0.5, 8])
def test_frames_beyond_the_overlap_have_no_weight(calibrated, degrees):
    poses, _, noise = calibrated
    poses = replace(poses, steps=np.where(np.arange(2000) > 0, 1.0, np.inf))  # one shot
    noise = replace(noise, degrees=degrees)
    whole, part = repair(poses, noise), repair(take_rows(poses, slice(600, 1000)), noise)
    np.testing.assert_allclose(part.joints[100:-100], whole.joints[700:900], atol=1e-9)
    np.testing.assert_allclose(part.variances[100:-100], whole.variances[700:900], rtol=1e-9)


def test_distances_never_grow_with_the_score():
    scores = np.repeat([0.9, 0.3, 0.6], 25)
    levels, factors = score_factors(scores, np.repeat([2.0, 8.0, 1.0], 25), 2.0)
    np.testing.assert_allclose(levels, [0.3, 0.6, 0.9])
    np.testing.assert_allclose(factors, [4, 0.75, 0.75])
    assert score_factors(np.zeros(0), np.zeros(0), np.nan)[1].tolist() == [1]


def test_a_teacher_that_errs_for_long_at_low_scores_is_overruled_there():
    poses, truth = simulated(trained_share=0)
    wrong = np.arange(2000) % 50 < 12
    shift = np.random.default_rng(4).normal(0, 0.2, (40, 13, 2))[np.arange(2000) // 50]
    teacher = poses.teacher + shift * wrong[:, None, None]
    poses = replace(poses, teacher=teacher, scores=np.where(wrong, 0.3, 0.9), confident=~wrong)
    noise = calibrate([poses])
    assert noise.factors(np.array([0.3, 0.9, np.nan]))[:, 0].tolist() == pytest.approx([25, 1, 1], rel=0.3)
    errors = [
        np.linalg.norm(repair(p, noise).joints - truth, axis=-1)[wrong].mean()
        for p in (poses, replace(poses, scores=np.full(2000, 0.9)))
    ]
    assert errors[0] < 0.05 < 1.1 * errors[0] < errors[1]
