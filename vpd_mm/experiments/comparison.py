"""What is compared with what: a comparison is a config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mmengine.config import Config

from ..errors import UserError
from .few_shot_grid import PROTOCOLS

KINDS = ('train', 'nearest', 'ensemble', 'detect')


@dataclass(frozen=True)
class Method:
    """One row of a table.

    Args:
        name: What the table calls it; unique in its section.
        kind: 'train': ``config`` is trained and tested, on ``features`` where
            it reads features; 'nearest': the DTW nearest neighbour in
            ``features``; 'ensemble': mean of the scores of the methods ``of``;
            'detect': ``config`` finds actions in uncut videos.
        group: Heading that it stands under.
        config: Path or name of the config; ``{sport}`` stands for the comparison's ``names['sport']``.
        config_all: Another config for the whole training set.
        features: ``features/<run>``, ``teacher/<name>``, a bare name, or
            several joined by ``+``.
        of: Names of methods of the same section.
        options: Merged into the config, over those of the comparison.
        paper: Its name in the paper, for the reference numbers; default ``name``.
    """

    name: str
    kind: str = 'train'
    group: str = ''
    config: str = ''
    config_all: str = ''
    features: str = ''
    of: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ''

    def __post_init__(self) -> None:
        needed = {'train': 'config', 'detect': 'config', 'nearest': 'features', 'ensemble': 'of'}
        if self.kind not in needed:
            raise UserError(f'method {self.name!r}: kind must be one of {", ".join(KINDS)}, found {self.kind!r}')
        if not getattr(self, needed[self.kind]):
            raise UserError(f'method {self.name!r}: kind {self.kind!r} needs {needed[self.kind]!r}')


@dataclass(frozen=True)
class Section:
    """One table.

    Args:
        name: 'table', 'ablation' or 'detection'.
        title: Stands above it.
        ks: Actions a class; None = the whole training split.
        methods: Its rows.
    """

    name: str
    title: str
    ks: tuple[int | None, ...]
    methods: tuple[Method, ...]

    def method(self, name: str) -> Method:
        """The method called ``name``."""
        return next(method for method in self.methods if method.name == name)


@dataclass(frozen=True)
class Comparison:
    """A comparison (see configs/_base_/compare.py for the fields of its config).

    Args:
        name: Names its block in README files and its metafile rows.
        title: Above the table.
        dataset: What the corpus is called in tables and in the reference numbers.
        corpus: Folder of the corpus.
        sections: Tables, without empty ones.
        subsets: Fixed few-shot subsets for each k.
        seeds: Seeds for each subset.
        all_seeds: Seeds with the whole training split.
        protocol: 'default': the model is chosen on validation; 'paper': as published.
        selected_on: The split that this means.
        window, fps: How nearest neighbours read clips, as ``FeatureClipDataset``.
        allow_short: Classes with fewer than k actions give all they have.
        allow_missing: Leave out actions without features.
        options: Merged into every config that is trained.
        reference: JSON of published numbers; '' = the package's.
    """

    name: str
    title: str
    dataset: str
    corpus: str
    sections: tuple[Section, ...]
    subsets: int
    seeds: int
    all_seeds: int
    protocol: str
    selected_on: str
    window: Mapping[str, float]
    fps: float | None
    allow_short: bool
    allow_missing: bool
    options: Mapping[str, Any]
    reference: str


def read_comparison(cfg: Config, only: Sequence[str] = ()) -> Comparison:
    """Read a comparison from its config.

    Args:
        cfg: The config.
        only: Names of the methods to keep, with those that they average; none = all.

    Raises:
        UserError: a field is missing or holds what it cannot.
    """
    source = cfg.filename or 'comparison'
    missing = [name for name in ('name', 'corpus', 'methods') if not cfg.get(name)]
    if missing:
        raise UserError(f'{source}: is no comparison: {", ".join(missing)} must be set, as in configs/compare/')
    if cfg.protocol not in PROTOCOLS:
        raise UserError(f'{source}: protocol must be one of {", ".join(PROTOCOLS)}, found {cfg.protocol!r}')
    for name in ('subsets', 'seeds', 'all_seeds'):
        if not (isinstance(cfg[name], int) and cfg[name] > 0):
            raise UserError(f'{source}: {name} must be a whole number above 0, found {cfg[name]!r}')
    ablation, detection = cfg.get('ablation') or {}, cfg.get('detection') or {}
    names = cfg.get('names') or {}
    sections = [
        Section('table', cfg.title, _ks(cfg.ks, source), _methods(cfg.methods, 'train', source, names)),
        Section(
            'ablation',
            ablation.get('title', 'Ablation'),
            _ks(ablation.get('ks', ['all']), source),
            _methods(ablation.get('methods', ()), 'train', source, names),
        ),
        Section(
            'detection',
            detection.get('title', 'Detection'),
            (None,),
            _methods(detection.get('methods', ()), 'detect', source, names),
        ),
    ]
    if only:
        sections = _only(sections, only, source)
    for section in sections:
        for method in section.methods:
            if (method.kind == 'detect') != (section.name == 'detection'):
                raise UserError(f'{source}: {section.name}: method {method.name!r} cannot be of kind {method.kind!r}')
    named = {item.name: cfg.get(item.name) for item in fields(Comparison) if item.name in cfg}
    named |= {'sections': tuple(section for section in sections if section.methods)}
    named |= {'selected_on': cfg.get('paper_selection', 'val') if cfg.protocol == 'paper' else 'val'}
    return Comparison(**{'window': {}, 'fps': 25.0, **named})


def _ks(values: Sequence, source: str) -> tuple[int | None, ...]:
    for k in values:
        if k != 'all' and not (isinstance(k, int) and k > 0):
            raise UserError(f"{source}: ks must hold whole numbers above 0 or 'all', found {k!r}")
    if not values or len(set(values)) != len(values):
        raise UserError(f'{source}: ks must name each k once, found {list(values)}')
    return tuple(sorted(k for k in values if k != 'all')) + ((None,) if 'all' in values else ())


def _methods(entries: Sequence[Mapping], default: str, source: str, names: Mapping[str, str]) -> tuple[Method, ...]:
    known = {item.name for item in fields(Method)}
    methods: list[Method] = []
    for entry in entries:
        unknown = sorted(set(entry) - known)
        if unknown or 'name' not in entry:
            found = f'unknown field {unknown[0]!r}' if unknown else 'no name'
            raise UserError(f'{source}: a method has {found}; its fields are {", ".join(sorted(known))}')
        try:
            configs = {key: entry[key].format(**names) for key in ('config', 'config_all') if entry.get(key)}
        except (KeyError, IndexError, ValueError) as e:
            raise UserError(f'{source}: method {entry["name"]!r}: its config needs {e} of names') from e
        method = Method(**{'kind': default, **entry, **configs, 'of': tuple(entry.get('of', ()))})
        if any(method.name == other.name for other in methods):
            raise UserError(f'{source}: two methods are called {method.name!r}')
        methods.append(method)
    for method in methods:
        for name in method.of:
            if name not in (m.name for m in methods) or name == method.name:
                raise UserError(f'{source}: ensemble {method.name!r} is of {name!r}, which is no other method there')
    return tuple(methods)


def _only(sections: list[Section], only: Sequence[str], source: str) -> list[Section]:
    names = {method.name for section in sections for method in section.methods}
    for name in only:
        if name not in names:
            raise UserError(f'{source}: --only {name}: no such method; there are {", ".join(sorted(names))}')
    kept = []
    for section in sections:
        wanted = {method.name for method in section.methods if method.name in only}
        while more := {part for method in section.methods if method.name in wanted for part in method.of} - wanted:
            wanted |= more
        methods = tuple(method for method in section.methods if method.name in wanted)
        kept.append(Section(section.name, section.title, section.ks, methods))
    return kept
