"""Bridges for mmengine 0.10: ``pkg_resources`` and ``distutils`` are gone, ``collect_env`` is brittle, yapf is slow."""

import functools
import importlib.metadata
import importlib.util
import json
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from .bridge import find_elsewhere, package_dir, provider, rebind


def lacks_pkg_resources() -> str:
    installed = provider('mmengine')
    if installed is None or installed[0] == 'onedl-mmengine' or find_elsewhere('pkg_resources') is not None:
        return ''
    return 'setuptools no longer has pkg_resources'


def is_installed(package: str) -> bool:
    """Return True if a distribution, or else a module, of this name is installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of the module of a distribution (``mmaction2``) or module name (``mmaction``).

    PackageNotFoundError if there is none, RuntimeError for a namespace package, which has no folder of its own.
    """
    try:
        name = package2module(package)
    except importlib.metadata.PackageNotFoundError:
        name = package
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise importlib.metadata.PackageNotFoundError(name)
    if spec.origin is None:
        raise RuntimeError(f'{name} is a namespace package, which is invalid for `get_install_path`')
    return str(Path(spec.origin).parent)


def package2module(package: str) -> str:
    """Return the name of the module that a distribution installs: ``mmaction2`` -> ``mmaction``."""
    distribution = importlib.metadata.distribution(package)
    top_level = (distribution.read_text('top_level.txt') or '').split()
    top_level += [f.parts[0] for f in distribution.files or () if f.name == '__init__.py' and len(f.parts) == 2]
    if not top_level:
        raise ValueError(f'can not infer the module name of {package}')
    return top_level[0]


def without_pkg_resources(module: ModuleType) -> Iterator[None]:
    yield
    for function in (is_installed, get_installed_path, package2module):
        rebind(getattr(module, function.__name__), function)


def torchvision_may_fail() -> str:
    if package_dir('mmengine') is None or find_elsewhere('torchvision') is None:
        return ''
    return 'torchvision is installed; if its import failed, every Runner would'


def tolerant_collect_env(module: ModuleType) -> Iterator[None]:
    yield
    collect_env = module.collect_env

    @functools.wraps(collect_env)
    def collect() -> OrderedDict:
        try:
            importlib.import_module('torchvision')
        except (ImportError, RuntimeError, OSError, AttributeError) as e:
            # None in sys.modules means "not importable" to Python: upstream then leaves the entry out.
            sys.modules['torchvision'] = None  # type: ignore[assignment]
            try:
                info = collect_env()
            finally:
                del sys.modules['torchvision']
            info['TorchVision'] = f'installed, does not import: {" ".join(str(e).split())}'
            return info
        return collect_env()

    rebind(collect_env, collect)


def fill_distutils_errors(module: ModuleType) -> None:
    module.DistutilsPlatformError = type('DistutilsPlatformError', (Exception,), {})  # type: ignore[attr-defined]


def formats_again() -> str:
    return '' if package_dir('mmengine') is None else 'a Runner formats the text of its config up to ten times'


def format_once(module: ModuleType) -> Iterator[None]:
    yield
    format_code = module.FormatCode

    @functools.lru_cache(maxsize=32)
    def cached(text: str, options: str) -> tuple:
        return format_code(text, **json.loads(options))

    module.FormatCode = lambda text, **options: cached(text, json.dumps(options))  # type: ignore[attr-defined]
