"""clip_positions: the frames of an action by time, at a constant and at a variable rate."""

import numpy as np
import pytest
from sequence_corpus import make_corpus

from vpd_mm.corpus import Window
from vpd_mm.features import FeatureClipDataset, clip_positions
from vpd_mm.features.window_dataset import FeatureWindowDataset
from vpd_mm.structures import Action, FrameTimes

#: 48 frames at 60 fps, then 24 at 20 fps.
EDGES = np.append(np.arange(48) / 60, 0.8 + np.arange(25) / 20)


@pytest.mark.parametrize(
    ('rate', 'fps', 'expected'),
    [(25, 25, range(12)), (50, 25, range(0, 12, 2)), (30, 25, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]), (20, 25, range(12)),
     (50, None, range(12))],
)  # fmt: skip
def test_a_constant_rate(rate, fps, expected):
    assert clip_positions(0, 12, FrameTimes(float(rate)), 100, Window(), fps).tolist() == list(expected)


def test_only_faster_parts_are_reduced_and_windows_are_in_seconds():
    times = FrameTimes.variable(EDGES)
    positions = clip_positions(0, 72, times, 72, Window(), 20.0)
    assert positions.tolist() == [*range(0, 48, 3), *range(48, 72)]
    # 0.1 s are six frames before the change of the rate, two after it
    assert Window(0.1, 0.1).span(48, 50, times) == (42, 52)
    assert Window(0.1, 0.1, 'start').span(48, 49, times) == (42, 50)
    late = FrameTimes.variable(np.arange(26) / 25 + 0.004 * (np.arange(26) % 2))
    assert clip_positions(0, 25, late, 25, Window(), 25.0).tolist() == list(range(25))


def test_data_sets_read_the_times_of_the_corpus(tmp_path):
    actions = [Action(f'a{start}', 'v', start, start + 2, 0, 'train') for start in (48, 54)]
    corpus = make_corpus(tmp_path / 'c', {'v': (60.0, 72)}, actions, frames={'v': np.array([40, 41, 60])})
    corpus.save_times('v', FrameTimes.variable(EDGES))
    clips = FeatureClipDataset(
        str(corpus.root), 'joints', window={'before_sec': 0.2}, fps=20.0, allow_missing=True, test_mode=True
    )
    assert [sample['total_frames'] for sample in clips.data_list] == [6]
    videos = FeatureWindowDataset(str(corpus.root), 'joints', fps=20.0, max_gap_sec=0.1, test_mode=True)
    sample = videos[0]['data_samples']
    rows = sample.row_edges.tolist()
    assert rows == [*range(0, 48, 3), *range(48, 73)]
    assert sample.gt_intervals.tolist() == [[16, 18], [22, 24]]
    valid = [rows[i] for i in np.flatnonzero(sample.valid)]
    assert valid == [36, 39, 42, 45, 58, 59, 60, 61, 62]
