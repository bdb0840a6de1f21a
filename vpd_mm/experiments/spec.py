"""Comparisons as data: which methods are run, on what, and how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..corpus import PROTOCOLS
from ..engine.config import read_config
from ..errors import UserError

#: Actions a class of the paper's few-shot tables, and of a comparison that names none.
FEW_SHOT_KS, COMPARE_KS = (4, 8, 16, 32, 64, 'all'), (16, 'all')
#: Config with the fields of every comparison.
DEFAULTS = 'configs/_base_/compare.py'
#: Its tables besides that of its own methods.
TABLES = ('ablation', 'retrieval', 'detection')
#: Kind of a method to the field that it needs.
KINDS = {'train': 'config', 'nearest': 'features', 'ensemble': 'of', 'detect': 'config', 'retrieve': 'features'}


@dataclass(frozen=True)
class Method:
    """One row of a table.

    Args:
        name: Unique in its section.
        kind: 'train': train and test ``config``; 'nearest': the DTW nearest neighbour in ``features``;
            'ensemble': mean of the class scores of the methods ``of`` this section; 'detect': train ``config`` to
            find actions in uncut videos; 'retrieve': rank all actions by DTW in ``features``.
        group: Heading in the table.
        config, config_all: Path or name of the config, and of another one for the whole training split.
        features: ``features/<run>``, ``teacher/<name>``, a bare name, or several joined by ``+``; '' = those of
            the config.
        stream: Input of a baseline ('crop', 'frame', 'flow'; 'joint', 'bone'); '' = that of the config.
        poses: Pose set of a skeleton baseline; '' = the only one of the corpus.
        options: Merged into the config, after those of the comparison.
        cfg: Used instead of reading ``config``, which only names it then.
        paper: Name of this row in the published numbers; default ``name``.
    """

    name: str
    kind: str = 'train'
    group: str = ''
    config: str = ''
    config_all: str = ''
    features: str = ''
    stream: str = ''
    poses: str = ''
    of: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cfg: Config | None = None
    paper: str = ''

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f'method {self.name!r}: kind must be one of {", ".join(KINDS)}, found {self.kind!r}')
        if not getattr(self, KINDS[self.kind]):
            raise UserError(f'method {self.name!r}: kind {self.kind!r} needs {KINDS[self.kind]!r}')


@dataclass(frozen=True)
class Section:
    """One table: 'table', 'ablation', 'retrieval' or 'detection'.

    ``ks``: actions a class, or labelled videos of detection; None = the whole training split.  ``fit``: those that are
    too large for the corpus may be left out (:func:`vpd_mm.experiments.fit_ks`).
    """

    name: str
    title: str
    ks: tuple[int | None, ...]
    methods: tuple[Method, ...]
    fit: bool = False


@dataclass(frozen=True)
class Spec:
    """A comparison: the fields of configs/_base_/compare.py (``DEFAULTS``), and its tables without empty ones."""

    name: str
    title: str
    dataset: str
    corpus: str
    sections: tuple[Section, ...]
    subsets: int = 5
    seeds: int = 1
    all_seeds: int = 3
    protocol: str = 'default'
    allow_short: bool = False
    allow_missing: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ''

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserError(f'{self.name}: protocol must be one of {", ".join(PROTOCOLS)}, found {self.protocol!r}')
        for name in ('subsets', 'seeds', 'all_seeds'):
            if not (isinstance(value := getattr(self, name), int) and value > 0):
                raise UserError(f'{self.name}: {name} must be a whole number above 0, found {value!r}')


def few_shot_spec(method: Method, corpus: str, ks: Sequence[int | str] = (), **fields: Any) -> Spec:
    """The comparison of a single method at several k ('all' = the whole training split); ``fields`` are of Spec.

    Without ``ks``: those of the paper.
    """
    section = Section('table', method.name, _ks(ks or FEW_SHOT_KS, method.name), (method,), fit=not ks)
    return Spec(method.name, method.name, Path(corpus).name, corpus, (section,), **fields)


def read_spec(cfg: Config, only: Sequence[str] = ()) -> Spec:
    """Read a comparison; ``only`` keeps these methods, with the members of their ensembles.

    Fields that it leaves out have the values of ``DEFAULTS``; its name and title are that of its file, and the name of
    its data set is that of the corpus.

    Raises:
        UserError: a field is missing or has an invalid value.
    """
    source = str(cfg.filename or 'comparison')
    hint = '; --corpus DIR sets it' if not cfg.get('corpus') else ', as in docs/evaluate.md'
    if missing := [name for name in ('corpus', 'methods') if not cfg.get(name)]:
        raise UserError(f'{source}: not a comparison: {", ".join(missing)} must be set{hint}')
    given, cfg = cfg, read_config(DEFAULTS)
    for name, kind in (('methods', list), ('options', dict), *((table, dict) for table in TABLES)):
        if not isinstance(given.get(name, kind()), kind):
            raise UserError(f'{source}: {name} must be a {kind.__name__}, found {given[name]!r}')
    cfg.merge_from_dict(given._cfg_dict.to_dict())
    cfg.name = cfg.name or Path(source).stem
    cfg.title, cfg.dataset = cfg.title or cfg.name, cfg.dataset or Path(cfg.corpus).resolve().name
    sections = []
    for name in ('table', *TABLES):
        entry = cfg if name == 'table' else cfg[name]
        methods = _methods(entry['methods'], name, source)
        fit = entry['ks'] is None and name in ('table', 'ablation')
        ks = _ks(COMPARE_KS if fit else entry['ks'] or (), source)
        sections.append(Section(name, entry['title'], ks, methods, fit))
    if only:
        sections = _only(sections, only, source)
    values = {item.name: cfg[item.name] for item in fields(Spec) if item.name in cfg}
    return Spec(**values, sections=tuple(section for section in sections if section.methods))


def _ks(values: Sequence, source: str) -> tuple[int | None, ...]:
    if not isinstance(values, list | tuple):
        raise UserError(f'{source}: ks must be a list, found {values!r}')
    for k in values:
        if k != 'all' and not (isinstance(k, int) and k > 0):
            raise UserError(f"{source}: ks must hold whole numbers above 0 or 'all', found {k!r}")
    if not values or len(set(values)) != len(values):
        raise UserError(f'{source}: ks must name each k once, found {list(values)}')
    return tuple(sorted(k for k in values if k != 'all')) + ((None,) if 'all' in values else ())


def _methods(entries: Sequence[Mapping], section: str, source: str) -> tuple[Method, ...]:
    methods: dict[str, Method] = {}
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise UserError(f'{source}: {section}: a method must be dict(name=..., ...), found {entry!r}')
        kind = {'detection': 'detect', 'retrieval': 'retrieve'}.get(section, 'train')
        names = [item.name for item in fields(Method)]
        if unknown := [name for name in entry if name not in names]:
            problem = f'unknown field {unknown[0]!r}; the fields are {", ".join(names)}'
            raise UserError(f'{source}: method {entry.get("name")!r}: {problem}')
        try:
            method = Method(**{'kind': kind, **entry, 'of': tuple(entry.get('of', ()))})
        except TypeError as e:  # names the field that is missing
            raise UserError(f'{source}: method {entry.get("name")!r}: {e}; the fields are {", ".join(names)}') from e
        if method.kind != kind and {method.kind, kind} & {'detect', 'retrieve'}:
            raise UserError(f'{source}: {section}: method {method.name!r} cannot be of kind {method.kind!r}')
        if method.name in methods:
            raise UserError(f'{source}: two methods are named {method.name!r}')
        methods[method.name] = method
    for method in methods.values():
        if unknown := [name for name in method.of if name not in methods]:
            raise UserError(f'{source}: ensemble {method.name!r} is of {unknown[0]!r}, which is no method of {section}')
    try:
        TopologicalSorter({method.name: method.of for method in methods.values()}).prepare()
    except CycleError as e:
        raise UserError(f'{source}: ensembles in a circle: {", ".join(e.args[1])}') from e
    return tuple(methods.values())


def _only(sections: Sequence[Section], only: Sequence[str], source: str) -> list[Section]:
    names = {method.name for section in sections for method in section.methods}
    if unknown := set(only) - names:
        raise UserError(f'{source}: --only {min(unknown)}: no such method; methods are {", ".join(sorted(names))}')
    kept = []
    for section in sections:
        wanted = {method.name for method in section.methods if method.name in only}
        while more := {part for method in section.methods if method.name in wanted for part in method.of} - wanted:
            wanted |= more
        kept.append(replace(section, methods=tuple(method for method in section.methods if method.name in wanted)))
    return kept
