"""Set a config to a corpus: paths, classes, window, rate, features, stream and poses."""

import argparse
import copy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from mmengine.config import Config, ConfigDict

from ..corpus import Corpus
from ..engine.cli import merge_run_arguments
from ..engine.config import read_config
from ..errors import UserError
from ..structures import load_classes
from .clips import FeatureReader

PARTS = ('train', 'val', 'test')


def datasets_of(cfg: Config, part: str) -> Iterator[ConfigDict]:
    """The innermost data sets of ``<part>_dataloader``, inside wrappers; none where there is no such loader."""
    loader = cfg.get(f'{part}_dataloader')
    open_ = [loader.dataset] if loader else []
    while open_:
        dataset = open_.pop()
        inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
        open_ += inner
        if not inner:
            yield dataset


def adapt_config(
    cfg: Config,
    corpus: str | None = None,
    *,
    features: str | None = None,
    stream: str | None = None,
    poses: str | None = None,
    allow_missing: bool = False,
) -> Config:
    """Set a copy of a config to a corpus.

    A data set takes from the corpus what its config has a key for:

    - ``corpus``: the folder.
    - ``num_classes``: the number of classes; the model follows.  A detector of one class (action or not) keeps it.
    - ``window``, ``widen``: as the sport of the corpus needs them; a value in the config stays.
    - ``features``: ``dims`` and the model's ``in_dims`` follow.
    - ``poses``: the only pose set of the corpus; a value in the config stays.

    ``fps`` and, for ``protocol='paper'``, ``paper_selection`` come from the sport as well.

    The field ``streams`` of a config holds, for each input stream, the fields
    that it changes; ``stream`` names the default.

    Args:
        cfg: A recognition, detection, baseline or distillation config; others are copied unchanged.
        corpus: Folder of the corpus; None: that of the config.
        features: ``features/<run>``, ``teacher/<name>`` or a bare name;
            several joined by ``+``.  None: those of the config.
        stream: Input of a baseline, e.g. 'crop', 'frame', 'flow', 'joint' or 'bone'.
        poses: Name of a pose set.
        allow_missing: Leave out actions without features or clips instead of
            refusing.

    Raises:
        UserError: features, classes or poses are missing, or an option does
            not apply to the config.
    """
    cfg = copy.deepcopy(cfg)
    name = Path(cfg.filename).name if cfg.filename else 'config'
    _set_stream(cfg, name, stream)
    datasets = [dataset for part in PARTS for dataset in datasets_of(cfg, part)]
    for option, value in (('corpus', corpus), ('features', features), ('poses', poses)):
        if value is not None and not any(option in dataset for dataset in datasets):
            raise UserError(f'{name}: its data sets read no {option}; leave --{option} {value} out')
    for dataset in datasets:
        if 'corpus' in dataset:
            dataset.corpus = corpus or dataset.corpus
            if not dataset.corpus:
                raise UserError(f'{name}: names no corpus; pass --corpus DIR')
            if dataset.keys() & {'num_classes', 'features', 'poses'}:
                _set_dataset(dataset, cfg.model, features, poses, allow_missing)
                cfg.paper_selection = Corpus.open(dataset.corpus).sport_info.paper_selection
    return cfg


def _set_stream(cfg: Config, name: str, stream: str | None) -> None:
    """Merge the overrides of one entry of ``cfg.streams``, and drop the field."""
    streams = cfg.pop('streams', None)
    chosen = stream or cfg.get('stream')
    if streams is None:
        if stream not in (None, cfg.get('stream')):
            raise UserError(f'{name}: has no streams to choose from; leave --stream {stream} out')
    elif chosen not in streams:
        raise UserError(f'{name}: --stream must be one of {", ".join(streams)}, found {chosen!r}')
    else:
        cfg.merge_from_dict({**streams[chosen], 'stream': chosen})


def _set_dataset(
    dataset: ConfigDict, model: ConfigDict, features: str | None, poses: str | None, allow_missing: bool
) -> None:
    """Fill one data set from its corpus, and set the model to it."""
    corpus = Corpus.open(dataset.corpus)
    head = model.get('cls_head') or model
    if head.get('num_classes', 1) > 1:  # 1: a detector of actions of any class
        head.num_classes = len(load_classes(corpus.classes_path))
    dataset.num_classes = head.get('num_classes', 1)
    sport = corpus.sport_info
    for key, value in (('window', sport.window), ('widen', sport.widen)):
        if dataset.get(key, 0) is None:
            dataset[key] = asdict(value)
    dataset.setdefault('fps', sport.fps)
    if 'features' in dataset:
        dataset.features = features.split('+') if features else dataset.features
        dataset.dims = FeatureReader(corpus, dataset.features).dims
        velocity = any(step['type'].endswith('AddVelocity') for step in dataset.get('pipeline', []))
        model.backbone.in_dims = dataset.dims * (2 if velocity else 1)
    if 'poses' in dataset:
        dataset.poses = poses or dataset.poses or _only_pose_set(corpus)
    if allow_missing and dataset.type.rpartition('.')[2] != 'FeatureWindowDataset':
        dataset.allow_missing = True


def _only_pose_set(corpus: Corpus) -> str:
    names = corpus.pose_names()
    if len(names) != 1:
        known = f'the pose sets {", ".join(names)}; pass --poses NAME' if names else 'no poses; import or prepare them'
        raise UserError(f'{corpus.root}: has {known}')
    return names[0]


def load_corpus_config(args: argparse.Namespace, allow_missing: bool = False) -> Config:
    """Read ``args.config``, set it to the corpus that the arguments name and merge the other arguments.

    ``--cfg-options`` are merged last.  The default work dir is named after
    the config and the arguments given, so that two corpora do not share it.

    Raises:
        UserError: as :func:`adapt_config` and :func:`merge_run_arguments`.
    """
    cfg = adapt_config(
        read_config(args.config),
        args.corpus,
        features=args.features,
        stream=args.stream,
        poses=args.poses,
        allow_missing=allow_missing,
    )
    given = [args.stream, args.features, args.poses, args.corpus and Path(args.corpus).resolve().name]
    return merge_run_arguments(cfg, args, '_'.join(part.replace('/', '-') for part in given if part))
