"""Build a model of this project from a config and load its checkpoint."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..compat.checkpoint_loading import RUN_CONFIG, find_latest_checkpoint, own_config
from ..errors import UserError
from ..files import MARK, list_folder, read_json, write_json
from ..registry import MODELS
from ..structures import load_classes
from .checkpoint_choice import best_checkpoint
from .config import read_config
from .written_configs import NOT_OURS, is_recorded

#: File in which a tool that trains several models records those that its folder stands for.
TRAINED = 'trained.json'
#: Last part of a path, where no file has this name, to the function that finds it in a run folder.
_PARTS: dict[str, Callable[[Path], Any]] = {'best': best_checkpoint, 'latest': find_latest_checkpoint}
#: Fields of a data set that a config leaves to a corpus by setting them to None.
CORPUS_FIELDS = ('corpus', 'num_classes', 'window', 'widen')


class Trained(NamedTuple):
    """A trained model on disk.

    ``config`` is '' for an ONNX file that was given alone, which holds its config.  ``checkpoints`` has several where
    the model is an ensemble; ``settings`` are those of :func:`record_trained`.
    """

    config: str
    checkpoints: list[str]
    settings: Mapping[str, Any]


def find_trained(spec: str | os.PathLike, what: str = 'model', checkpoint: str | os.PathLike = '') -> Trained:
    """Find config and checkpoints of ``CONFIG:CHECKPOINT[,CHECKPOINT...]``, or of CHECKPOINTs alone.

    A CHECKPOINT is a file, or a run folder: that of a training stands for its best checkpoint, else for the last one;
    that of a tool which trains several models for those that it recorded (:func:`record_trained`); ``best`` and
    ``latest`` after a folder select one.  Without CONFIG it
    is the one that the training wrote beside the first checkpoint (:func:`run_config`).  ``checkpoint``, where it is
    given, is the CHECKPOINT and ``spec`` the CONFIG.

    Raises:
        UserError: a file or folder is missing, or a folder has no checkpoint.
    """
    text = str(spec)
    if checkpoint:
        config, names = text, [str(checkpoint)]
    else:
        config, _, rest = ('', '', text) if Path(text).exists() else text.rpartition(':')
        names = [name for name in rest.split(',') if name]
    if not names or names[0].endswith('.py'):
        raise UserError(
            f'{what} {text!r}: must be a run folder, a checkpoint in one, or CONFIG:CHECKPOINT, the files that '
            'tools/train.py read and wrote'
        )
    checkpoints, settings = list[str](), dict[str, Any]()
    for name in names:
        path = Path(name)
        part = path.name if path.name in _PARTS and not path.exists() and path.parent.is_dir() else ''
        if part and (own := _PARTS[part](path.parent)):
            checkpoints.append(str(own))
        elif path.is_dir() or part == 'best':
            of_run, settings = _checkpoints_of(path.parent if part else path)
            checkpoints += of_run
        elif config or path.is_file():
            checkpoints.append(name)
        else:
            raise UserError(f'{what} {text!r}: no such file or folder; pass a run folder, or CONFIG:CHECKPOINT')
    if not config and not checkpoints[0].endswith('.onnx'):
        config = str(run_config(checkpoints[0]))
    return Trained(config, checkpoints, settings)


def find_one_trained(
    spec: str | os.PathLike, what: str = 'model', checkpoint: str | os.PathLike = ''
) -> tuple[str, str]:
    """:func:`find_trained` of a model that is no ensemble; UserError for several checkpoints."""
    config, checkpoints, _ = find_trained(spec, what, checkpoint)
    if len(checkpoints) > 1:
        hint = f'pass one, such as {checkpoints[0]}; tools/detect.py CONFIG --checkpoints tests them together'
        raise UserError(f'{what} {str(spec)!r}: takes one checkpoint, found {len(checkpoints)}; {hint}')
    return config, checkpoints[0]


def record_trained(folder: str | os.PathLike, checkpoints: Sequence[str | os.PathLike], **settings: Any) -> None:
    """Let a folder stand for checkpoints below it, with settings (JSON), in :func:`find_trained`."""
    names = [os.path.relpath(checkpoint, folder) for checkpoint in checkpoints]
    record = {'checkpoints': names, 'folder': str(Path(folder).resolve()), **settings, 'comment': MARK}
    write_json(Path(folder) / TRAINED, record, indent=2)


def _checkpoints_of(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Checkpoints that a folder stands for, and recorded settings."""
    own, record = best_checkpoint(folder) or find_latest_checkpoint(folder), folder / TRAINED
    if own and record.is_file():
        raise UserError(f'{folder}: holds a training and {TRAINED} of another command; pass {own} or remove either')
    if own:
        if (count := len(list_folder(folder, 'best_*.pth'))) > 1:
            print_log(f'{folder}: has {count} best checkpoints; this one is used: {Path(own).name}', 'current')
        return [str(own)], {}
    if record.is_file():
        content = read_json(record, 'run the command that wrote it again')
        names = content.pop('checkpoints', None) if isinstance(content, dict) else None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise UserError(f'{record}: names no checkpoints; run the command that wrote it again')
        origin = Path(str(content.pop('folder', folder)))  # of a copy
        paths = [folder / name if (folder / name).is_file() else origin / name for name in names]
        if missing := [path for path in paths if not path.is_file()]:
            hint = 'was the folder copied without it? Pass the folder that was copied, or CONFIG:CHECKPOINT'
            raise UserError(f'{record}: its checkpoint {missing[0]} is not there: {hint}')
        return [os.path.normpath(path) for path in paths], content
    if len(saved := list_folder(folder, '*.pth')) == 1:
        return [str(saved[0])], {}
    below = sorted({str(path.parent) for path in list_folder(folder, '**/*.pth')})
    if not saved and below:
        raise UserError(f'{folder}: holds several trainings; pass one of them: {", ".join(below[:3])}')
    problem = f'{len(saved)} files *.pth, none of them named as a training does' if saved else 'no checkpoint'
    raise UserError(f'{folder}: has {problem}; pass a run folder of tools/train.py, or CONFIG:CHECKPOINT')


