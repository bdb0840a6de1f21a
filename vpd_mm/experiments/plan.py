"""From a comparison to its runs: what each one trains on, and the key that identifies its result."""

import errno
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config

from ..corpus import Corpus
from ..corpus.stale_files import digest
from ..engine.config import merge_values, read_config
from ..engine.option_check import check_fields
from ..errors import UserError, listed
from ..features import select_actions
from ..features.clips import split_names
from ..features.corpus_config import adapt_config, datasets_of
from ..features.corpus_content import CorpusContent, feature_names, settings_digest
from ..files import atomic_write, read_text
from ..structures import Action, load_actions, load_classes
from .spec import Method, Section, Spec


@dataclass(frozen=True, eq=False)
class Run:
    """One model, one search, or one ensemble.

    Args:
        section, method: Name of its table, and row of it.
        corpus: Folder of the corpus.
        k, subset: Actions a class, or labelled videos of detection, and index of the fixed subset; None and 0 = all.
        seed: Seed of weights and batches.
        split: Training data: a list of ids or videos relative to the corpus, or 'train'.
        protocol: As in :class:`Spec`.
        selected_on: Split on which the checkpoint (detection: the threshold) is selected, or 'folds'; '' where none is.
        settings: Digest of the config, the labels and the content of the features.
        features: Features that it reads, joined by ``+``.
        key: Digest of everything that decides the result; names its files.
        cfg: Config on this corpus and these features; of nearest neighbours, arguments of ``load_clips``.
        members: The averaged runs (ensembles).
    """

    section: str
    method: Method
    corpus: str
    k: int | None
    subset: int
    seed: int
    split: str
    protocol: str
    selected_on: str
    settings: str
    features: str
    key: str
    cfg: Mapping[str, Any] = field(default_factory=dict)
    members: tuple['Run', ...] = ()

    @property
    def config(self) -> str:
        """Name of the config; of an ensemble, those of its members."""
        if self.members:
            return ' + '.join(dict.fromkeys(run.config or run.features for run in self.members))
        return (self.method.config_all if self.k is None else '') or self.method.config

    @property
    def stream(self) -> str:
        """Input stream; of an ensemble, those of its members."""
        return self.method.stream or ' + '.join(dict.fromkeys(run.stream for run in self.members if run.stream))

    @property
    def name(self) -> str:
        """Text for messages."""
        few = 'all' if self.k is None else f'k={self.k} subset {self.subset}'
        return f'{self.method.name}, {few}, seed {self.seed}'


class Plan(NamedTuple):
    """Planned runs, in the order of the tables, and the methods that cannot run.

    A run of two tables is listed once for each, under one key.
    """

    runs: list[Run]
    problems: dict[str, str]

    def why(self) -> str:
        """The problems, each cause once: 'A, B: cause; C: cause'."""
        names: dict[str, list[str]] = {}
        for name, cause in self.problems.items():
            names.setdefault(cause, []).append(name)
        return '; '.join(f'{", ".join(those)}: {cause}' for cause, those in names.items())


def fit_ks(spec: Spec) -> tuple[Spec, str]:
    """Leave out the default ks for which a class has too few training actions and the corpus no lists.

    Returns the comparison, and a line that says what was left out ('' = nothing).

    Raises:
        UserError: the corpus is missing or has no labels.
    """
    sections, note = list(spec.sections), ''
    for i, section in enumerate(sections):
        if not section.fit:
            continue
        corpus = Corpus.open(spec.corpus)
        classes = load_classes(corpus.classes_path)
        labels = [a.label for a in load_actions(corpus.actions_path, len(classes)) if a.split == 'train']
        counts = np.bincount(labels, minlength=len(classes))
        least = int(counts.argmax() if spec.allow_short else counts.argmin())
        listed = {k for k in section.ks if k and all(corpus.fewshot_path(k, i).is_file() for i in range(spec.subsets))}
        ks = tuple(k for k in section.ks if k is None or k <= counts[least] or k in listed)
        if left := [str(k) for k in section.ks if k not in ks]:
            few = f'class {classes[least]} has {counts[least]} training actions, too few for {", ".join(left)}'
            note = f'k = {", ".join(str(k or "all") for k in ks)}: {few}'
            sections[i] = replace(section, ks=ks)
    return replace(spec, sections=tuple(sections)), note


