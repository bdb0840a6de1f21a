"""Score the people of a shot and join the pieces of their tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..structures import AthleteTrack


@dataclass(frozen=True)
class ChoiceRules:
    """Weights of the athlete score and limits for joining tracks.

    A person's score is the weighted mean of five terms in [0, 1]; the best ``num_athletes`` of each shot are the
    athletes.

    Args:
        length: Weight of the share of the shot's frames in which the person has a box.
        size: Weight of the median square root of the box area, relative to the largest person of the shot.
        centrality: Weight of the median closeness to the frame center: 1 at the center, 0 at a corner.
        motion: Weight of m / (1 + m), m = standard deviation of the box center around a motion of constant velocity,
            as of passers-by, in body heights.
        confidence: Weight of the mean detection score.
        min_score: People with a lower score are never athletes.
        join_seconds: Longest time between two tracks of one person.
        join_heights: Longest distance between them in body heights,
        join_speed: plus this many body heights for each second in between.
        join_size: Largest ratio of their heights.
    """

    length: float = 1.0
    size: float = 1.0
    centrality: float = 0.5
    motion: float = 0.25
    confidence: float = 0.25
    min_score: float = 0.0
    join_seconds: float = 3.0
    join_heights: float = 0.75
    join_speed: float = 1.5
    join_size: float = 2.0

    def __post_init__(self) -> None:
        names = ('length', 'size', 'centrality', 'motion', 'confidence')
        weights = [getattr(self, name) for name in names]
        if min(weights) < 0 or sum(weights) <= 0:
            given = ' '.join(f'{name}={weight:g}' for name, weight in zip(names, weights, strict=True))
            raise UserError(f'rules {given}: must be 0 or more, one of them above 0')


def score_people(
    people: Sequence[AthleteTrack], shot_frames: int, frame_size: tuple[int, int], rules: ChoiceRules
) -> np.ndarray:
    """Return the score (N,) in [0, 1] of each person of a shot of ``shot_frames``; see :class:`ChoiceRules`."""
    if not people:
        return np.zeros(0)
    middle = np.array(frame_size) / 2
    areas = [np.median(np.prod(p.boxes[:, 2:] - p.boxes[:, :2], axis=1)) for p in people]
    spread = np.array([np.hypot(*_uneven(p).std(axis=0)) / np.median(_heights(p)) for p in people])
    off_center = np.array([np.median(np.hypot(*(_centers(p) - middle).T)) for p in people]) / np.hypot(*middle)
    terms = {
        'length': np.array([len(p) / shot_frames for p in people]),
        'size': np.sqrt(areas / np.max(areas)),
        'centrality': np.clip(1 - off_center, 0, 1),
        'motion': spread / (1 + spread),
        'confidence': np.array([p.scores.mean() for p in people]),
    }
    weights = {name: getattr(rules, name) for name in terms}
    return sum(weights[name] * term for name, term in terms.items()) / sum(weights.values())


def join_tracks(tracks: Sequence[AthleteTrack], fps: float, rules: ChoiceRules) -> list[AthleteTrack]:
    """Join the tracks of one person across gaps, the closest pairs first; sorted by first frame."""
    tracks = sorted(tracks, key=lambda track: int(track.frame_inds[0]))
    starts = np.array([track.frame_inds[0] for track in tracks])
    links = []
    for a, first in enumerate(tracks):
        end = first.frame_inds[-1]
        for b in range(*np.searchsorted(starts, (end, end + rules.join_seconds * fps), side='right')):
            cost = _gap_cost(first, tracks[b], fps, rules)
            if cost is not None:
                links.append((cost, a, b))
    successor: dict[int, int] = {}
    joined: set[int] = set()
    for _, a, b in sorted(links):
        if a not in successor and b not in joined:
            successor[a] = b
            joined.add(b)
    people = {i: [track] for i, track in enumerate(tracks)}
    for a in sorted(successor, reverse=True):
        people[a] += people.pop(successor[a])
    return [concatenate(parts) for parts in people.values()]


def concatenate(tracks: Sequence[AthleteTrack]) -> AthleteTrack:
    """Concatenate tracks that follow each other in time; no tracks give an empty one."""
    empty = AthleteTrack(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    names = ('frame_inds', 'boxes', 'scores')
    return AthleteTrack(*(np.concatenate([getattr(track, name) for track in (empty, *tracks)]) for name in names))


def _gap_cost(first: AthleteTrack, second: AthleteTrack, fps: float, rules: ChoiceRules) -> float | None:
    """Return seconds plus body heights between two tracks; None where the rules do not allow to join them."""
    seconds = (int(second.frame_inds[0]) - int(first.frame_inds[-1])) / fps
    # Medians over a few boxes: the last one before an occlusion is often cut in half.
    heights = np.median(_heights(first)[-5:]), np.median(_heights(second)[:5])
    distance = float(np.hypot(*(_centers(second)[0] - _centers(first)[-1]))) / float(np.mean(heights))
    too_far = distance > rules.join_heights + rules.join_speed * seconds
    if too_far or max(heights) > rules.join_size * min(heights):
        return None
    return seconds + distance


def _centers(track: AthleteTrack) -> np.ndarray:
    return (track.boxes[:, :2] + track.boxes[:, 2:]) / 2


def _uneven(track: AthleteTrack) -> np.ndarray:
    """Return the centers minus the line of constant velocity that fits them best."""
    times, centers = track.frame_inds - track.frame_inds.mean(), _centers(track) - _centers(track).mean(axis=0)
    return centers - np.outer(times, times @ centers / max(times @ times, 1))


def _heights(track: AthleteTrack) -> np.ndarray:
    return track.boxes[:, 3] - track.boxes[:, 1]
