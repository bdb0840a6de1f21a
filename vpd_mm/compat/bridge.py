"""The description of a bridge, and the import finder that applies bridges."""

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

Fill = Callable[[ModuleType], None]
Around = Callable[[ModuleType], Iterator[None]]

#: Import name -> the distributions that may provide it; the first one installed counts.
DISTRIBUTIONS = {
    'mmengine': ('mmengine', 'onedl-mmengine', 'mmengine-lite'),
    'mmcv': ('mmcv', 'onedl-mmcv', 'mmcv-lite'),
    'mmdet': ('mmdet', 'onedl-mmdetection'),
    'mmpose': ('mmpose', 'onedl-mmpose'),
    'mmaction': ('mmaction2', 'onedl-mmaction2'),
}


@dataclass(frozen=True)
class Bridge:
    """One upstream break and its fix.

    Args:
        name, fix: Short name of the break, and one line on what the bridge does.
        upstream: URL of the issue, or the file and line of the error where no issue exists.
        applies: Returns the reason why the bridge is needed here, '' where upstream works.  Imports nothing heavy.
        stand_ins: Module name -> function that fills the module, which is supplied in place of the missing one; None
            = it stays empty.
        around: Module name -> generator function; the module is executed at its ``yield``.
    """

    name: str
    upstream: str
    fix: str
    applies: Callable[[], str]
    stand_ins: Mapping[str, Fill | None] = field(default_factory=dict)
    around: Mapping[str, Around] = field(default_factory=dict)


class BridgeFinder(MetaPathFinder):
    """First entry of ``sys.meta_path``: supplies stand-ins and runs the ``around`` code of the bridges."""

    def __init__(self, bridges: Iterable[Bridge]) -> None:
        self.bridges = tuple(bridges)

    def find_spec(self, name, path=None, target=None):
        for bridge in self.bridges:
            if name in bridge.stand_ins and bridge.applies():
                is_package = any(other.startswith(f'{name}.') for other in bridge.stand_ins)
                return spec_from_loader(name, _StandInLoader(bridge.stand_ins[name]), is_package=is_package)
        if not any(name in bridge.around for bridge in self.bridges):
            return None
        spec = find_elsewhere(name, path, target)
        if spec is not None and spec.loader is not None:
            exec_module = spec.loader.exec_module  # the loader keeps its class, which inspect and pickle look at

            def exec_patched(module: ModuleType) -> None:
                with self._patching(name, module):
                    exec_module(module)

            spec.loader.exec_module = exec_patched
        return spec

    def patch_imported(self) -> None:
        """Apply the bridges to modules that are already imported."""
        for name in {name for bridge in self.bridges for name in bridge.around} & sys.modules.keys():
            with self._patching(name, sys.modules[name]):
                pass

    def _patching(self, name: str, module: ModuleType) -> ExitStack:
        stack = ExitStack()
        for bridge in self.bridges:
            if name in bridge.around and bridge.applies():
                stack.enter_context(contextmanager(bridge.around[name])(module))
        return stack


class _StandInLoader(Loader):
    def __init__(self, fill: Fill | None) -> None:
        self.fill = fill

    def exec_module(self, module: ModuleType) -> None:
        if self.fill is not None:
            self.fill(module)


def find_elsewhere(name: str, path=None, target=None) -> ModuleSpec | None:
    """Return the spec that Python finds without the bridges; imports nothing."""
    for finder in sys.meta_path:
        if not isinstance(finder, BridgeFinder) and hasattr(finder, 'find_spec'):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def package_dir(name: str) -> Path | None:
    """Return the folder of an installed top-level package without importing it."""
    spec = find_elsewhere(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def provider(name: str) -> tuple[str, str] | None:
    """Return (distribution, version) of an import name, None if no distribution is installed."""
    for distribution in DISTRIBUTIONS.get(name, (name,)):
        try:
            return distribution, importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def missing(package: str, module: str) -> Callable[[], str]:
    """Return the condition of a bridge for a module that an installed package needs."""

    def applies() -> str:
        needed = package_dir(package) is not None and find_elsewhere(module) is None
        return f'{module} is not installed' if needed else ''

    return applies


def copy_of(original: str) -> Fill:
    """Return the function that fills a stand-in with the names of an installed module."""

    def fill(module: ModuleType) -> None:
        public = vars(importlib.import_module(original))
        vars(module).update({name: value for name, value in public.items() if not name.startswith('__')})

    return fill


def rebind(old: object, new: object) -> None:
    """Replace ``old`` by ``new`` in all imported OpenMMLab modules, which re-export with ``from x import y``."""
    for name, module in list(sys.modules.items()):
        if module is not None and name.partition('.')[0] in DISTRIBUTIONS:
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
