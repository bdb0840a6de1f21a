"""Rules of the trackers, as given by ``--track RULE=VALUE``: defaults, units, ranges and meaning."""

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .athlete_choice import ChoiceRules
from .athlete_tracker import AthleteTracker, OnlineTracker, ShotTracker
from .path_tracker import PathRules, PathTracker

#: Method to its tracker and the weights that it takes.
METHODS: dict[str, tuple[type[ShotTracker], type]] = {
    'bytetrack': (AthleteTracker, ChoiceRules),
    'path': (PathTracker, PathRules),
}
ONLINE = (OnlineTracker, ChoiceRules)
#: Rules that only the online tracker has.
ONLINE_RULES = frozenset(['memory_seconds', 'switch_margin'])
_NO_RULES = frozenset(['fps', 'frame_size', 'rules', 'options'])


@dataclass(frozen=True)
class Rule:
    """A rule: meaning, unit, and the range of its numbers, ends included."""

    meaning: str
    unit: str = ''
    least: float = 0
    most: float = 1e6


#: All rules by name; their defaults are those of the trackers.
RULES = {
    'num_athletes': Rule('athletes per shot', '', 1, 100),
    'min_seconds': Rule('shortest presence of an athlete in a shot', 's'),
    'max_gap_seconds': Rule('longest gap in a track that is filled', 's'),
    'high_score': Rule('least score of a detection that starts a track', '', 0, 1),
    'min_iou': Rule('least overlap of a detection and the predicted box', 'IoU', 0, 1),
    'cut_threshold': Rule('least change of a frame that begins a shot; above 1 the video is one shot', '', 0, 2),
    'memory_seconds': Rule('time over which people are scored', 's', 0.01),
    'switch_margin': Rule('lead in score at which the athlete changes', '', 0, 1),
    'length': Rule('weight of the share of frames with a box'),
    'size': Rule('weight of the size'),
    'centrality': Rule('weight of the closeness to the center'),
    'motion': Rule('weight of a movement that is not of constant velocity'),
    'confidence': Rule('weight of the detection score'),
    'min_score': Rule('least score of an athlete, the weighted mean of these five', '', 0, 1),
    'join_seconds': Rule('longest time between two tracks of one person', 's'),
    'join_heights': Rule('longest distance between them', 'body heights'),
    'join_speed': Rule('further distance for each second in between', 'body heights / s'),
    'join_size': Rule('largest ratio of their heights', '', 1),
    'smooth_seconds': Rule('window in which the boxes are smoothed', 's'),
    'every': Rule('interval of the detector, within max_gap_seconds', 'frames', 1),
    'overlap': Rule('weight of the overlap with the box before'),
    'colours': Rule('weight of the similarity of colors'),
    'skip': Rule('cost of a frame without a detection'),
    'least': Rule('least median detection score of an athlete', '', 0, 1),
}


def default_rules(tracker: type[ShotTracker], weights: type) -> dict[str, int | float]:
    """Return the rules of a tracker and its weights with their defaults."""
    kinds = [base for base in tracker.__mro__ if issubclass(base, ShotTracker) and base is not ShotTracker]
    parameters = {n: p for kind in (weights, *kinds) for n, p in inspect.signature(kind).parameters.items()}
    return {name: parameters[name].default for name in RULES if name in parameters.keys() - _NO_RULES}


def build_tracker(rules: Mapping[str, Any], fps: float, frame_size: tuple[int, int], online: bool = False) -> Any:
    """Build a tracker from its rules, by name; UserError as of :func:`check_rules`, or where ``every`` is too large.

    The rule ``method`` is 'bytetrack' (``AthleteTracker`` or ``OnlineTracker``, with ``ChoiceRules``), or 'path'
    (``PathTracker``, with ``PathRules``: one athlete, weak detector, not online).
    """
    kind, weights = check_rules(rules, online)
    of_weights = inspect.signature(weights).parameters
    values = {name: value for name, value in rules.items() if name != 'method'}
    own = weights(**{name: value for name, value in values.items() if name in of_weights})
    return kind(fps, frame_size, rules=own, **{k: v for k, v in values.items() if k not in of_weights})


def check_rules(rules: Mapping[str, Any], online: bool = False) -> tuple[Any, Any]:
    """Return tracker and weights of the rules; UserError: a rule is unknown or has no valid value."""
    methods = {'bytetrack': ONLINE} if online else METHODS
    method = rules.get('method', 'bytetrack')
    if not isinstance(method, str) or method not in methods:
        raise UserError(f'--track method={method}: must be {" or ".join(methods)}{" with --online" * online}')
    tracker, weights = methods[method]
    defaults = default_rules(tracker, weights)
    for name, value in rules.items():
        if name == 'method':
            continue
        if name not in defaults:
            raise UserError(f'--track {name}={value}: {_unknown(name, method, list(defaults))}')
        rule, whole = RULES[name], isinstance(defaults[name], int)
        valid = type(value) is int or (type(value) is float and not whole)
        if not valid or not rule.least <= value <= rule.most:
            raise UserError(f'--track {name}={value}: must be a {_allowed(rule, whole)}; default {defaults[name]}')
    of_weights = inspect.signature(weights).parameters
    weights(**{name: value for name, value in rules.items() if name in of_weights})
    return tracker, weights


def rules_help() -> str:
    """Describe all rules, one a line."""
    lines = ['rules of --track: RULE=DEFAULT, what is allowed, meaning']
    text = 'path: one athlete, by the best path through weak detections'
    lines.append(f'  {"method=bytetrack":22} {"bytetrack, path":30} {text}')
    for method, kinds in METHODS.items():
        lines.append(f'rules of method={method}:')
        for name, value in default_rules(*kinds).items():
            allowed = _allowed(RULES[name], isinstance(value, int))
            lines.append(f'  {f"{name}={value:g}":22} {allowed:30} {RULES[name].meaning}')
    return '\n'.join(lines)


def _allowed(rule: Rule, whole: bool) -> str:
    span = f', {rule.least:g} or more' if rule.most == Rule.most else f' from {rule.least:g} to {rule.most:g}'
    return f'{"whole " * whole}number{span}{rule.unit and f" {rule.unit}"}'


def _unknown(name: str, method: str, known: list[str]) -> str:
    for other, kinds in METHODS.items():
        if other != method and name in default_rules(*kinds):
            return f'is a rule of method={other}, not of {method}'
    if name in ONLINE_RULES:
        return 'is a rule of infer --online'
    near = difflib.get_close_matches(name, known, n=1)
    return f'no such rule{f"; {near[0]}?" if near else ""}; there are {", ".join(known)}, method'
