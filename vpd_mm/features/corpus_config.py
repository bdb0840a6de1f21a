"""Set a config to a corpus: paths, classes, window, rate, features, stream and poses."""

import argparse
import copy
from collections.abc import Container, Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from ..corpus import Corpus, FeatureStore, Window
from ..corpus.sports import Sport
from ..engine.cli import merge_run_arguments
from ..engine.config import read_config
from ..errors import UserError
from ..structures import load_classes
from .clips import FeatureReader, split_names

#: Fields of a ``CropDataset`` that decide which frames are held out.
HOLDOUT_FIELDS = ('holdout', 'val_ratio', 'seed', 'splits', 'unlabelled', 'teacher')


def datasets_of(cfg: Config, *parts: str) -> Iterator[ConfigDict]:
    """The innermost data sets of the dataloaders 'train', 'val' and 'test', or of some, inside wrappers."""
    loaders = [cfg.get(f'{part}_dataloader') for part in parts or ('train', 'val', 'test')]
    remaining = [loader.dataset for loader in loaders if loader]
    while remaining:
        dataset = remaining.pop(0)
        inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
        remaining = [*inner, *remaining]
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
    protocol: str = 'default',
) -> Config:
    """Set a copy of a config to a corpus.

    A data set takes from the corpus what its config has a key for:

    - ``corpus``: the folder.
    - ``num_classes``: the number of classes; the model follows.  A detector of one class (action or not) keeps it.
      Below six classes top-5 accuracy is not measured, where the config leaves the choice to ``AccMetric``.
    - ``window``, ``widen``, ``fps``: as the data set of the corpus needs them; a value in the config stays, a window
      that is not zero is logged.
    - ``split``: of the training and the validation part, where the data set has no validation split (paper).
    - ``features``: ``dims`` and the model's ``in_dims`` follow.
    - ``teacher``, with ``corpus``: the dims of student and decoder follow; a student from random weights gets the mean
      and standard deviation of R, G, B of the data set.
    - ``poses``: the only pose set of the corpus; a value in the config stays.

    The field ``paper`` of a config holds what ``protocol='paper'`` changes.  The field ``streams`` holds, for each
    input stream or ablation, the fields that it changes; ``stream`` names the default.

    Args:
        cfg: A recognition, detection, baseline or distillation config; others are copied unchanged.
        corpus: Folder of the corpus; None: that of the config.
        features: ``features/<run>``, ``teacher/<name>`` or a bare name; several joined by ``+``.  None: those of the
            config.
        stream: Input of a baseline, e.g. 'crop', 'frame', 'flow', 'joint' or 'bone', or ablation of a distillation.
        poses: Name of a pose set.
        allow_missing: Leave out actions or videos without features or clips instead of raising an error.
        protocol: One of ``PROTOCOLS``.

    Raises:
        UserError: features, classes or poses are missing, or an option does not apply to the config.
    """
    cfg = copy.deepcopy(cfg)
    name = Path(cfg.filename).name if cfg.filename else 'config'
    apply_protocol(cfg, protocol)
    _set_stream(cfg, name, stream)
    datasets, notes = list(datasets_of(cfg)), set()
    for option, value in (('corpus', corpus), ('features', features), ('poses', poses)):
        if value is not None and not any(option in dataset for dataset in datasets):
            raise UserError(f'{name}: its data sets read no {option}; leave --{option} {value} out')
    for dataset in datasets:
        if 'corpus' not in dataset:
            continue
        dataset.corpus = corpus or dataset.corpus
        if not dataset.corpus:
            raise UserError(f'{name}: names no corpus; pass --corpus DIR')
        if not dataset.keys() & {'num_classes', 'features', 'poses'} and not (corpus and 'teacher' in dataset):
            continue
        opened = Corpus.open(dataset.corpus)
        sport = opened.settings(protocol)
        if 'teacher' in dataset:
            _set_student(cfg, dataset, opened, sport)
            continue
        head = cfg.model.get('cls_head') or cfg.model
        if head.get('num_classes', 1) > 1 and opened.classes_path.exists():  # 1: a detector of actions of any class
            head.num_classes = len(load_classes(opened.classes_path))
        dataset.num_classes = head.get('num_classes', 1)
        if dataset.num_classes < 6:
            _drop_top5(cfg)
        for key in ('window', 'widen'):
            if key in dataset and dataset[key] is None:
                dataset[key] = window_fields(value := getattr(sport, key))
                if value.before_sec or value.after_sec:
                    anchor = {'ends': 'an action', 'middle': 'its middle', 'start': 'its first frame'}[value.around]
                    seconds = f'{value.before_sec} s before, {value.after_sec} s after {anchor}'
                    notes.add(f'{opened.root}: {key} of {opened.dataset or "corpus.json"}: {seconds}')
        if not opened.dataset and opened.sport in ('figure_skating', 'tennis', 'floor_exercise', 'diving'):
            known = 'names no data set, so that actions have no window of their own'
            notes.add(f'{opened.root}/corpus.json: {known}; labels of a public data set: import them again')
        dataset.setdefault('fps', sport.fps)
        splits = {'train': list(sport.train_splits), 'val': [sport.selection]}.get(str(dataset.get('split')))
        if splits:
            dataset.split = splits if len(splits) > 1 else splits[0]
        if 'features' in dataset:
            dataset.features = split_names(features or dataset.features)
            dataset.dims = FeatureReader(opened, dataset.features).dims
            velocity = any(step['type'].endswith('AddVelocity') for step in dataset.get('pipeline', []))
            cfg.model.backbone.in_dims = dataset.dims * (2 if velocity else 1)
        if 'poses' in dataset:
            dataset.poses = poses or dataset.poses or opened.only_poses('; pass --poses NAME')
        if allow_missing:
            dataset.allow_missing = True
    for note in sorted(notes):
        print_log(f'{note}; set another one in the config', 'current')
    return cfg


