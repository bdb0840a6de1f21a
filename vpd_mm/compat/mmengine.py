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

from .bridge import Bridge, empty_module, find_elsewhere, package_dir, provider, rebind


def _lacks_pkg_resources() -> str:
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

    Raises:
        PackageNotFoundError: There is no such package.
        RuntimeError: It is a namespace package and has no folder of its own.
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


def _without_pkg_resources(module: ModuleType) -> Iterator[None]:
    yield
    for function in (is_installed, get_installed_path, package2module):
        rebind(getattr(module, function.__name__), function)


def _torchvision_may_fail() -> str:
    if package_dir('mmengine') is None or find_elsewhere('torchvision') is None:
        return ''
    return 'torchvision is installed; if its import failed, every Runner would'


def _tolerant_collect_env(module: ModuleType) -> Iterator[None]:
    yield
    collect_env = module.collect_env

    @functools.wraps(collect_env)
    def tolerant_collect_env() -> OrderedDict:
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

    rebind(collect_env, tolerant_collect_env)


def _lacks_distutils() -> str:
    if package_dir('mmengine') is None or find_elsewhere('distutils') is not None:
        return ''
    return 'this Python has no distutils, and no setuptools to bring it'


def _fill_distutils_errors(module: ModuleType) -> None:
    module.DistutilsPlatformError = type('DistutilsPlatformError', (Exception,), {})  # type: ignore[attr-defined]


def _formats_again() -> str:
    return '' if package_dir('mmengine') is None else 'a Runner formats the text of its config up to ten times'


def _format_once(module: ModuleType) -> Iterator[None]:
    yield
    format_code = module.FormatCode

    @functools.lru_cache(maxsize=32)
    def cached(text: str, options: str) -> tuple:
        return format_code(text, **json.loads(options))

    @functools.wraps(format_code)
    def format_once(text: str, **options) -> tuple:
        return cached(text, json.dumps(options))

    module.FormatCode = format_once  # type: ignore[attr-defined]


BRIDGES = (
    Bridge(
        name='mmengine pkg_resources',
        upstream='https://github.com/open-mmlab/mmcv/issues/3325',
        fix='looks packages up through importlib.metadata',
        applies=_lacks_pkg_resources,
        around={'mmengine.utils.package_utils': _without_pkg_resources},
    ),
    Bridge(
        name='mmengine collect_env',
        upstream='mmengine/utils/dl_utils/collect_env.py:143, catches ModuleNotFoundError only',
        fix='reports a torchvision that does not import instead of failing',
        applies=_torchvision_may_fail,
        around={'mmengine.utils.dl_utils.collect_env': _tolerant_collect_env},
    ),
    Bridge(
        name='mmengine distutils',
        upstream='mmengine/utils/dl_utils/collect_env.py:56, removed by PEP 632',
        fix='stands in for distutils.errors',
        applies=_lacks_distutils,
        stand_ins={'distutils': empty_module, 'distutils.errors': _fill_distutils_errors},
    ),
    Bridge(
        name='mmengine config text',
        upstream='mmengine/config/config.py:1486, about a second of yapf for each checkpoint, log and dump',
        fix='formats the same text once',
        applies=_formats_again,
        around={'mmengine.config.config': _format_once},
    ),
)
