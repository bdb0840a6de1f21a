import math

import numpy as np

from vpd_mm.detect.proposals import ProposalRule
from vpd_mm.detect.scored_video import ScoredVideo
from vpd_mm.detect.summary import describe, measure

RESULT = {'threshold': 0.35, 'threshold_from': 'folds', 'max_gap': 1, 'min_frames': 5, 'videos': 1}
TRAINED = {'folds': 3, 'videos': 3, 'intervals': 9, 'frames': 1200}


def test_a_result_names_what_it_rests_on():
    scores = np.zeros((200, 2))
    scores[20:30, 0] = scores[100:110, 1] = 0.9
    video = ScoredVideo('v', scores, np.arange(201), np.array([[20, 30], [60, 70], [100, 110]]), np.array([0, 0, 1]))
    rule, notes = ProposalRule(0.5, mean_frames=(10, math.nan, 10)), []
    measured = measure([video], rule, ['jump', 'turn', 'roll'], False, notes)
    assert (measured['intervals'], measured['frames'], measured['mAP']) == (3, 200, 0.75)
    untested = {'roll': {'intervals': 0, 'mAP': None}}
    assert measured['classes'] == untested | {
        'jump': {'intervals': 2, 'mAP': 0.5},
        'turn': {'intervals': 1, 'mAP': 1.0},
    }
    untrained, few = notes
    assert untrained == 'class turn has no training action: it cannot be recognised'
    assert few.startswith("AP rests on few intervals (2 of 'jump', 1 of 'turn'): one more or less that is found")
    lines = describe({**RESULT, 'trained_on': TRAINED, **measured, 'notes': notes})
    assert lines[0] == 'trained on 9 intervals in 3 videos (1,200 frames): 3 folds'
    assert lines[1].startswith('threshold 0.35 (chosen on the left-out videos of the folds), merge gap 1, at least 5')
    assert 'mAP 75.0 % of 3 intervals in 1 video (200 frames); mAP at random times' in lines[2]
    assert lines[3:6] == [
        '  roll: not tested: 0 intervals',
        '  jump: mAP 50.0 % of 2 intervals',
        '  turn: mAP 100.0 % of 1 interval',
    ]
    assert lines[6:] == [f'warning: {untrained}', f'warning: {few}']


def test_a_detector_at_chance_is_named():
    video = ScoredVideo('v', np.ones((50, 1)), np.arange(51), np.array([[0, 50]]), np.array([0]))
    notes = []
    measured = measure([video] * 1, ProposalRule(0.5), ['action'], False, notes)
    assert measured['mAP'] == measured['chance_mAP'] == 1
    assert notes[-1] == 'mAP 100.0 % is not above that of the same scores at random times'
