"""Labels of a public data set, and how they become the annotations of a corpus."""

import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..corpus.stale_files import digest, is_current
from ..engine.progress import OnProgress, no_progress
from ..errors import UserError
from ..files import write_lines
from ..structures import (
    Action,
    AthleteTrack,
    PoseSequence,
    load_actions,
    load_classes,
    read_lines,
    save_actions,
    save_classes,
)
from .report import ImportReport, track_progress


@dataclass(frozen=True)
class LabelSet:
    """Labels of one data set; its reader raises UserError where a file is missing or a line or entry is invalid.

    Args:
        sport: Name of the sport, for corpus.json.
        videos: All videos of the data set.
        classes: The line number is the label.
        actions: With their splits.
        few_shot: (k, subset) to action ids, as published.
        localize: Order number to the training videos in that order.
        detect: Intervals of the one class of detection, where these differ from the actions (tennis: also serves).
        tracks: Video to its track, where the data set has boxes.
        poses: Name of a pose set to its poses by video.
        other_counts: Name to number of other things, for the report.
        group: Name of the group that a validation split keeps together, where no lists are published.
        divided: 'athlete', 'video' or 'action', what an automatic split kept together; '' without one.
        dataset: Key of ``vpd_mm.corpus.SPORTS`` that decides windows and splits; '' for none.
    """

    sport: str
    videos: Mapping[str, VideoInfo]
    classes: list[str]
    actions: list[Action]
    few_shot: Mapping[tuple[int, int], list[str]] = field(default_factory=dict)
    localize: Mapping[int, list[str]] = field(default_factory=dict)
    detect: list[Action] = field(default_factory=list)
    tracks: Mapping[str, AthleteTrack] = field(default_factory=dict)
    poses: Mapping[str, Mapping[str, PoseSequence]] = field(default_factory=dict)
    other_counts: Mapping[str, int] = field(default_factory=dict)
    group: Callable[[Action], str] = lambda action: action.video
    divided: str = ''
    dataset: str = ''

    def with_validation(self, share: float, seed: int, split: str = 'val') -> 'LabelSet':
        """Move about ``share`` (in [0, 1)) of the training actions to another split, whole groups at a time.

        Actions that a published few-shot list names stay; where there are lists, the others move one by one.  Groups
        are visited in random order; one moves when its classes still need more than half of its actions.  Every class
        gives about its share, as far as it has such actions, and keeps training actions.  The order of the actions has
        no effect.
        """
        if not 0 <= share < 1:
            raise UserError(f'validation share must lie in [0, 1), found {share}')
        named = set().union(*self.few_shot.values())
        group = (lambda action: action.action_id) if named else self.group
        left = Counter(action.label for action in self.actions if action.split == 'train')
        candidates = [action for action in self.actions if action.split == 'train' and action.action_id not in named]
        groups: dict[str, Counter[int]] = defaultdict(Counter)
        for action in candidates:
            groups[group(action)][action.label] += 1
        wanted = {label: round(share * count) for label, count in left.items()}
        moved = set()
        names = sorted(groups)
        for i in np.random.default_rng(seed).permutation(len(names)):
            members = groups[names[i]]
            gain = sum(min(count, wanted[label]) for label, count in members.items())
            if 2 * gain <= members.total() or any(left[label] <= count for label, count in members.items()):
                continue
            moved.add(names[i])
            left -= members
            wanted = {label: max(0, count - members[label]) for label, count in wanted.items()}
        ids = {action.action_id for action in candidates if group(action) in moved}
        return replace(self, actions=[replace(a, split=split) if a.action_id in ids else a for a in self.actions])

    def counts(self) -> Counter[str]:
        """Return the numbers of videos, classes, actions by split, and lists; those of 0 are left out."""
        splits = Counter(action.split for action in self.actions)
        counts = {
            'videos': len(self.videos),
            'classes': len(self.classes),
            'actions': len(self.actions),
            **{f'actions, {split}': splits[split] for split in ('train', 'val', 'test')},
            'few-shot lists': len(self.few_shot),
            'localisation lists': len(self.localize),
            'swings to detect': len(self.detect),
            **self.other_counts,
        }
        return Counter({name: count for name, count in counts.items() if count})