def apply_protocol(cfg: Config, protocol: str) -> None:
    """Drop the field ``paper`` of a config; with protocol 'paper', merge it."""
    published = cfg.pop('paper', None)
    if published and protocol == 'paper':
        cfg.merge_from_dict(published)


def window_fields(window: Window) -> dict:
    """The arguments of a window, without a default anchor."""
    fields = dict(vars(window))
    if window.around == Window().around:
        del fields['around']
    return fields


def _set_student(cfg: Config, dataset: ConfigDict, corpus: Corpus, sport: Sport) -> None:
    """Set a distillation to the dims of its teacher and the colours of its data set."""
    folder = corpus.teacher_dir(dataset.teacher)
    if not folder.is_dir():
        command = f'tools/extract_features.py {dataset.teacher} --corpus {corpus.root}'
        hint = command if dataset.teacher in ('joints', 'vipe') else 'tools/extract_features.py'
        raise UserError(f'{folder}: no such folder: the targets of the training; make them with {hint}')
    cfg.model.student.out_dims = FeatureStore(folder).dims
    if cfg.model.get('decoder'):
        cfg.model.decoder.dims = cfg.model.student.out_dims
    if sport.rgb and not cfg.model.student.get('init_cfg'):
        given = cfg.model.get('data_preprocessor') or {'type': 'CropPreprocessor'}
        cfg.model.data_preprocessor = {**sport.rgb, **given}
        for step in dataset.pipeline:
            if step['type'].endswith('BackgroundNoise'):
                step.setdefault('std', sport.rgb['std'])


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


def _drop_top5(cfg: Config) -> None:
    """Let the accuracies of a config be top-1 alone, unless it says which."""
    for part in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(part) or []
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            if str(metric.get('type')).endswith('AccMetric'):
                metric.setdefault('metric_options', {'top_k_accuracy': {'topk': (1,)}})


def load_corpus_config(args: argparse.Namespace, allow_missing: bool = False) -> Config:
    """Read ``args.config``, set it to the corpus that the arguments name and merge the other arguments.

    ``--cfg-options`` are merged last.  The default work dir is named after the config and the arguments given, so that
    two corpora do not share it.

    Raises:
        UserError: as :func:`adapt_config` and :func:`merge_run_arguments`.
    """
    options = {name: getattr(args, name) for name in ('features', 'stream', 'poses', 'protocol')}
    cfg = read_config(args.config)
    for own in () if args.corpus else filter(None, (dataset.get('corpus') for dataset in datasets_of(cfg))):
        if not Path(own).is_dir():
            raise UserError(
                f'{args.config}: names the corpus {own}, no folder seen from {Path.cwd()}; pass --corpus DIR'
            )
    students = {dataset.get('corpus') for dataset in datasets_of(cfg) if 'teacher' in dataset}
    corpus = args.corpus or (students.pop() if len(students) == 1 else None)
    cfg = adapt_config(cfg, corpus, **options, allow_missing=allow_missing)
    given = [args.stream, args.features, args.poses, args.corpus and Path(args.corpus).resolve().name]
    given += ['paper'] * (args.protocol == 'paper')
    cfg = merge_run_arguments(cfg, args, '_'.join(part.replace('/', '-') for part in given if part))
    share_holdout(cfg, {option.partition('=')[0] for option in args.cfg_options})
    return cfg


def share_holdout(cfg: Config, options: Container[str] = ()) -> None:
    """Give the held-out frames of a distillation the hold-out of its training, which is the one switch for all parts.

    Raises:
        UserError: an option, ``<part>_dataloader.dataset.<field>``, sets it for the validation or the test alone.
    """
    training: ConfigDict | dict = next(datasets_of(cfg, 'train'), {})
    for part in ('val', 'test') if 'teacher' in training else ():
        for dataset in datasets_of(cfg, part):
            if dataset.get('subset') != 'val' or dataset.get('corpus') != training.get('corpus'):
                continue
            for field in HOLDOUT_FIELDS:
                own, name = dataset.pop(field, None), f'dataloader.dataset.{field}'
                if field in training:
                    dataset[field] = training[field]
                if f'{part}_{name}' in options and own != training.get(field):
                    raise UserError(
                        f'--cfg-options {part}_{name}: held-out frames follow the training; set train_{name}'
                    )
