import numpy as np
import pytest
import torch

from vpd_mm.errors import UserError
from vpd_mm.synthetic import SyntheticPoses
from vpd_mm.synthetic.skeleton import rot_x, rot_z
from vpd_mm.teacher import Skeleton, ViewRetrievalMetric
from vpd_mm.teacher.joint_feature import FLIP_ORDER, VPD_JOINTS
from vpd_mm.teacher.view_retrieval_metric import aligned_error, mirrors_apart


@pytest.fixture(scope='module')
def joints():
    """60 poses of a new athlete, facing forward."""
    poses = np.concatenate(SyntheticPoses(num=60, seed=11, spacing_sec=0.2).poses())[:, VPD_JOINTS].astype(float)
    return Skeleton(13, range(13), [('nose', 0, None)]).face_forward(poses)


def test_error_is_invariant_to_rotation_scale_and_translation(joints):
    turned = joints @ (rot_z(0.7) @ rot_x(2.0)) * 3 + [1, 2, 3]
    np.testing.assert_allclose(aligned_error(turned, joints), 0, atol=1e-9)


def test_error_is_in_trunk_lengths(joints):
    moved = joints.copy()
    moved[:, 5] += [0, 0, 0.65]
    errors = aligned_error(moved, joints)
    squares = (moved - joints - (moved - joints).mean(1, keepdims=True)) ** 2
    assert (errors <= np.sqrt(squares.sum(-1).mean(1)) + 1e-9).all()  # aligned no worse than by the shift alone
    assert (errors > 0.02).all()
    np.testing.assert_allclose(aligned_error(moved * 1000, joints * 1000), errors)


def test_alignment_equals_scipy(joints):
    from scipy.spatial import procrustes

    a, b = joints[0], joints[1]
    if np.linalg.det(np.linalg.lstsq(a - a.mean(0), b - b.mean(0), rcond=None)[0]) < 0:
        pytest.skip('SciPy would mirror')
    standard, fitted, _ = procrustes(b, a)
    by_scipy = np.linalg.norm(standard - fitted, axis=1).mean() * np.linalg.norm(b - b.mean(0))
    assert aligned_error(a, b) == pytest.approx(by_scipy)


def test_alignment_never_mirrors(joints):
    mirrored = joints * [1, -1, 1]  # the sides keep their names
    assert aligned_error(mirrored, joints).min() > 0.05
    symmetric = joints.copy()
    symmetric[:, 2::2] = symmetric[:, 1::2] * [1, -1, 1]
    symmetric[:, 0, 1] = 0
    np.testing.assert_allclose(aligned_error(symmetric[:, FLIP_ORDER] * [1, -1, 1], symmetric), 0, atol=1e-9)


def evaluate(embedding, mirrored=None, metric=None, size=None, **data):
    embedding = torch.as_tensor(embedding, dtype=torch.float32)
    batch = {
        'embedding': embedding,
        'mirrored': embedding + 1 if mirrored is None else torch.as_tensor(mirrored, dtype=torch.float32),
        'inputs': torch.zeros(*embedding.shape[:2], 13, 3),
        **{name: torch.as_tensor(value) for name, value in data.items()},
    }
    metric = metric or ViewRetrievalMetric()
    for half in (slice(0, 20), slice(20, None)):
        metric.process({}, [{name: value[half] for name, value in batch.items()}])
    return metric.evaluate(size or len(embedding))


def test_perfect_embedding_has_full_hits_and_chirality(joints):
    known = joints.reshape(60, 39)
    twin = (joints[:, FLIP_ORDER] * [1, -1, 1]).reshape(60, 39)
    result = evaluate(np.stack([known, known + 1e-3], 1), np.stack([twin, twin], 1), joints3d=joints)
    assert result['view/hit@1'] == 1
    assert result['view/chirality'] == 1
    assert 0.2 < result['view/chiral_share'] < 0.9
    assert result['view/joints_hit@20'] >= result['view/joints_hit@1']


def test_padding_samples_count_once(joints):
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(60, 2, 4))
    filled = np.concatenate([np.arange(60), np.arange(9)])
    result = evaluate(embedding[filled], size=60, joints3d=joints[filled])
    assert result == evaluate(embedding, joints3d=joints)


def test_hits_by_value():
    """Two cameras, four poses of which 0 and 1 are the same in 3D."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(size=(3, 13, 3))
    joints = np.stack([shapes[0], shapes[0] * 2, shapes[1], shapes[2]])
    first = np.array([[0.0], [1], [2], [3]])
    second = np.array([[1.1], [0.1], [2.6], [2.1]])  # 0 and 1 exchanged (right all the same), 2 and 3 exchanged
    metric = ViewRetrievalMetric()
    metric.ks = (1, 2, 9)
    result = evaluate(np.stack([first, second], 1), metric=metric, joints3d=joints)
    assert result['view/hit@1'] == 0.5
    assert result['view/hit@2'] == 1
    assert 'view/hit@9' not in result


def test_moments_match_within_tolerance_and_video():
    moment, video = np.array([0, 2, 5, 1]), np.array([0, 0, 0, 1])
    ranked = np.array([[1, 2], [2, 0], [1, 2], [0, 3]])
    wanted = [[True, False], [False, True], [False, True], [False, True]]
    result = ViewRetrievalMetric().right(ranked, {'moment': moment, 'video': video})
    np.testing.assert_array_equal(result, wanted)
    embedding = np.arange(4.0)[:, None, None].repeat(2, axis=1)
    result = evaluate(embedding, moment=moment, video=video)
    assert result['view/hit@1'] == 1
    assert result['view/chirality'] == 1


def test_chirality_compares_the_mirrored_view_with_the_other_view():
    embedding = np.array([[[0.0], [1.0]], [[5.0], [5.5]]])
    mirrored = np.array([[[2.0], [1.5]], [[5.2], [6.5]]])
    kept = mirrors_apart(embedding, mirrored)
    np.testing.assert_array_equal(kept, [[True, False], [False, True]])


def test_single_camera_is_refused():
    with pytest.raises(UserError, match='2 or more cameras and poses, found 1 and 30'):
        evaluate(np.zeros((30, 1, 4)))