def plan_runs(spec: Spec) -> Plan:
    """List the runs of a comparison; few-shot lists that the corpus lacks are drawn and written.

    Raises:
        UserError: the corpus is missing or has no labels.
    """
    corpus = Corpus.open(spec.corpus)
    load_actions(corpus.actions_path)
    content = CorpusContent(corpus)
    runs: list[Run] = []
    problems: dict[str, str] = {}
    for section in spec.sections:
        by_name = {method.name: method for method in section.methods}
        planned: dict[str, list[Run]] = {}
        for name in TopologicalSorter({name: method.of for name, method in by_name.items()}).static_order():
            try:
                method = by_name[name]
                is_ensemble = method.kind == 'ensemble'
                own = _ensembles(method, planned) if is_ensemble else _runs(spec, section, method, content)
                planned[name] = list(own)
            except UserError as e:
                problems[name], planned[name] = str(e), []
        runs += [run for name in by_name for run in planned[name]]
    return Plan(runs, problems)


def _runs(spec: Spec, section: Section, method: Method, content: 'CorpusContent') -> Iterator[Run]:
    corpus = content.corpus
    for k in section.ks:
        selected_on, first_seed = '', 0
        if method.kind in ('nearest', 'retrieve'):
            sport, features = corpus.settings(spec.protocol), split_names(method.features)
            cfg = {'features': features, 'allow_missing': spec.allow_missing}
            read = [list(map(content.features, features)), content.labels]
            settings = digest([spec.allow_missing, *read, vars(sport.window), sport.fps, sport.train_splits])
        else:
            config = method_config(method, spec, k)
            if method.kind == 'detect':
                selected_on = 'test' if spec.protocol == 'paper' else 'folds'
            else:
                selected_on = next(datasets_of(config, 'val')).split
                select_actions(content.actions, [selected_on], None, corpus.actions_path)
            settings, cfg = settings_digest(config, content), config._cfg_dict.to_dict()
            features = feature_names(next(datasets_of(config, 'test')))
            first_seed = (config.get('randomness') or {}).get('seed') or 0
        num_seeds = 1 if method.kind in ('nearest', 'retrieve') else spec.all_seeds if k is None else spec.seeds
        for subset in range(1 if k is None else spec.subsets):
            split, ids = 'train', ''
            if k is not None:
                detect = method.kind == 'detect'  # whose data set draws where the list is missing
                path = corpus.localize_path(subset) if detect else few_shot_list(corpus, k, subset, spec.allow_short)
                if path.is_file():
                    split, ids = str(path.relative_to(corpus.root)), read_text(path)
                if not detect and not spec.allow_short:
                    _check_list(content.actions, path, ids.split())
            for seed in range(first_seed, first_seed + num_seeds):
                where = (section.name, method, str(corpus.root), k, subset, seed, split, spec.protocol)
                key = digest([method.kind, settings, k, subset, seed, ids, spec.protocol, selected_on or None])
                yield Run(*where, selected_on, settings, '+'.join(features), key, cfg)


def _ensembles(method: Method, planned: Mapping[str, list[Run]]) -> Iterator[Run]:
    """Ensembles of the members' runs with the same k, subset and seed; nearest neighbours have one for all seeds."""
    parts = [planned[name] for name in method.of]
    for first in max(parts, key=len):
        same = [[run for run in part if (run.k, run.subset) == (first.k, first.subset)] for part in parts]
        members = [run for part in same for run in part if run.seed == first.seed or run.method.kind == 'nearest']
        if len(members) == len(parts):
            settings = digest([run.settings for run in members])
            key = digest(['ensemble', [run.key for run in members]])
            whole = replace(first, method=method, settings=settings, features='', key=key, cfg={})
            yield replace(whole, members=tuple(members))