def import_labels(
    read: Callable[..., LabelSet],
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    val_share: float = 0.0,
    seed: int = 0,
    on_progress: OnProgress = no_progress,
    **options: Any,
) -> ImportReport:
    """Import the labels of one data set; tracks and poses of another source are kept.

    Besides the files of every corpus it writes ``annotations/localize/<i>.txt`` (training videos in one order; the
    first n are the n-shot subset of detection) and ``annotations/detect.csv`` (columns of actions.csv, label 0).
    actions.csv is written last and marks complete labels.

    Args:
        read: ``read_fsjump6``, ``read_tennis7``, ``read_fx35``, ``read_diving48`` or ``read_penn_action``.
        source: Its folder.
        out: The corpus, created when missing.
        val_share, seed: Of the validation split, for data sets without an official one.
        on_progress: Called with (done, total) files of tracks and poses written.
        options: Further arguments of ``read``.

    Raises:
        UserError: a file of the source is invalid, or the output folder is something else, of another sport or has
            other actions; nothing is written.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f'{source}: no such folder')
    labels = read(source, **options).with_validation(val_share, seed)
    check_labels(labels)
    if (Path(out) / 'corpus.json').exists():
        check_corpus(Corpus.open(out), labels)
    corpus = Corpus.create(out, sport=labels.sport, dataset=labels.dataset)
    with corpus.lock():
        check_corpus(corpus, labels)  # under the lock, and before as creating it names the data set
        files: dict[Path, AthleteTrack | PoseSequence] = {corpus.track_path(v): t for v, t in labels.tracks.items()}
        for name, poses in labels.poses.items():
            files |= {corpus.pose_path(name, video): sequence for video, sequence in poses.items()}
        for path, sequence in track_progress(list(files.items()), on_progress):
            content = {name: zlib.crc32(array.tobytes()) for name, array in vars(sequence).items()}
            made_of = {'labels': labels.dataset, 'inputs': {'labels': digest(content)}}
            if not is_current(path, made_of):
                sequence.save(path, made_of)
        with corpus.lock_labels():
            check_corpus(corpus, labels)  # again: somebody may have labelled meanwhile
            write_labels(corpus, labels)
    return ImportReport(labels.counts())


def check_labels(labels: LabelSet) -> None:
    """Raise UserError where there is no action, or a class name or action id is not valid."""
    actions, classes = labels.actions, labels.classes
    if not actions:
        raise UserError('no action is left to import; do the labels and the table of videos belong together?')
    invalid = [name for name in classes if not name or not name.isprintable() or name != name.strip()]
    if invalid or len(set(classes)) < len(classes):
        raise UserError(f'class names must be unique, printable and not empty; found {(invalid or classes)[:1]}')
    num_duplicates = len(actions) - len({action.action_id for action in actions})
    if num_duplicates:
        raise UserError(f'{num_duplicates} action ids are in several splits; are the files of one version?')


def check_corpus(corpus: Corpus, labels: LabelSet) -> None:
    """Raise UserError if the corpus is of another sport, or one of its label files holds something else."""
    if corpus.sport != labels.sport:
        raise UserError(
            f'{corpus.root}/corpus.json: sport is {corpus.sport!r}, importing {labels.sport!r}; pass another --out'
        )
    read_actions = partial(load_actions, all_videos=True)
    known: list[tuple[Path, str, Callable, Sequence]] = [
        (corpus.actions_path, 'actions', read_actions, labels.actions),
        (corpus.detect_path, 'actions', read_actions, labels.detect),
        (corpus.classes_path, 'classes', load_classes, labels.classes),
        *((path, 'lines', read_lines, lines) for path, lines in _lists(corpus, labels).items()),
    ]
    for path, what, read, content in known:
        if content and path.exists() and list(read(path)) != list(content):
            raise UserError(
                f'{path}: holds other {what} than this import (edited, or another --seed or --val-share); move it away '
                'or pass another --out'
            )


def _lists(corpus: Corpus, labels: LabelSet) -> dict[Path, Sequence[str]]:
    lists: dict[Path, Sequence[str]] = {
        corpus.fewshot_path(k, subset): ids for (k, subset), ids in labels.few_shot.items()
    }
    return lists | {corpus.localize_path(i): videos for i, videos in labels.localize.items()}


def write_labels(corpus: Corpus, labels: LabelSet) -> None:
    """Write the lists, the classes and, last, the actions of a data set into a corpus."""
    known = corpus.videos()
    corpus.add_videos(info for name, info in labels.videos.items() if name not in known)
    for path, lines in _lists(corpus, labels).items():
        write_lines(path, lines)
    if labels.detect:
        save_actions(corpus.detect_path, labels.detect)
    save_classes(corpus.classes_path, labels.classes)
    save_actions(corpus.actions_path, labels.actions)