def run_config(checkpoint: str | os.PathLike) -> Path:
    """Find the config that the training of a checkpoint wrote beside it.

    Raises:
        UserError: there is none, or it was not written there by a training of this user
            (:mod:`vpd_mm.engine.written_configs`).
    """
    configs = _written_configs(Path(checkpoint).parent)
    if own := next(filter(is_recorded, configs), None):
        return own
    if configs:
        spec = f'{configs[0]}:{checkpoint}'
        raise UserError(f'{configs[0]}: {NOT_OURS}; pass {spec} if you trust it')
    raise UserError(f'{checkpoint}: no config.py beside it; pass CONFIG:{checkpoint}')


def _written_configs(folder: Path) -> list[Path]:
    """Configs in the folder of a training, the likeliest first: config.py, its former names, those of its logs."""
    dumped = list_folder(folder, '*/vis_data/config.py')[::-1]  # the newest first, by their time stamps
    own = sorted(list_folder(folder, '*.py'), key=lambda path: path.name != RUN_CONFIG)
    return [*own, *dumped]


def read_model_config(config: str | os.PathLike) -> Config:
    """Read a config; one that is missing, does not load or has no model raises UserError."""
    cfg = read_config(config)
    if 'model' not in cfg:
        raise UserError(f'{cfg.filename}: has no model')
    return cfg


def read_trained_config(config: str | os.PathLike, checkpoint: str | os.PathLike) -> Config:
    """Read the config with which a checkpoint was trained.

    If ``config`` leaves fields to a corpus, its number of classes and dims are not those of the model.  The training
    wrote the complete config into its work dir, the folder of the checkpoint: it is read instead, and logged, if it
    was written by this user (:mod:`vpd_mm.engine.written_configs`).

    Raises:
        UserError: as :func:`read_model_config`; there is no such config in the folder of the checkpoint.
    """
    cfg = read_model_config(config)
    missing = _missing_fields(cfg)
    if not missing:
        return cfg
    _check_local(checkpoint)
    folder = Path(checkpoint).parent
    candidates = _written_configs(folder)
    for path in filter(is_recorded, candidates):
        if not _missing_fields(trained := read_model_config(path)):
            print_log(f'{checkpoint}: its config is read from {path}, as {config} leaves fields to a corpus', 'current')
            return trained
    fields = f'{config}: leaves {", ".join(missing)} to a corpus'
    if candidates and not any(map(is_recorded, candidates)):
        raise UserError(f'{fields}; {candidates[0]} {NOT_OURS}: pass it in place of {config} if you trust it')
    raise UserError(
        f'{fields}, and {folder} has no complete config of {checkpoint}; '
        'pass the config that tools/train.py wrote into its work dir'
    )


def _missing_fields(cfg: Config) -> list[str]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    return [name for name in CORPUS_FIELDS if dataset.get(name, '') is None]


def _check_local(checkpoint: str | os.PathLike) -> None:
    if not Path(checkpoint).is_file():
        raise UserError(f'checkpoint {checkpoint}: no such file')


def build_model(cfg: Config) -> torch.nn.Module:
    """Build the model of a config with initial weights, in evaluation mode; nothing is downloaded."""
    init_default_scope(cfg.get('default_scope', 'vpd_mm'))
    return MODELS.build(cfg.model).eval()


def load_weights(model: torch.nn.Module, checkpoint: str | os.PathLike, cfg: Config) -> dict[str, Any]:
    """Load a checkpoint strictly and return its ``dataset_meta`` (``classes``, ...), empty where it has none.

    Raises:
        UserError: the file is missing or damaged, or its tensors do not fit the model.
    """
    _check_local(checkpoint)
    if Path(checkpoint).suffix == '.onnx':
        raise UserError(f'checkpoint {checkpoint}: is an ONNX file; pass the .pth file')
    try:
        loaded = load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True, logger='silent')
    except UserError:
        raise
    except (RuntimeError, TypeError, AttributeError, LookupError, ValueError) as e:
        detail = ' '.join(str(e).split()) + own_config(checkpoint)
        raise UserError(f'checkpoint {checkpoint}: does not fit {cfg.filename}: {detail}') from e
    return check_meta(loaded.get('meta', {}).get('dataset_meta') or {}, f'checkpoint {checkpoint}')


def check_meta(meta: Any, where: str) -> dict[str, Any]:
    """Return the metadata of a trained model if its ``classes``, where it has any, are texts; else raise UserError."""
    classes = (meta.get('classes') or ()) if isinstance(meta, dict) else None
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise UserError(f'{where}: its metadata has no list of classes; train or export it again')
    return meta


def class_names(cfg: Config, meta: dict[str, Any], count: int) -> Sequence[str]:
    """Names of ``count`` classes: from the checkpoint, else from the config's corpus, else ``class 0``, ..."""
    names = meta.get('classes')
    if not names:
        corpus = cfg.get('test_dataloader', {}).get('dataset', {}).get('corpus', '')
        path = Path(corpus) / 'annotations' / 'classes.txt'
        names = load_classes(path) if corpus and path.is_file() else ()
    return list(names) if len(names) == count else [f'class {i}' for i in range(count)]
