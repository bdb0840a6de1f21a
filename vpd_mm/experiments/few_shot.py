"""The few-shot protocol (paper 4.1): fixed subsets of k actions a class."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..corpus import Corpus
from ..errors import UserError
from ..structures import Action, atomic_write, load_actions, load_classes


def draw_few_shot(
    actions: Sequence[Action], k: int, rng: np.random.Generator, classes: Sequence[str], allow_short: bool = False
) -> list[str]:
    """Draw k training actions of every class; returns their sorted ids.

    Args:
        actions: All actions; only those of split 'train' are drawn.
        k: Actions a class.
        rng: Source of the draw.
        classes: Names of the classes.
        allow_short: Take all actions of a class with fewer than k.

    Raises:
        UserError: a class has none, or fewer than k and ``allow_short`` is off.
    """
    by_label: dict[int, list[str]] = defaultdict(list)
    for action in actions:
        if action.split == 'train':
            by_label[action.label].append(action.action_id)
    short = {name: len(by_label[i]) for i, name in enumerate(classes) if len(by_label[i]) < (1 if allow_short else k)}
    if short:
        names = ', '.join(f'{name} ({count})' for name, count in short.items())
        hint = 'these classes need training actions' if allow_short else 'pass a smaller k or --allow-short'
        raise UserError(f'k={k} is more than the training actions of {names}; {hint}')
    chosen: list[str] = []
    for label in range(len(classes)):
        ids = sorted(by_label[label])
        chosen += [ids[i] for i in rng.permutation(len(ids))[:k]]
    return sorted(chosen)


def few_shot_list(corpus: Corpus, k: int, subset: int, allow_short: bool = False) -> Path:
    """Path of the list ``annotations/fewshot/<k>_<subset>.txt``; one that is missing is drawn with seed (k, subset)."""
    path = corpus.fewshot_path(k, subset)
    if path.is_file():
        return path
    classes = load_classes(corpus.classes_path)
    actions = load_actions(corpus.actions_path, len(classes))
    ids = draw_few_shot(actions, k, np.random.default_rng((k, subset)), classes, allow_short)
    if len(ids) < k * len(classes):
        logging.getLogger(__name__).warning('%s: some classes have fewer than %d training actions', path, k)
    with atomic_write(path, 'w') as f:
        f.writelines(f'{action_id}\n' for action_id in ids)
    return path
