"""Read config files and override their fields."""

import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from ..compat.checkpoint_loading import RUN_CONFIG
from ..errors import UserError
from ..files import check_file
from ..files.reading import MAX_TEXT_BYTES
from .paths import find_config

#: Fields of a parameter scheduler that count epochs or iterations, besides T_max.
SCHEDULE_FIELDS = {'begin', 'end', 'periods', 'milestones', 'step_size'}


def config_name(cfg: Config) -> str:
    """Name of a config without ``.py``; one that a Runner wrote has the name of its experiment."""
    name = Path(cfg.filename or RUN_CONFIG)
    return str(cfg.get('experiment_name', name.stem)) if name.name == RUN_CONFIG else name.stem


def set_filename(cfg: Config, name: str | os.PathLike) -> None:
    """Set the file from which a config counts as read, which the Runner takes as the name of its copy."""
    object.__setattr__(cfg, '_filename', str(name))


def read_config(name: str | os.PathLike) -> Config:
    """Read a config, found by :func:`vpd_mm.engine.paths.find_config`.

    A config is a program, and is run: only one that the user named, or that belongs to a package, may be read.
    Whatever it raises is reported as a UserError of one line.
    """
    path = check_file(find_config(str(name)), MAX_TEXT_BYTES)
    try:
        return Config.fromfile(str(path))
    except Exception as e:
        raise UserError(f'{path}: does not load as a config: {type(e).__name__}: {e}') from e


def parse_options(option: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Parse the values of an option such as ``--track``: ['max_gap=5', 'method=path'] to {'max_gap': 5, ...}."""
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals or not key:
            raise UserError(f'{option} {pair}: must be KEY=VALUE')
        if key in values:
            raise UserError(f'{option} {pair}: {key} is given twice; give it once')
        values[key] = DictAction._parse_iterable(value)
    return values


def check_read(options: Sequence[str], unread: str, tool: str) -> None:
    """Check that a tool reads the fields of ``--cfg-options``; ``unread`` matches the start of those it does not read.

    Raises:
        UserError: the tool does not read one.
    """
    for option in options:
        if re.match(unread, option):
            key = option.partition('=')[0]
            raise UserError(f'--cfg-options {key}: changes nothing: {tool} does not read it')


def merge_options(cfg: Config, options: Sequence[str], top: Collection[str] = ()) -> None:
    """Merge the values of ``--cfg-options`` into a config.

    ``top`` is as of :func:`vpd_mm.engine.option_check.check_fields`.

    Raises:
        UserError: an option does not fit, or changes nothing.
    """
    values = parse_options('--cfg-options', options)
    if values:
        from .option_check import check_fields  # imports the Runner

        check_fields(cfg, values, '--cfg-options', top)
    try:
        merge_values(cfg, values)
    except (KeyError, IndexError, TypeError, ValueError) as e:
        raise UserError(f'--cfg-options {" ".join(options)}: does not fit the config: {e}') from e


def merge_values(cfg: Config, values: Mapping[str, Any]) -> None:
    """Merge fields such as ``train_cfg.max_epochs`` into a config; its schedule follows the length of the training.

    Where the values change the number of epochs (or iterations) and not ``param_scheduler``, the fields of the
    schedulers that count epochs (or iterations) are stretched.
    """
    unit, old = _train_length(cfg)
    cfg.merge_from_dict(dict(values))
    schedule, new = cfg.get('param_scheduler'), _train_length(cfg)
    if not schedule or new[0] != unit or new[1] == old or any(key.split('.')[0] == 'param_scheduler' for key in values):
        return
    schedulers = schedule if isinstance(schedule, list) else [schedule]
    if all('type' in scheduler for scheduler in schedulers):  # not one schedule for each optimizer
        counted = [scheduler.get('by_epoch', True) == (unit == 'max_epochs') for scheduler in schedulers]
        stretched = [_stretch(s, new[1] / old) if c else s for s, c in zip(schedulers, counted, strict=True)]
        cfg.param_scheduler = [s for s in stretched if s.get('begin', 0) < s.get('end', new[1])]


def epochs_option(cfg: Config, epochs: int) -> str:
    """The option that sets the length of a training; UserError below 1, or if the training counts iterations."""
    unit, length = _train_length(cfg)
    if epochs < 1:
        raise UserError(f'--epochs {epochs}: must be 1 or more')
    if unit != 'max_epochs':
        hint = f'counts iterations: --cfg-options train_cfg.max_iters=N, now {length}' if unit else 'is no training'
        raise UserError(f'--epochs {epochs}: {config_name(cfg)} {hint}')
    return f'train_cfg.max_epochs={epochs}'


def _train_length(cfg: Config) -> tuple[str, int]:
    train = cfg.get('train_cfg') or {}
    return next(((unit, train[unit]) for unit in ('max_epochs', 'max_iters') if train.get(unit)), ('', 0))


def _stretch(scheduler: Mapping[str, Any], ratio: float) -> dict[str, Any]:
    """Multiply the fields of a scheduler that count epochs or iterations, rounded up."""

    def times(count: float) -> int:
        return math.ceil(count * ratio - 1e-9)

    stretched, begin = dict(scheduler), scheduler.get('begin', 0)
    for name in SCHEDULE_FIELDS & scheduler.keys():
        value = scheduler[name]
        stretched[name] = [times(count) for count in value] if isinstance(value, list | tuple) else times(value)
    if 'T_max' in scheduler:  # it ends where the training does
        stretched['T_max'] = max(1, times(begin + scheduler['T_max']) - times(begin))
    return stretched
