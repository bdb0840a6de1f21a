"""What the labels of a public release come to, before and after they are a corpus."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..structures import Action
from .splits import add_validation
from .video_table import VideoMeta


@dataclass(frozen=True)
class LabelSet:
    """Labels of one data set.

    Args:
        sport: Name of the sport, for corpus.json.
        videos: Every video that may be asked for.
        classes: The line number is the label.
        actions: With their splits.
        few_shot: (k, trial) to action ids, as published.
        localize: Order number to the training videos in that order.
        detect: Intervals of the one class that detection looks for, where
            these are not the actions (tennis: serves count too).
        left_out: What was left out, and how many.
        group: Names what a validation split must not tear apart.
    """

    sport: str
    videos: Mapping[str, VideoMeta]
    classes: list[str]
    actions: list[Action]
    few_shot: Mapping[tuple[int, int], list[str]] = field(default_factory=dict)
    localize: Mapping[int, list[str]] = field(default_factory=dict)
    detect: list[Action] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    group: Callable[[Action], str] = lambda action: action.video

    def with_validation(self, share: float, seed: int) -> 'LabelSet':
        """Add a validation split out of 'train' by ``group``; see :func:`.splits.add_validation`."""
        rng = np.random.default_rng(seed)
        return replace(self, actions=add_validation(self.actions, share, rng, self.group))

    def counts(self) -> dict[str, int]:
        """What a person wants to see: videos, classes, actions by split, lists."""
        splits = Counter(action.split for action in self.actions)
        order = [s for s in ('train', 'val', 'test') if s in splits]
        lists = {'few-shot lists': len(self.few_shot), 'localisation lists': len(self.localize)}
        lists['swings to detect'] = len(self.detect)
        return {
            'videos': len(self.videos),
            'classes': len(self.classes),
            'actions': len(self.actions),
            **{f'actions, {split}': splits[split] for split in order},
            **{name: count for name, count in (lists | dict(self.left_out)).items() if count},
        }


def split_id(action_id: str, path: Path, form: str) -> list[str]:
    """``a:b:c`` -> its three parts.

    Raises:
        UserError: the id has another form.
    """
    parts = action_id.split(':')
    if len(parts) != 3 or not all(parts):
        raise UserError(f'{path}: id {action_id!r} is not of the form {form}')
    return parts


def check_interval(action_id: str, path: Path, videos: Mapping[str, VideoMeta]) -> tuple[str, int, int]:
    """``<video>:<start>:<end>`` -> its parts, checked against the table of videos.

    Raises:
        UserError: another form, an unknown video, or an interval that leaves it.
    """
    video, *ends = split_id(action_id, path, '<video>:<start>:<end>')
    if not all(end.isdigit() for end in ends):
        raise UserError(f'{path}: id {action_id!r} is not of the form <video>:<start>:<end>')
    if video not in videos:
        raise UserError(f'{path}: {action_id}: the video is not in the table; pass the --meta of this release')
    start, end = (int(end) for end in ends)
    if not start < end <= videos[video].num_frames:
        raise UserError(
            f'{path}: {action_id}: needs start < end <= {videos[video].num_frames}, the frames of the video'
        )
    return video, start, end
