"""Classes by nearest labels."""

import numpy as np
import pytest

from vpd_mm.studio.dtw_votes import DTWVotes


def clip(value, length=8):
    return np.full((length, 2, 3), value, np.float32)


def test_the_class_of_the_nearest_labels_wins():
    votes = DTWVotes([clip(0.0), clip(0.2), clip(1.0)], [0, 0, 2], 3)
    distances = votes.distances([clip(0.2), clip(0.9)])
    assert distances.shape == (2, 3)
    assert distances[0].argmin() == 1
    probabilities = votes.probabilities(distances, np.zeros(3, bool))
    assert probabilities.argmax(1).tolist() == [0, 2]
    assert probabilities.sum(1) == pytest.approx([1, 1])
    assert probabilities[:, 1] == pytest.approx([np.exp(-8)] * 2, rel=0.01)  # has no labels
    without = votes.probabilities(distances, np.array([False, False, True]))
    assert without.argmax(1).tolist() == [0, 0]


def test_a_mirror_image_is_as_near():
    mirrored = clip(0.0)
    mirrored[:, 1] = 5.0
    votes = DTWVotes([mirrored, clip(4.0)], [0, 1], 2)
    assert votes.distances([clip(5.0)])[0, 0] == 0


def test_labels_of_other_lengths_are_not_compared():
    votes = DTWVotes([clip(0.0, 30), clip(1.0, 8)], [0, 1], 2)
    distances = votes.distances([clip(0.0, 8), clip(0.0, 90)])
    assert np.isinf(distances).tolist() == [[True, False], [True, True]]
    probabilities = votes.probabilities(distances, np.zeros(2, bool))
    assert probabilities[0] == pytest.approx([np.exp(-8), 1], rel=0.01)
    assert probabilities[1].tolist() == [0.5, 0.5]


def test_of_a_class_with_many_labels_the_first_ones_are_compared():
    votes = DTWVotes([clip(i) for i in range(30)], [0] * 30, 1)
    assert np.isfinite(votes.distances([clip(3.0)])).sum() == 20
