"""Rules of --track: the table of the help, and what is refused before a video is opened."""

import inspect

import pytest
from media import make_video

from vpd_mm.athlete.path_tracker import PathTracker
from vpd_mm.athlete.track_rules import METHODS, ONLINE, RULES, build_tracker, check_rules, default_rules, rules_help
from vpd_mm.engine.config import parse_options
from vpd_mm.errors import UserError
from vpd_mm.prepare import build_corpus


def test_rules_reach_tracker_and_weights():
    tracker = build_tracker({'num_athletes': 2, 'motion': 3.0}, 25.0, (64, 48))
    assert (tracker.num_athletes, tracker.rules.motion) == (2, 3.0)
    tracker = build_tracker({'method': 'path', 'centrality': 3, 'every': 3}, 25, (64, 48))
    assert isinstance(tracker, PathTracker)
    assert (tracker.rules.centrality, tracker.every) == (3, 3)
    assert build_tracker({'switch_margin': 0.2}, 25, (64, 48), online=True).switch_margin == 0.2


@pytest.mark.parametrize('kinds', [*METHODS.values(), ONLINE])
def test_every_argument_is_a_rule_with_a_valid_default(kinds):
    defaults = default_rules(*kinds)
    bases = [kind for base in kinds for kind in base.__mro__ if kind.__module__.startswith('vpd_mm')]
    arguments = {name for kind in bases for name in inspect.signature(kind).parameters}
    assert arguments - {'fps', 'frame_size', 'rules', 'options'} == defaults.keys()
    assert all(RULES[name].least <= value <= RULES[name].most for name, value in defaults.items())
    assert kinds == ONLINE or all(f'  {name}={value:g} ' in rules_help() for name, value in defaults.items())


@pytest.mark.parametrize(
    ('rules', 'message'),
    [
        ({'min_score': 'abc'}, '--track min_score=abc: must be a number from 0 to 1; default 0.0'),
        ({'min_score': True}, 'must be a number from 0 to 1'),
        ({'min_score': None}, 'must be a number from 0 to 1'),
        ({'min_score': [0.1, 0.2]}, 'must be a number from 0 to 1'),
        ({'min_score': 1.5}, 'must be a number from 0 to 1'),
        ({'min_score': float('nan')}, 'must be a number from 0 to 1'),
        ({'max_gap_seconds': float('inf')}, 'must be a number, 0 or more s'),
        ({'join_size': 0.5}, 'must be a number, 1 or more'),
        ({'num_athletes': 0}, 'must be a whole number from 1 to 100'),
        ({'num_athletes': 2.0}, 'must be a whole number from 1 to 100'),
        ({'num_athlete': 2}, '--track num_athlete=2: no such rule; num_athletes?; there are'),
        ({'speed': 1}, '--track speed=1: no such rule'),
        ({'rules': 1}, '--track rules=1: no such rule'),
        ({'skip': 1}, 'is a rule of method=path, not of bytetrack'),
        ({'method': 'path', 'num_athletes': 2}, 'is a rule of method=bytetrack, not of path'),
        ({'memory_seconds': 1}, 'is a rule of infer --online'),
        ({'method': 'magic'}, '--track method=magic: must be bytetrack or path'),
        ({'method': ['path']}, 'must be bytetrack or path'),
        (
            dict.fromkeys(['length', 'size', 'centrality', 'motion', 'confidence'], 0),
            'rules length=0 size=0 centrality=0',
        ),
    ],
)
def test_invalid_rules_are_refused_before_anything_is_opened(tmp_path, rules, message):
    with pytest.raises(UserError) as caught:
        build_corpus([tmp_path / 'gone.mp4'], tmp_path / 'c', boxes='mmdet:gone.py', poses='none', tracker=rules)
    assert message in str(caught.value)
    assert not (tmp_path / 'c').exists()


def test_rules_without_use_are_refused(tmp_path):
    with pytest.raises(UserError, match='boxes full have none; omit --track'):
        build_corpus([make_video(tmp_path / 'a.mp4')], tmp_path / 'c', boxes='full', tracker={'motion': 1})
    with pytest.raises(UserError, match='method=path: must be bytetrack with --online'):
        check_rules({'method': 'path'}, online=True)
    rules = {'method': 'path', 'every': 99}
    with pytest.raises(UserError, match=r'every=99: must be .* from 1 to 12, the frames of max_gap_seconds=0\.5 '):
        build_corpus([make_video(tmp_path / 'a.mp4')], tmp_path / 'c', boxes='mmdet:x.py', poses='none', tracker=rules)
    assert not (tmp_path / 'c').exists()
    with pytest.raises(UserError, match='--track size=2: size is given twice'):
        parse_options('--track', ['size=1', 'motion=1', 'size=2'])
