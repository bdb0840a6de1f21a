"""Tolerant ``collect_env`` of mmengine: every Runner calls it, and it fails where torchvision does not import."""

import functools
import importlib
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from .bridge import Bridge, find_elsewhere, package_dir, rebind


def applies() -> str:
    if package_dir('mmengine') is None or find_elsewhere('torchvision') is None:
        return ''
    return 'torchvision is installed; if its import failed, every Runner would'


@contextmanager
def _tolerant(module: ModuleType) -> Iterator[None]:
    yield
    collect_env = module.collect_env

    @functools.wraps(collect_env)
    def tolerant_collect_env() -> OrderedDict:
        try:
            importlib.import_module('torchvision')
        except (ImportError, RuntimeError, OSError, AttributeError) as e:
            # None in sys.modules means "not importable" to Python: upstream then leaves the entry out.
            before = sys.modules.get('torchvision')
            sys.modules['torchvision'] = None  # type: ignore[assignment]
            try:
                info = collect_env()
            finally:
                del sys.modules['torchvision']
                if before is not None:
                    sys.modules['torchvision'] = before
            info['TorchVision'] = f'installed, does not import: {" ".join(str(e).split())}'
            return info
        return collect_env()

    rebind(collect_env, tolerant_collect_env)


BRIDGE = Bridge(
    name='mmengine collect_env',
    upstream='mmengine/utils/dl_utils/collect_env.py:143, catches ModuleNotFoundError only',
    fix='reports a torchvision that does not import instead of failing',
    applies=applies,
    around={'mmengine.utils.dl_utils.collect_env': _tolerant},
)
