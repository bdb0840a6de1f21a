import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.teacher import PoseNoise

POINTS = np.random.default_rng(1).normal(size=(3000, 13, 2))
TRUNK = np.full(3000, 2.0)


def spoil(**kwargs):
    return PoseNoise(**kwargs)(POINTS, TRUNK, np.random.default_rng(0))


def test_without_noise_nothing_changes():
    points, scores = spoil(jitter=(0, 0), score=(1, 1), drop=0)
    np.testing.assert_array_equal(points, POINTS)
    assert (scores == 1).all()


def test_noise_is_in_trunk_lengths_and_grows_as_scores_fall():
    points, scores = spoil(jitter=(0.05, 0.05), score=(0, 1), confident=0, drop=0)
    for score in (0.1, 0.5, 0.9):
        near = abs(scores - score) < 0.05
        assert (points - POINTS)[near].std() == pytest.approx(0.05 * 2 * (3 - 2 * score), rel=0.05)


def test_dropped_joints_have_low_scores_and_five_remain():
    points, scores = spoil(jitter=(0, 0), score=(0.5, 1), drop=0.3)
    lost = (points != POINTS).any(-1)
    assert lost.mean() == pytest.approx(0.3, abs=0.02)
    assert scores[lost].max() <= 0.2
    assert 0.4 < (scores[lost] == 0).mean() < 0.6
    assert scores[~lost].min() >= 0.5
    assert ((spoil(jitter=(0, 0), score=(1, 1), drop=0.99)[1] == 1).sum(1) == 5).mean() > 0.9


def test_dropped_joint_may_be_at_the_mean_of_the_others():
    points, _ = spoil(jitter=(0, 0), score=(1, 1), drop=0.1)
    lost = (points != POINTS).any(-1)
    middle = np.where(lost[..., None], 0, POINTS).sum(1) / (~lost).sum(1)[:, None]
    at_mean = np.isclose(points, middle[:, None]).all(-1)[lost].mean()
    assert at_mean == pytest.approx(0.3, abs=0.04)


def test_left_and_right_are_never_swapped():
    points, _ = spoil(jitter=(0.02, 0.02), drop=0)
    as_said = np.linalg.norm(points[:, 1] - POINTS[:, 1], axis=-1)
    assert (as_said < 0.5).all()


@pytest.mark.parametrize('kwargs', [dict(jitter=(0.2, 0.1)), dict(score=(0, 2)), dict(drop=1.0), dict(confident=-1)])
def test_invalid_numbers_are_refused(kwargs):
    with pytest.raises(UserError, match='PoseNoise'):
        PoseNoise(**kwargs)


def test_former_argument_name_is_deprecated():
    with pytest.warns(DeprecationWarning, match='sure is deprecated since 0.2, removed in 0.3; use confident'):
        assert PoseNoise(**{'sure': 0.5}).confident == 0.5
    with pytest.raises(TypeError, match="unexpected argument 'certain'"):
        PoseNoise(certain=0.5)
