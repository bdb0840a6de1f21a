"""A trained model of this project, from ``CONFIG:CHECKPOINT``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

from ..errors import UserError
from ..registry import MODELS
from .config import read_config


def split_spec(spec: str, what: str) -> tuple[str, list[str]]:
    """('config', checkpoints) of ``CONFIG:CHECKPOINT[,CHECKPOINT...]``.

    Raises:
        UserError: one of the two is missing.
    """
    config, _, checkpoints = spec.rpartition(':')
    files = [name for name in checkpoints.split(',') if name]
    if not config or not files:
        raise UserError(f'{what} {spec!r}: must be CONFIG:CHECKPOINT, as tools/train.py took and wrote them')
    return config, files


def read_model_config(config: str | os.PathLike) -> Config:
    """Read a config that has a model.

    Raises:
        UserError: it is missing, does not load or has no model.
    """
    cfg = read_config(config)
    if 'model' not in cfg:
        raise UserError(f'{cfg.filename}: has no model')
    return cfg


def build_model(cfg: Config) -> torch.nn.Module:
    """The model of a config, weights as drawn; nothing pre-trained is fetched."""
    init_default_scope(cfg.get('default_scope', 'vpd_mm'))
    return MODELS.build(cfg.model).eval()


def load_weights(model: torch.nn.Module, checkpoint: str | os.PathLike, cfg: Config) -> dict[str, Any]:
    """Load a checkpoint strictly.

    Returns:
        The checkpoint's ``dataset_meta`` (``classes``, ...); empty where it has none.

    Raises:
        UserError: the file is missing or damaged, or its tensors are of another model.
    """
    if not Path(checkpoint).is_file():
        raise UserError(f'checkpoint {checkpoint}: no such file')
    if Path(checkpoint).suffix == '.onnx':
        raise UserError(f"checkpoint {checkpoint}: is an ONNX graph; pass backend='onnxruntime', or the .pth")
    try:
        loaded = load_checkpoint(model, str(checkpoint), map_location='cpu', strict=True, logger='silent')
    except RuntimeError as e:
        detail = ' '.join(str(e).split())[:300]
        raise UserError(f'checkpoint {checkpoint}: is not of {Path(str(cfg.filename)).name}: {detail}') from e
    return loaded.get('meta', {}).get('dataset_meta') or {}


def class_names(cfg: Config, meta: dict[str, Any], count: int) -> Sequence[str]:
    """Names of ``count`` classes: of the checkpoint, else of the corpus in the config, else their numbers."""
    names = meta.get('classes') or None
    if names is None:
        from ..structures import load_classes

        corpus = cfg.get('test_dataloader', {}).get('dataset', {}).get('corpus', '')
        path = Path(corpus) / 'annotations' / 'classes.txt'
        names = load_classes(path) if corpus and path.is_file() else None
    return list(names) if names is not None and len(names) == count else [f'class {i}' for i in range(count)]