def draw_few_shot(
    actions: Sequence[Action], k: int, rng: np.random.Generator, classes: Sequence[str], allow_short: bool = False
) -> list[str]:
    """Draw k training actions of every class (paper 4.1); returns their sorted ids.

    Raises:
        UserError: a class has none, or fewer than k and ``allow_short`` is off.
    """
    of_split = [action for action in actions if action.split == 'train']
    ids = [sorted(a.action_id for a in of_split if a.label == label) for label in range(len(classes))]
    counts = {name: len(of_class) for name, of_class in zip(classes, ids, strict=True)}
    fewest = sorted(counts.items(), key=lambda item: item[1])
    short = [f'{name} ({count})' for name, count in fewest if count < (1 if allow_short else k)]
    if short:
        fits = f'pass a k of {fewest[0][1]} or less, or --allow-short' if fewest[0][1] else 'label some, or pass all'
        hint = 'these classes need training actions' if allow_short else fits
        raise UserError(f'k={k} is more than the training actions of {listed(short)}; {hint}')
    return sorted(of_class[i] for of_class in ids for i in rng.permutation(len(of_class))[:k])


def few_shot_list(corpus: Corpus, k: int, subset: int, allow_short: bool = False) -> Path:
    """Path of the list ``annotations/fewshot/<k>_<subset>.txt``; one that is missing is drawn with seed (k, subset).

    Raises:
        UserError: there are too few actions, or the corpus is read-only.
    """
    path = corpus.fewshot_path(k, subset)
    if not path.is_file():
        classes = load_classes(corpus.classes_path)
        actions = load_actions(corpus.actions_path, len(classes))
        ids = draw_few_shot(actions, k, np.random.default_rng((k, subset)), classes, allow_short)
        if len(ids) < k * len(classes):
            logging.getLogger(__name__).warning('%s: some classes have fewer than %d training actions', path, k)
        try:
            with atomic_write(path, 'w') as f:
                f.writelines(f'{action_id}\n' for action_id in ids)
        except OSError as e:
            if e.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            hint = 'start this command once where the corpus can be written: it draws the few-shot lists first'
            raise UserError(f'{path}: cannot be written ({e.strerror}); {hint}') from e
    return path


def method_config(method: Method, spec: Spec, k: int | None) -> Config:
    """Read the config of a method and set it to the comparison's corpus and options.

    Raises:
        UserError: the config is missing, does not fit, or needs inputs that the corpus lacks.
    """
    cfg = method.cfg or read_config((method.config_all if k is None else '') or method.config)
    if not cfg.get('test_dataloader') or not cfg.get('val_dataloader'):
        raise UserError(f'{method.config}: needs train_, val_ and test_dataloader')
    if not any('corpus' in dataset for dataset in datasets_of(cfg, 'train')):
        raise UserError(f'{method.config}: its data sets read no corpus, so it cannot be compared on one')
    choices = {name: getattr(method, name) or None for name in ('features', 'stream', 'poses')}
    cfg = adapt_config(cfg, spec.corpus, **choices, allow_missing=spec.allow_missing, protocol=spec.protocol)
    for options in (spec.options, method.options):
        check_fields(cfg, options, f'method {method.name!r}: options:')
        try:
            merge_values(cfg, options)
        except (KeyError, IndexError, TypeError, ValueError) as e:
            raise UserError(f'method {method.name!r}: options do not fit {method.config}: {e}') from e
    return cfg


def _check_list(actions: Sequence[Action], path: Path, ids: Sequence[str]) -> None:
    """Raise UserError if a few-shot list names no action of a class that has training actions."""
    classes, listed = {action.label for action in actions if action.split == 'train'}, set(ids)
    if absent := classes - {action.label for action in actions if action.action_id in listed}:
        problem = f'names no action of {len(absent)} of {len(classes)} classes that have training actions'
        raise UserError(f'{path}: {problem}; import it with the complete labels, or pass --allow-short')
