"""Package look-up of mmengine 0.10 without ``pkg_resources``, which setuptools 82 removed.

The ``mmaction::...`` prefixes of Config and the lazy import of registries use these functions.
"""

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from .bridge import Bridge, find_elsewhere, provider, rebind


def applies() -> str:
    installed = provider('mmengine')
    if installed is None or installed[0] == 'onedl-mmengine' or find_elsewhere('pkg_resources') is not None:
        return ''
    return 'setuptools no longer has pkg_resources'


def is_installed(package: str) -> bool:
    """Tell whether a distribution, or else a module, of this name is installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of the module of a distribution (``mmaction2``) or module name (``mmaction``).

    Raises:
        PackageNotFoundError: There is no such package.
        RuntimeError: It is a namespace package and has no folder of its own.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return _module_path(package)
    for name in (package, package2module(package)):
        folder = Path(str(distribution.locate_file(name)))
        if folder.is_dir():
            return str(folder)
    return _module_path(package2module(package))


def package2module(package: str) -> str:
    """Return the name of the module that a distribution installs: ``mmaction2`` -> ``mmaction``.

    Raises:
        ValueError: The metadata of the distribution do not state it.
    """
    distribution = importlib.metadata.distribution(package)
    top_level = (distribution.read_text('top_level.txt') or '').split()
    top_level += [f.parts[0] for f in distribution.files or () if f.name == '__init__.py' and len(f.parts) == 2]
    if not top_level:
        raise ValueError(f'can not infer the module name of {package}')
    return top_level[0]


def _module_path(name: str) -> str:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise importlib.metadata.PackageNotFoundError(name)
    if spec.origin is None:
        raise RuntimeError(f'{name} is a namespace package, which is invalid for `get_install_path`')
    return str(Path(spec.origin).parent)


@contextmanager
def _without_pkg_resources(module: ModuleType) -> Iterator[None]:
    yield
    for function in (is_installed, get_installed_path, package2module):
        rebind(getattr(module, function.__name__), function)


BRIDGE = Bridge(
    name='mmengine pkg_resources',
    upstream='https://github.com/open-mmlab/mmcv/issues/3325',
    fix='looks packages up through importlib.metadata',
    applies=applies,
    around={'mmengine.utils.package_utils': _without_pkg_resources},
)
