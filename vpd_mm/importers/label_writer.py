"""Labels become the ``annotations`` of a corpus."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..corpus import Corpus, VideoInfo
from ..errors import UserError
from ..structures import Action, atomic_write, load_actions, save_actions, save_classes
from .labels import LabelSet
from .report import ImportReport


def open_corpus(out: str | os.PathLike, sport: str) -> Corpus:
    """Make the corpus, or open it where it is one of the same sport.

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
        out: The corpus, made when missing.
        val_share: Share of the training actions that become 'val', by source
            video; for data sets without an official validation split.
        seed: Of that split.
        options: Further arguments of ``read``.

    Raises:
        UserError: a file of the source is off, or the output folder is
            something else; nothing is written then.
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
    """Write videos.csv, the lists and classes.txt, and actions.csv last: without it there are no labels.

    Besides the layout's files: ``annotations/localize/<i>.txt`` (training
    videos in one order; the first n are the n-shot subset of detection) and
    ``annotations/detect.csv`` (columns of actions.csv, label 0 = swing).

    Raises:
        UserError: the corpus has other actions already.
    """
    actions = _checked(labels.actions)
    if corpus.actions_path.exists() and load_actions(corpus.actions_path) != actions:
        raise UserError(
            f'{corpus.actions_path}: holds other actions than this import (edited, or another --seed or --val-share); '
            'delete it or pass another --out'
        )
    known = corpus.videos()
    rows = [VideoInfo(name, '', *meta) for name, meta in labels.videos.items() if name not in known]
    corpus.add_videos(rows)
    annotations = corpus.actions_path.parent
    for (k, trial), ids in labels.few_shot.items():
        _write_lines(corpus.fewshot_path(k, trial), ids)
    for i, videos in labels.localize.items():
        _write_lines(annotations / 'localize' / f'{i}.txt', videos)
    if labels.detect:
        save_actions(annotations / 'detect.csv', labels.detect)
    save_classes(corpus.classes_path, labels.classes)
    save_actions(corpus.actions_path, actions)


def _checked(actions: list[Action]) -> list[Action]:
    if not actions:
        raise UserError('no action is left to import; do the labels and the table of videos belong together?')
    ids = {action.action_id for action in actions}
    if len(ids) != len(actions):
        raise UserError(f'{len(actions) - len(ids)} action ids stand in several splits; are the files of one version?')
    return actions


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path, 'w') as f:
        f.writelines(f'{line}\n' for line in lines)
