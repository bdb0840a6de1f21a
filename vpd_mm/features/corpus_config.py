"""Adapt a config to a corpus: paths, classes, dims."""

from collections.abc import Iterator

from mmengine.config import Config, ConfigDict

from ..corpus import Corpus
from ..structures import load_classes
from .clips import FeatureReader


def datasets_of(cfg: Config, part: str) -> Iterator[ConfigDict]:
    """The innermost data sets of ``<part>_dataloader``, inside wrappers."""
    open_ = [cfg[f'{part}_dataloader'].dataset]
    while open_:
        dataset = open_.pop()
        inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
        open_ += inner
        if not inner:
            yield dataset


def adapt_config(cfg: Config, corpus: str, features: str | None = None, allow_missing: bool = False) -> Config:
    """A copy of a recognition config for another corpus or other features: paths, classes and dims follow.

    With ``allow_missing``, actions without features are left out instead of refused.

    Raises:
        UserError: features or classes are missing.
    """
    cfg = Config(cfg._cfg_dict.to_dict())
    folder = Corpus.open(corpus)
    num_classes = len(load_classes(folder.classes_path))
    for part in ('train', 'val', 'test'):
        for dataset in datasets_of(cfg, part):
            names = features.split('+') if features else dataset.features
            dims = FeatureReader(folder, names).dims
            dataset.update(corpus=corpus, features=names, dims=dims, num_classes=num_classes)
            if allow_missing:
                dataset.allow_missing = True
    velocity = any(step['type'].endswith('AddVelocity') for step in next(datasets_of(cfg, 'train')).pipeline)
    cfg.model.backbone.in_dims = dims * (2 if velocity else 1)
    cfg.model.num_classes = num_classes
    return cfg
