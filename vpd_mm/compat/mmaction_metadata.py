"""Stand-in for the back-port ``importlib_metadata``, which mmaction2 imports without declaring it."""

import importlib.metadata
from types import ModuleType

from .bridge import Bridge, find_elsewhere, package_dir


def applies() -> str:
    spec = find_elsewhere('importlib_metadata')
    # setuptools puts its private copy on sys.path once it is imported; do not rely on it.
    installed = spec is not None and '_vendor' not in str(spec.origin)
    return '' if installed or package_dir('mmaction') is None else 'importlib_metadata is not installed'


def _fill(module: ModuleType) -> None:
    public = {name: getattr(importlib.metadata, name) for name in importlib.metadata.__all__}
    vars(module).update(public, __all__=list(public))


BRIDGE = Bridge(
    name='mmaction2 importlib_metadata',
    upstream='mmaction/utils/dependency.py:6, not in its requirements',
    fix="stands in with the standard library's importlib.metadata",
    applies=applies,
    stand_ins={'importlib_metadata': _fill},
)
