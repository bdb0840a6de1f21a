"""From a comparison to its runs: what each trains on, and the key under which its result is kept."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mmengine.config import Config

from ..corpus import Corpus
from ..corpus.provenance import RUN_FILE
from ..engine.config import read_config
from ..engine.resume import config_digest
from ..errors import UserError
from ..features import resolve_features
from ..features.corpus_config import adapt_config, datasets_of
from .comparison import Comparison, Method, Section
from .few_shot import few_shot_list


@dataclass(frozen=True, eq=False)
class Run:
    """One model, or one search, of a method.

    Args:
        section: Name of the first table that it is in.
        method: Of that table.
        k: Actions a class; None: all.
        subset: Which of the fixed subsets; 0 with all.
        seed: Of weights and batches.
        split: What it learns from: an id list relative to the corpus, or 'train'.
        settings: Digest of the config and of what features were made by.
        key: Digest of everything that decides its numbers; names its files.
        cfg: The config, adapted to corpus and features; None without one.
    """

    section: str
    method: Method
    k: int | None
    subset: int
    seed: int
    split: str
    settings: str
    key: str
    cfg: Config | None

    @property
    def config(self) -> str:
        """The config as its method names it."""
        return (self.method.config_all if self.k is None else '') or self.method.config

    @property
    def name(self) -> str:
        """For people."""
        few = 'all' if self.k is None else f'k={self.k} subset {self.subset}'
        return f'{self.method.name}, {few}, seed {self.seed}'


class Plan:
    """The runs of a comparison.

    Args:
        comparison: What is compared.

    Attributes:
        runs: In the order of the tables.  A run of two tables is there once
            for each, under one key.
        faults: Method name to the reason why it cannot run.

    Raises:
        UserError: the corpus is missing, or a class has fewer than k actions.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.corpus = Corpus.open(comparison.corpus)
        self.runs: list[Run] = []
        self.faults: dict[str, str] = {}
        self._digest = cache(lambda path: hashlib.sha256(path.read_bytes()).hexdigest()[:16])
        for section in comparison.sections:
            for method in section.methods:
                try:
                    self.runs += list(self._runs_of(section, method))
                except UserError as e:
                    self.faults[method.name] = str(e)

    def distinct(self) -> dict[str, Run]:
        """Key to run, each once."""
        runs: dict[str, Run] = {}
        for run in self.runs:
            runs.setdefault(run.key, run)
        return runs

    def of(self, section: Section, method: Method) -> list[Run]:
        """The runs of a row."""
        return [run for run in self.runs if run.section == section.name and run.method == method]

    def _runs_of(self, section: Section, method: Method) -> Iterator[Run]:
        if method.kind == 'ensemble':
            return
        what = self.comparison
        for k in section.ks:
            cfg, settings = self._settings(method, k)
            num_seeds = what.seeds if k is not None else what.all_seeds
            for subset in range(1 if k is None else what.subsets):
                split, content = 'train', ''
                if k is not None:
                    path = few_shot_list(self.corpus, k, subset, what.allow_short)
                    split, content = str(path.relative_to(self.corpus.root)), self._digest(path)
                for seed in range(1 if method.kind == 'nearest' else num_seeds):
                    identity = {
                        'settings': settings,
                        'k': k,
                        'subset': subset,
                        'seed': seed,
                        'split': [split, content, self._digest(self.corpus.actions_path)],
                        'protocol': what.protocol,
                        'selected_on': what.selected_on,
                    }
                    yield Run(section.name, method, k, subset, seed, split, settings, _hash(identity), cfg)

    def _settings(self, method: Method, k: int | None) -> tuple[Config | None, str]:
        what = self.comparison
        if method.kind == 'nearest':
            window = {name: float(what.window.get(name, 0)) for name in ('before_sec', 'after_sec')}
            made_by = self._made_by(method.features.split('+'))
            return None, _hash({'nearest': made_by, 'window': window, 'fps': what.fps, 'missing': what.allow_missing})
        cfg = read_config((method.config_all if k is None else '') or method.config)
        for options in (what.options, method.options):
            _merge(cfg, options, method)
        cfg = self._adapt(cfg, method, k)
        features = cfg.test_dataloader.dataset.get('features', ())
        made_by = self._made_by([features] if isinstance(features, str) else features)
        return cfg, _hash([config_digest(cfg), cfg.get('load_from'), made_by])

    def _made_by(self, features: Sequence[str]) -> dict[str, dict | None]:
        """Name of features to the weights that made them; None where they are not a network's."""
        paths = {name: resolve_features(self.corpus, name) / RUN_FILE for name in features}
        return {name: json.loads(p.read_text(encoding='utf-8')) if p.is_file() else None for name, p in paths.items()}

    def _adapt(self, cfg: Config, method: Method, k: int | None) -> Config:
        """The config on this corpus and these features."""
        root = str(self.corpus.root)
        if method.kind != 'detect' and not (cfg.get('test_dataloader') and cfg.get('val_dataloader')):
            raise UserError(f'{method.config}: needs train_, val_ and test_dataloader')
        if 'corpus' not in next(datasets_of(cfg, 'train')):
            if k is not None:
                raise UserError(f'{method.config}: its data sets read no corpus, so it has no {k}-shot training')
            return cfg
        return adapt_config(cfg, root, features=method.features or None, allow_missing=self.comparison.allow_missing)


def _merge(cfg: Config, options: Mapping, method: Method) -> None:
    for key in options:
        if key.split('.')[0] not in cfg:
            raise UserError(f'method {method.name!r}: options: {method.config} has no {key.split(".")[0]!r}')
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, IndexError, TypeError, ValueError) as e:
        raise UserError(f'method {method.name!r}: options do not fit {method.config}: {e}') from e


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]
