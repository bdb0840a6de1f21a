"""Assignment of labels to folds, which stays the same from one training to the next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..corpus import VideoInfo
from ..structures import Action

NUM_FOLDS = 3


class Folds(NamedTuple):
    """Fold in which each label is left out.

    Args:
        unit: 'video': the labels of one video file are in one fold, so that models are tested on other videos; 'label':
            single labels, where fewer files than folds have labels.
        of_unit: Video file, or action id, to fold.
    """

    unit: str
    of_unit: Mapping[str, int]

    def of(self, action: Action, videos: Mapping[str, VideoInfo]) -> int:
        """Fold of an action."""
        return self.of_unit[_unit(self.unit, action, videos)]


def _unit(kind: str, action: Action, videos: Mapping[str, VideoInfo]) -> str:
    return videos[action.video].file if kind == 'video' else action.action_id


def assign_folds(actions: Sequence[Action], videos: Mapping[str, VideoInfo], before: Folds | None = None) -> Folds:
    """Assign labels to folds; those of an earlier training stay where they were.

    A model that starts from the one of its fold has then never seen the labels that it is tested on.  A new unit goes
    to the fold with the fewest labels of its most frequent class, at a tie to that with the fewest labels.

    Example:
        >>> folds = assign_folds(actions, corpus.videos())
        >>> assign_folds(actions + new, corpus.videos(), folds).of(actions[0], videos) == folds.of(actions[0], videos)
        True
    """
    kind = 'video' if len({videos[action.video].file for action in actions}) >= NUM_FOLDS else 'label'
    members: dict[str, Counter] = {}
    for action in sorted(actions, key=lambda a: (a.video, a.start_frame, a.action_id)):
        members.setdefault(_unit(kind, action, videos), Counter())[action.label] += 1
    known = dict(before.of_unit) if before and before.unit == kind else {}
    counts = [Counter[int]() for _ in range(NUM_FOLDS)]
    for unit, fold in known.items():
        counts[fold] += members.get(unit, Counter())
    for unit in sorted(members.keys() - known.keys(), key=lambda u: (-members[u].total(), u)):
        label = members[unit].most_common(1)[0][0]
        fold = min(range(NUM_FOLDS), key=lambda i: (counts[i][label], counts[i].total(), i))
        known[unit] = fold
        counts[fold] += members[unit]
    return Folds(kind, known)
