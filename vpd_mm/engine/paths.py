"""Paths of configs and tools: beside the package in a checkout, in ``vpd_mm/.mim`` in an installed wheel."""

import importlib.util
from pathlib import Path

from ..errors import UserError

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_dir() -> Path:
    """Return the folder that holds ``configs/`` and ``tools/``."""
    packed = _PACKAGE / '.mim'
    return packed if packed.is_dir() else _PACKAGE.parent


def find_weights(name: str) -> str:
    """Return the path of a checkpoint; one on a web server is downloaded (:mod:`vpd_mm.engine.checkpoint_download`).

    Weights of the package (``vpd_mm/...``) are found from any folder.  Names that mmengine resolves (``torchvision://``)
    and missing files are returned as they are.
    """
    if name.lower().startswith(('http://', 'https://')):
        from .checkpoint_download import fetch_weights  # imports mmengine

        return str(fetch_weights(name))
    packed = _PACKAGE.parent / name
    return str(packed) if not Path(name).is_file() and packed.is_file() else name


def config_dir(package: str) -> Path:
    """Return the folder of the configs of an installed package; UserError where it is not installed."""
    return (resource_dir() if package == 'vpd_mm' else zoo_dir(package)) / 'configs'


def zoo_dir(package: str) -> Path:
    """Return the folder that holds ``configs/`` and the list of the model zoo of an OpenMMLab package.

    Raises UserError: it is not installed.
    """
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f'package {package!r} is not installed; run tools/check_env.py --fix')
    folder = Path(spec.submodule_search_locations[0]).resolve()
    return folder / '.mim' if (folder / '.mim').is_dir() else folder.parent


def find_config(name: str) -> Path:
    """Find a config file, which is a Python file, by path, or as ``mmaction::skeleton/stgcn/x.py`` within a package.

    ``configs/baselines/x.py`` works from any folder: it is looked up in the current folder, then in the project.

    Raises:
        UserError: the name does not end in ``.py``, or there is no such file; the message lists the candidates.
    """
    if not name.endswith('.py'):
        raise UserError(f'config {name}: must be a Python file (.py)')
    if '::' in name:
        package, _, relative = name.partition('::')
        candidates = [config_dir(package) / relative]
    else:
        candidates = [Path(name), resource_dir() / name, resource_dir() / 'configs' / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise UserError(f'config {name}: no such file; looked for {", ".join(map(str, candidates))}')
