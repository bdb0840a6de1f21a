"""Labels of a public data set, and how they become the annotations of a corpus."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..errors import UserError
from ..structures import Action, atomic_write, load_actions, save_actions, save_classes
from .id_lists import add_validation
from .report import ImportReport
from .video_table import VideoMeta


@dataclass(frozen=True)
class LabelSet:
    """Labels of one data set.

    Args:
        sport: Name of the sport, for corpus.json.
        videos: All videos of the data set.
        classes: The line number is the label.
        actions: With their splits.
        few_shot: (k, subset) to action ids, as published.
        localize: Order number to the training videos in that order.
        detect: Intervals of the one class of detection, where these differ from the actions (tennis: also serves).
        left_out: Name to number of what was left out.
        group: Name of the group that a validation split keeps together.
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
        """Add a validation split from 'train' by ``group``; see :func:`.id_lists.add_validation`."""
        rng = np.random.default_rng(seed)
        return replace(self, actions=add_validation(self.actions, share, rng, self.group))

    def counts(self) -> dict[str, int]:
        """Return the numbers of videos, classes, actions by split, and lists."""
        splits = Counter(action.split for action in self.actions)
        lists = {'few-shot lists': len(self.few_shot), 'localisation lists': len(self.localize)}
        lists |= {'swings to detect': len(self.detect), **self.left_out}
        return {
            'videos': len(self.videos),
            'classes': len(self.classes),
            'actions': len(self.actions),
            **{f'actions, {split}': splits[split] for split in ('train', 'val', 'test') if split in splits},
            **{name: count for name, count in lists.items() if count},
        }


def open_corpus(out: str | os.PathLike, sport: str) -> Corpus:
    """Create the corpus, or open an existing one of the same sport.

    Raises:
        UserError: the folder holds something else, or another sport.
    """
    corpus = Corpus.create(out, sport=sport)
    if corpus.sport != sport:
        raise UserError(f'{out}/corpus.json: sport is {corpus.sport!r}, importing {sport!r}; pass another --out')
    return corpus


def import_labels(
    read: Callable[..., LabelSet],
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    val_share: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> ImportReport:
    """Import the labels of one data set.

    Args:
        read: ``read_fsjump6``, ``read_tennis7``, ``read_fx35`` or ``read_diving48``.
        source: Its folder.
        out: The corpus, created when missing.
        val_share: Share of the training actions that become 'val', by source video; for data sets without an official
            validation split.
        seed: Of that split.
        options: Further arguments of ``read``.

    Raises:
        UserError: a file of the source is invalid, or the output folder is something else; then nothing is written.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f'{source}: no such folder')
    labels = read(source, **options)
    if val_share:
        labels = labels.with_validation(val_share, seed)
    corpus = open_corpus(out, labels.sport)
    with corpus.lock():
        write_labels(corpus, labels)
    return ImportReport(labels.counts())


def write_labels(corpus: Corpus, labels: LabelSet) -> None:
    """Write videos.csv, the lists and classes.txt, and actions.csv last, which marks complete labels.

    Besides the files of every corpus: ``annotations/localize/<i>.txt`` (training videos in one order; the first n are
    the n-shot subset of detection) and ``annotations/detect.csv`` (columns of actions.csv, label 0 = swing).

    Raises:
        UserError: there is no action, an id occurs twice, or the corpus has other actions.
    """
    actions = labels.actions
    if not actions:
        raise UserError('no action is left to import; do the labels and the table of videos belong together?')
    num_duplicates = len(actions) - len({action.action_id for action in actions})
    if num_duplicates:
        raise UserError(f'{num_duplicates} action ids are in several splits; are the files of one version?')
    if corpus.actions_path.exists() and load_actions(corpus.actions_path) != actions:
        raise UserError(
            f'{corpus.actions_path}: holds other actions than this import (edited, or another --seed or --val-share); '
            'delete it or pass another --out'
        )
    known = corpus.videos()
    corpus.add_videos(VideoInfo(name, '', *meta) for name, meta in labels.videos.items() if name not in known)
    annotations = corpus.actions_path.parent
    for (k, subset), ids in labels.few_shot.items():
        _write_lines(corpus.fewshot_path(k, subset), ids)
    for i, videos in labels.localize.items():
        _write_lines(annotations / 'localize' / f'{i}.txt', videos)
    if labels.detect:
        save_actions(annotations / 'detect.csv', labels.detect)
    save_classes(corpus.classes_path, labels.classes)
    save_actions(corpus.actions_path, actions)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path, 'w') as f:
        f.writelines(f'{line}\n' for line in lines)
