import numpy as np
import pytest
import torch

pytest.importorskip('mmpose')

from mmpose.registry import KEYPOINT_CODECS

from vpd_mm.errors import UserError
from vpd_mm.teacher.softmax_heatmap import QuickBBoxTransform, SoftmaxHeatmap, SoftmaxHeatmapLoss, fit_score_table

SIZES = dict(input_size=(64, 96), heatmap_size=(16, 24), sigma=1.25, blur_kernel_size=5)


def test_decode_inverts_encode():
    codec = KEYPOINT_CODECS.build(dict(type='SoftmaxHeatmap', **SIZES))
    keypoints = np.array([[[20.0, 40.0], [45.0, 71.0]]])
    target = codec.encode(keypoints)['heatmaps']
    places, scores = codec.decode(np.log(target + 1e-9))
    assert places[0] == pytest.approx(keypoints[0], abs=1)
    assert places.shape == (1, 2, 2)
    assert scores.shape == (1, 2)
    assert (scores > 0.9).all()


def test_score_is_the_mass_around_the_peak():
    logits = np.full((2, 24, 16), -50.0, np.float32)
    logits[0, 5, 7], logits[0, 20, 3] = np.log(0.75), np.log(0.25)
    logits[1, 5, 7], logits[1, 7, 9], logits[1, 8, 7] = np.log(0.6), np.log(0.3), np.log(0.1)
    scores = SoftmaxHeatmap(**SIZES).decode(logits)[1]
    assert scores[0] == pytest.approx([0.75, 0.9], abs=1e-4)
    table = [(0.5, 0.2), (0.75, 0.4), (0.95, 0.8)]
    scores = SoftmaxHeatmap(score_table=table, **SIZES).decode(logits)[1]
    assert scores[0] == pytest.approx([0.4, 0.7], abs=1e-4)


def test_loss_is_at_least_the_entropy_and_ignores_unlabeled_joints():
    target = torch.zeros(1, 2, 4, 4)
    target[0, 0, 1, 1] = target[0, 0, 1, 2] = 0.5
    target[0, 1, 3, 3] = 1.0
    loss = SoftmaxHeatmapLoss()
    best = (target + 1e-12).log()
    assert loss(best, target, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(np.log(2) / 2, abs=1e-5)
    assert loss(best, target, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(np.log(2), abs=1e-5)
    flat = torch.zeros_like(target)
    assert loss(flat, target, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(np.log(16), abs=1e-5)
    outside = target * torch.tensor([1.0, 0.0])[None, :, None, None]
    assert loss(best, outside, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(np.log(2), abs=1e-5)


@pytest.mark.parametrize('table', [[(0.5, 0.1), (0.4, 0.2)], [(0.1, 0.5), (0.2, 0.4)], [(0.1, 1.5)]])
def test_invalid_tables_are_refused(table):
    with pytest.raises(UserError, match='score_table'):
        SoftmaxHeatmap(score_table=table, **SIZES)


def test_fit_recovers_the_share_of_correct_joints():
    rng = np.random.default_rng(0)
    raw = rng.uniform(0, 1, 40_000)
    table = np.array(fit_score_table(raw, rng.random(40_000) < raw**2))
    assert len(table) == 12
    assert table[:, 1] == pytest.approx(table[:, 0] ** 2, abs=0.03)


def test_fitted_table_increases_although_the_data_do_not():
    rng = np.random.default_rng(1)
    raw = np.round(rng.random(500), 1)
    right = rng.random(500) < 0.5
    shares = [right[raw == value].mean() for value in np.unique(raw)]
    assert np.diff(shares).min() < 0
    table = np.array(fit_score_table(raw, right))
    assert len(table) >= 2
    assert (np.diff(table[:, 0]) > 0).all()
    assert (np.diff(table[:, 1]) >= 0).all()
    np.testing.assert_array_equal(SoftmaxHeatmap(score_table=table, **SIZES).score_table, table)


def test_encoding_equals_udp_heatmap_of_mmpose():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-4, 100, (1, 17, 2)) * (1, 1.1)
    visible = (rng.random((1, 17)) > 0.2).astype(np.float32)
    kwargs = {**SIZES, 'sigma': 1.0}  # with a fractional radius mmpose shifts maps near the left edge
    ours, theirs = (
        KEYPOINT_CODECS.build(dict(type=name, **kwargs)).encode(keypoints, visible)
        for name in ('SoftmaxHeatmap', 'UDPHeatmap')
    )
    counted = ours['keypoint_weights'] > 0
    assert 5 < counted.sum() < 17
    assert (theirs['keypoint_weights'] >= ours['keypoint_weights']).all()  # theirs keeps joints just off the map
    # theirs is cut off at three sigma, where a Gaussian has 1.1 % of its height
    np.testing.assert_allclose(ours['heatmaps'][counted[0]], theirs['heatmaps'][counted[0]], atol=0.0112)


def test_quick_box_transform_has_the_distribution_of_mmpose():
    from scipy.stats import kstest, truncnorm

    np.random.seed(0)
    values = QuickBBoxTransform._truncnorm(size=(1000, 4))
    assert values.dtype == np.float32
    assert kstest(values.ravel(), truncnorm(-1, 1).cdf).pvalue > 0.01
