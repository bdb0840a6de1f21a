import numpy as np
import pytest

from vpd_mm.detect.proposals import ProposalRule
from vpd_mm.detect.scored_video import ScoredVideo, ap_table, chance_ap, choose_threshold
from vpd_mm.errors import UserError

RULE = ProposalRule(0.6, mean_frames=(10.0,))
CANDIDATES = tuple(i / 10 for i in range(1, 10))


def video(levels, intervals, background=0.0):
    """60 frames; (start, end) to score."""
    scores = np.full((60, 1), background)
    for (start, end), level in levels.items():
        scores[start:end] = level
    return ScoredVideo('v', scores, np.arange(61), np.array(intervals), np.zeros(len(intervals), int))


def test_the_threshold_maximizes_the_ap():
    scored = video({(10, 20): 0.8, (30, 40): 0.45}, [[10, 20], [30, 40]], 0.1)
    assert choose_threshold([scored], RULE, (0.05, 0.3, 0.4, 0.6)) == (0.4, '')  # 0.3 and 0.4 are equal
    alone = scored._replace(intervals=np.array([[10, 20]]), labels=np.array([0]))
    assert ap_table([alone], RULE, (0.5,))[0] == pytest.approx([1])
    short = RULE._replace(mean_frames=(4.0,))
    assert ap_table([alone], short, (0.5, 0.7))[0].tolist() == [1, 0]  # fitted to 5 frames


@pytest.mark.parametrize(
    ('level', 'background', 'published', 'threshold', 'note'),
    [
        (0.95, 0.85, False, 0.9, ''),
        (0.95, 0.85, True, 0.9, 'threshold 0.9 is at the end of the search (0.1 to 0.9)'),
        (0.05, 0.0, False, 0.02, ''),  # 0.001 to 0.04 are equal
        (0.1, 0.05, False, 0.1, ''),
        (0.98, 0.925, False, 0.97, ''),  # 0.96 to 0.98 are equal
        (1.0, 0.0, False, 0.5, ''),  # all are equal, and right
        (0.0, 0.0, False, 0.5, 'every threshold (0.001 to 0.999) gives the same AP, 0.0 %'),
        (1.0, 0.9985, False, 0.999, 'threshold 0.999 is at the end of the search (0.001 to 0.999)'),
    ],
)
def test_the_search_goes_on_beyond_its_ends(level, background, published, threshold, note):
    scored = video({(10, 20): level}, [[10, 20]], background)
    found, line = choose_threshold([scored], RULE, CANDIDATES, published)
    assert found == threshold
    assert line.startswith(note)
    assert bool(line) == bool(note)


def test_chance_is_the_ap_of_the_scores_at_random_times():
    good = video({(10, 20): 0.9}, [[10, 20]])
    assert 0 < chance_ap([good], RULE) < 0.4
    everywhere = video({(0, 60): 0.9}, [[0, 60]])  # an action that fills its video is found by chance
    assert chance_ap([everywhere], RULE._replace(mean_frames=())) == 1


def test_a_rule_is_read_as_it_was_written():
    rule = ProposalRule(0.25, 2, 3, (4.5, float('nan')))
    read = ProposalRule.from_json(rule.to_json(), 2, 'a.pth')
    assert read[:3] == rule[:3]
    np.testing.assert_array_equal(read.mean_frames, rule.mean_frames)
    assert ProposalRule.from_json(None, 2, 'a.pth') is None
    bad = rule.to_json()
    for value in ([], {}, bad | {'threshold': 2}, bad | {'mean_frames': [1]}, bad | {'max_gap': None}, 'x'):
        with pytest.raises(UserError, match=r'a\.pth: its rule for proposals is not valid'):
            ProposalRule.from_json(value, 2, 'a.pth')
