"""Read config files."""

import os

from mmengine.config import Config

from ..errors import UserError
from .paths import find_config


def read_config(name: str | os.PathLike) -> Config:
    """Read a config, found by :func:`vpd_mm.engine.paths.find_config`.

    A config is a program: whatever it raises is reported as one line.

    Raises:
        UserError: it is missing or does not load.
    """
    path = find_config(str(name))
    try:
        return Config.fromfile(str(path))
    except Exception as e:
        raise UserError(f'{path}: does not load as a config: {type(e).__name__}: {e}') from e
