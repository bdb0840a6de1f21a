"""Read config files and override their fields."""

import difflib
import inspect
import os
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config, DictAction

from ..errors import UserError
from ..files import check_file
from ..files.reading import MAX_TEXT_BYTES
from .paths import find_config


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
        values[key] = DictAction._parse_iterable(value)
    return values


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Merge the values of ``--cfg-options`` into a config.

    Raises:
        UserError: an option does not fit, or its first key is unknown to the config and the Runner (mmengine ignores
            such keys).
    """
    from mmengine.runner import Runner

    known = set(cfg.keys()) | set(inspect.signature(Runner.__init__).parameters) | {'sync_bn', 'compile'}
    values = parse_options('--cfg-options', options)
    for key in values:
        top = key.split('.')[0]
        if top not in known:
            near = difflib.get_close_matches(top, known, n=1)
            raise UserError(f'--cfg-options {key}: the config has no {top!r}' + (f'; {near[0]!r}?' if near else ''))
    try:
        cfg.merge_from_dict(values)
    except (KeyError, IndexError, TypeError, ValueError) as e:
        raise UserError(f'--cfg-options {" ".join(options)}: does not fit the config: {e}') from e
