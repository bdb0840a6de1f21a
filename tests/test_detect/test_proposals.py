from pathlib import Path

import numpy as np
import pytest

from vpd_mm.detect import Proposal, Spot, find_proposals, find_spots, fit_proposal, stitch_scores
from vpd_mm.errors import UserError

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_detect.npz'


@pytest.mark.parametrize('case', range(6))
def test_golden_values(case):
    with np.load(GOLDEN) as golden:
        proposals = find_proposals(golden[f'prop_scores_{case}'])
        first_last_score = [(p.start_frame, p.end_frame - 1, p.score) for p in proposals]
        np.testing.assert_allclose(first_last_score, golden[f'prop_out_{case}'], rtol=1e-12)


SCORES = np.array([0, 0.5, 1, 0.2, 0.8, 0, 0, 0.9, 0.9, 0.9])


def test_gaps_are_merged_before_short_ones_are_dropped():
    assert find_proposals(SCORES, min_frames=3) == [Proposal(7, 10, pytest.approx(0.9))]
    assert find_proposals(SCORES, max_gap=2, min_frames=4) == [Proposal(1, 5, pytest.approx(2.5 / 4))]
    assert find_proposals(SCORES, max_gap=3, min_frames=4) == [Proposal(1, 10, pytest.approx(SCORES[1:].mean()))]
    assert find_proposals(SCORES, threshold=0.6, min_frames=1)[0] == Proposal(2, 3, 1.0)
    assert find_proposals(SCORES[:1]) == find_proposals(SCORES[:0]) == []


@pytest.mark.parametrize(
    ('frames', 'mean', 'fitted'),  # of the published code, first and last frame: 13..19, 13..15, 0..12, 4..20
    [((10, 21), 4.2, (12, 19)), ((10, 21), 8.5, (10, 21)), ((10, 14), 40.0, (0, 25)), ((10, 21), 18.0, (9, 22))],
)
def test_proposals_get_the_duration_of_training_actions(frames, mean, fitted):
    proposal = Proposal(*frames, 0.9, 1)
    assert fit_proposal(proposal, mean) == proposal._replace(start_frame=fitted[0], end_frame=fitted[1])
    assert fit_proposal(proposal, np.nan) == proposal


def test_missing_frames_count_as_low():
    inds = np.array([10, 11, 13, 14, 20])
    proposals = find_proposals(np.full(5, 0.7), min_frames=2, frame_inds=inds)
    assert [(p.start_frame, p.end_frame) for p in proposals] == [(10, 12), (13, 15)]
    proposals = find_proposals(np.full(5, 0.7), min_frames=2, max_gap=2, frame_inds=inds)
    assert proposals == [Proposal(10, 15, pytest.approx(0.7))]


def test_columns_are_labels():
    scores = np.zeros((12, 3))
    scores[2:8, 1] = scores[0:5, 2] = 1
    assert find_proposals(scores) == [Proposal(2, 8, 1.0, 1), Proposal(0, 5, 1.0, 2)]


def test_spots_are_local_maxima():
    scores = np.array([0.1, 0.6, 0.7, 0.7, 0.2, 0, 0.4, 0.005])
    assert find_spots(scores) == [Spot(0, 0.1), Spot(2, 0.7), Spot(4, 0.2), Spot(6, 0.4)]
    assert find_spots(scores, window=3) == [Spot(2, 0.7), Spot(6, 0.4)]
    assert find_spots(scores, threshold=0.5, window=2, frame_inds=np.arange(8) * 3) == [
        Spot(3, 0.6),
        Spot(6, 0.7),
        Spot(9, 0.7),
    ]


def test_overlapping_windows_are_averaged():
    one, two = np.array([[1.0], [0.5], [0.0]]), np.array([[0.5], [1.0]])
    inds, scores = stitch_scores([(np.array([4, 5, 6]), one), (np.array([6, 9]), two)])
    np.testing.assert_array_equal(inds, [4, 5, 6, 9])
    np.testing.assert_array_equal(scores, [[1], [0.5], [0.25], [1]])


@pytest.mark.parametrize('scores', [np.array([0.1, np.nan]), np.zeros((2, 2, 2)), np.zeros(3)])
def test_invalid_scores_are_refused(scores):
    with pytest.raises(UserError, match='frame scores must be finite'):
        find_proposals(scores, frame_inds=np.arange(2))
