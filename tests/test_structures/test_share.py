"""Chance levels, intervals and warnings of shares."""

import pytest
from scipy.stats import binomtest

from vpd_mm.structures import Share, guess_chance, wilson_interval


@pytest.mark.parametrize(('hits', 'n'), [(0, 10), (4, 10), (10, 10), (1, 1), (500, 539)])
def test_wilson_interval(hits, n):
    expected = binomtest(hits, n).proportion_ci(method='wilson')
    assert wilson_interval(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_guess_chance():
    assert guess_chance([0, 1, 1, 1], 2) == (0.5, 0.75)
    assert guess_chance([3, 3], 4) == (0.25, 1.0)  # classes without a clip can still be guessed


@pytest.mark.parametrize(
    ('share', 'warning'),
    [
        (Share(0.4, 10, 0.5), '40.0 % of 10 clips is below chance (50.0 %)'),
        (Share(0.5, 10, 0.5), '50.0 % of 10 clips is at chance (50.0 %)'),
        (Share(1.0, 3, 1.0, 'query'), '100.0 % of 3 queries is at chance (100.0 %)'),
        (
            Share(0.7, 10, 0.5),
            '70.0 % of 10 clips cannot be told from chance (50.0 %): the 95 % interval begins at 39.7 %; '
            'test on more clips',
        ),
        (Share(0.9, 10, 0.5), ''),
        (Share(0.52, 10_000, 0.5), ''),
    ],
)
def test_warning(share, warning):
    assert share.warning == warning
