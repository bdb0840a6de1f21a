"""Build a model of this project from a config and load its checkpoint."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..errors import UserError
from ..files import list_folder
from ..registry import MODELS
from ..structures import load_classes
from .config import read_config
from .written_configs import NOT_OURS, is_recorded

#: Fields of a data set that a config leaves to a corpus by setting them to None.
CORPUS_FIELDS = ('corpus', 'num_classes', 'window', 'widen')


def split_spec(spec: str, what: str) -> tuple[str, list[str]]:
    """Split ``CONFIG:CHECKPOINT[,CHECKPOINT...]`` into config and checkpoints; UserError if one is missing."""
    config, _, checkpoints = spec.rpartition(':')
    files = [name for name in checkpoints.split(',') if name]
    if not config or not files:
        raise UserError(f'{what} {spec!r}: must be CONFIG:CHECKPOINT, the files that tools/train.py read and wrote')
    return config, files


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
    dumped = list_folder(folder, '*/vis_data/config.py')[::-1]  # the newest first, by their time stamps
    candidates = [path for path in (folder / Path(cfg.filename).name, *dumped) if path.is_file()]
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
    except (RuntimeError, TypeError, AttributeError, LookupError, ValueError) as e:
        detail = ' '.join(str(e).split())
        raise UserError(f'checkpoint {checkpoint}: does not fit {Path(str(cfg.filename)).name}: {detail}') from e
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
