import numpy as np
import pytest
import torch

from vpd_mm.distill import DistillMetric
from vpd_mm.errors import UserError


def evaluate(batches, size=None):
    metric = DistillMetric()
    for batch in batches:
        metric.process({}, [{k: torch.as_tensor(v) for k, v in batch.items()}])
    return metric.evaluate(size or sum(len(b['score']) for b in batches))


def test_squared_error_is_over_confident_frames_only():
    target = np.zeros((4, 3), np.float32)
    target[3] = np.nan
    decoded = np.array([[1, 2, 2], [0, 0, 3], [9, 9, 9], [1, 1, 1]], np.float32)
    batch = {'decoded': decoded, 'target': target, 'score': np.array([0.9, 0.5, 0.4, 0.9])}
    metrics = evaluate([batch])
    assert metrics == {'distill/sq_error': pytest.approx(9.0)}


def test_joint_errors_are_in_torso_sizes():
    target = np.zeros((2, 52), np.float32)
    decoded = target.copy()
    decoded[0, 0:2] = (0.03, 0.04)  # one joint off by 0.05 = a tenth of the torso of 0.5
    decoded[1, 2] = 0.25  # one joint off by half a torso
    metrics = evaluate([{'decoded': decoded, 'target': target, 'score': np.ones(2)}])
    assert metrics['distill/joint_error'] == pytest.approx((0.1 + 0.5) / 26)
    assert metrics['distill/pck'] == pytest.approx(25 / 26)


def test_errors_to_the_ground_truth_by_confidence():
    ground_truth = np.zeros((4, 26), np.float32)
    ground_truth[3] = np.nan
    teacher, student = np.zeros((4, 26), np.float32), np.zeros((4, 26), np.float32)
    teacher[0, ::2] = 0.05  # confident: off by 0.1 torso
    student[0, ::2] = 0.1
    teacher[1, ::2] = 0.5  # low confidence: off by one torso
    student[1, ::2] = 0.25
    teacher[2] = np.nan  # no pose
    student[2, ::2] = 0.5
    batch = dict(decoded=student, target=teacher, ground_truth=ground_truth, score=np.array([0.9, 0.2, 0.0, 0.9]))
    m = {k.removeprefix('distill/'): v for k, v in evaluate([batch]).items()}
    assert m['teacher_error_confident'] == pytest.approx(0.1)
    assert m['student_error_confident'] == pytest.approx(0.2)
    assert m['teacher_error_low_confidence'] == pytest.approx(1.0)
    assert m['student_error_low_confidence'] == pytest.approx(0.5)
    assert m['student_error_lost'] == pytest.approx(1.0)
    assert m['gap_gain'] == pytest.approx(0.5)
    assert (m['frames_confident'], m['frames_low_confidence'], m['frames_lost']) == (1, 1, 1)
    assert m['teacher_pck_confident'] == 1
    assert m['student_pck_low_confidence'] == 0


def test_no_confident_frame_is_an_error():
    with pytest.raises(UserError, match='no frame has a target'):
        evaluate([{'decoded': np.zeros((1, 4)), 'target': np.zeros((1, 4)), 'score': np.zeros(1)}])


def test_padding_samples_count_once():
    """A sampler gives two processes 2 of 3 samples each by repeating the first one."""
    target = np.zeros((4, 3), np.float32)
    decoded = np.array([[9, 0, 0], [1, 0, 0], [2, 0, 0], [9, 0, 0]], np.float32)
    parts = (slice(0, 2), slice(2, 4))
    batches = [{'decoded': decoded[part], 'target': target[part], 'score': np.ones(2)} for part in parts]
    assert evaluate(batches, 3) == {'distill/sq_error': pytest.approx((81 + 1 + 4) / 3)}
