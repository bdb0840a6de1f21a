"""FrameTimes: frames to seconds and back, at a constant and at a variable rate."""

import numpy as np
import pytest

from vpd_mm.errors import UserError
from vpd_mm.structures import FrameTimes
from vpd_mm.structures.npz_io import save_npz

SLOWER = FrameTimes.variable(np.array([0, 0.1, 0.2, 0.3, 0.8, 1.3]))


def test_a_constant_rate():
    times = FrameTimes(50.0)
    assert times.seconds(75) == 1.5
    assert times.frames(1.5) == 75
    assert times.seconds(np.array([-1, 0, 1])).tolist() == [-0.02, 0, 0.02]


def test_a_variable_rate_and_beyond_its_ends():
    assert SLOWER.fps == 4 / 0.8
    frames, seconds = [-1, 0, 2.5, 3, 5, 7], [-0.2, 0, 0.25, 0.3, 1.3, 1.7]
    assert SLOWER.seconds(np.array(frames)).tolist() == pytest.approx(seconds)
    assert SLOWER.frames(np.array(seconds)).tolist() == pytest.approx(frames)


def test_a_round_trip(tmp_path):
    SLOWER.save(tmp_path / 'v.npz')
    read = FrameTimes.load(tmp_path / 'v.npz')
    assert (read.fps, read.edges.tolist()) == (SLOWER.fps, SLOWER.edges.tolist())


@pytest.mark.parametrize(
    'edges', [[0.0], [0, 1.0], [1.0, 2, 3], [0, 2.0, 2.0], [0, np.nan, 2], [[0, 1.0, 2]], [0, 1, 2]]
)
def test_invalid_times_are_refused(tmp_path, edges):
    save_npz(tmp_path / 'v.npz', 'FrameTimes/1', {'edges': np.array(edges)})
    with pytest.raises(UserError, match=r'v\.npz: FrameTimes: edges (must|holds)'):
        FrameTimes.load(tmp_path / 'v.npz')
