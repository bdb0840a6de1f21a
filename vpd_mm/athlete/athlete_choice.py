"""Choose the athletes among the people of a shot."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError


@dataclass(frozen=True, eq=False)
class Tracklet:
    """Boxes of one person between the tracker's losses.

    Args:
        frame_inds: (T,) int64, increasing.
        boxes: (T, 4) float32 xyxy, px.
        scores: (T,) float32.
    """

    frame_inds: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def concatenate(cls, parts: list['Tracklet']) -> 'Tracklet':
        """Concatenate tracklets that follow each other in time."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ('frame_inds', 'boxes', 'scores')))

    def __len__(self) -> int:
        return len(self.frame_inds)

    @property
    def centers(self) -> np.ndarray:
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @property
    def heights(self) -> np.ndarray:
        return self.boxes[:, 3] - self.boxes[:, 1]


@dataclass(frozen=True)
class ChoiceRules:
    """Weights of the athlete score and limits for joining tracklets.

    A person's score is the weighted mean of five terms in [0, 1]; the best ``num_athletes`` of each shot are the
    athletes.

    Args:
        length: Weight of the share of the shot's frames in which the person has a box.
        size: Weight of the median square root of the box area, relative to the largest person of the shot.
        centrality: Weight of the median closeness to the frame center: 1 at the center, 0 at a corner.
        motion: Weight of m / (1 + m), m = standard deviation of the box center in body heights.  Low by default,
            because passers-by move too.
        confidence: Weight of the mean detection score.
        min_score: People with a lower score are never athletes.
        join_seconds: Longest time between two tracklets of one person.
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
        weights = (self.length, self.size, self.centrality, self.motion, self.confidence)
        if min(weights) < 0 or sum(weights) <= 0:
            raise UserError(f'ChoiceRules: weights must be >= 0 and not all 0, got {weights}')


def choose_athletes(
    tracklets: list[Tracklet],
    num_athletes: int,
    shot_frames: int,
    frame_size: tuple[int, int],
    fps: float,
    rules: ChoiceRules,
    min_frames: int = 1,
) -> list[Tracklet]:
    """Choose the athletes of one shot, best first.

    Args:
        tracklets: Tracklets of all people in the shot.
        num_athletes: Largest number of athletes to return.
        shot_frames: Length of the shot.
        frame_size: (width, height), px.
        fps: Frames per second.
        rules: Weights and joining limits.
        min_frames: People with fewer boxes after joining are ignored.
    """
    people = [person for person in join_tracklets(tracklets, fps, rules) if len(person) >= min_frames]
    scores = score_people(people, shot_frames, frame_size, rules)
    order = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= rules.min_score]
    return [people[i] for i in order[:num_athletes]]


def join_tracklets(tracklets: list[Tracklet], fps: float, rules: ChoiceRules) -> list[Tracklet]:
    """Join tracklets of one person across gaps, the closest pairs first; sorted by first frame."""
    tracklets = sorted(tracklets, key=lambda t: int(t.frame_inds[0]))
    starts = np.array([t.frame_inds[0] for t in tracklets])
    links = []
    for a, first in enumerate(tracklets):
        end = first.frame_inds[-1]
        for b in range(*np.searchsorted(starts, (end + 1, end + rules.join_seconds * fps + 1))):
            cost = _gap_cost(first, tracklets[b], fps, rules)
            if cost is not None:
                links.append((cost, a, b))
    successor: dict[int, int] = {}
    joined: set[int] = set()
    for _, a, b in sorted(links):
        if a not in successor and b not in joined:
            successor[a] = b
            joined.add(b)
    people = []
    for start in (i for i in range(len(tracklets)) if i not in joined):
        chain = [start]
        while chain[-1] in successor:
            chain.append(successor[chain[-1]])
        people.append(Tracklet.concatenate([tracklets[i] for i in chain]))
    return people


def score_people(
    people: list[Tracklet], shot_frames: int, frame_size: tuple[int, int], rules: ChoiceRules
) -> np.ndarray:
    """Return the score (N,) in [0, 1] of each person of a shot; see :class:`ChoiceRules`."""
    if not people:
        return np.zeros(0)
    middle = np.array(frame_size) / 2
    areas = [np.median(np.prod(p.boxes[:, 2:] - p.boxes[:, :2], axis=1)) for p in people]
    spread = np.array([np.hypot(*p.centers.std(axis=0)) / np.median(p.heights) for p in people])
    off_center = np.array([np.median(np.hypot(*(p.centers - middle).T)) for p in people]) / np.hypot(*middle)
    terms = {
        'length': np.array([len(p) / shot_frames for p in people]),
        'size': np.sqrt(areas / np.max(areas)),
        'centrality': np.clip(1 - off_center, 0, 1),
        'motion': spread / (1 + spread),
        'confidence': np.array([p.scores.mean() for p in people]),
    }
    weights = {name: getattr(rules, name) for name in terms}
    return sum(weights[name] * term for name, term in terms.items()) / sum(weights.values())


def _gap_cost(first: Tracklet, second: Tracklet, fps: float, rules: ChoiceRules) -> float | None:
    """Return seconds plus body heights between two tracklets; None where the rules do not allow to join them."""
    seconds = (int(second.frame_inds[0]) - int(first.frame_inds[-1])) / fps
    if not 0 < seconds <= rules.join_seconds:
        return None
    # Medians over a few boxes: the last one before an occlusion is often cut in half.
    heights = np.median(first.heights[-5:]), np.median(second.heights[:5])
    distance = float(np.hypot(*(second.centers[0] - first.centers[-1]))) / float(np.mean(heights))
    too_far = distance > rules.join_heights + rules.join_speed * seconds
    if too_far or max(heights) > rules.join_size * min(heights):
        return None
    return seconds + distance
