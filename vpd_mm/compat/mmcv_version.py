"""Version check of mmdet 3.3.0 and mmaction2 1.2.0, which refuse mmcv >= 2.2.0 although they work with it."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from .bridge import Bridge, provider

LIMIT = (2, 2)
ACCEPTED = '2.1.0'
LIMITED_DISTRIBUTIONS = ('mmdet', 'mmaction2')


def applies() -> str:
    name, version = provider('mmcv') or ('mmcv', '')
    version = getattr(sys.modules.get('mmcv'), '__version__', None) or version
    if not version or tuple(int(part) for part in version.split('.')[:2]) < LIMIT:
        return ''
    return f'{name} {version} is refused by mmdet 3.3.0 and mmaction2 1.2.0'


@contextmanager
def _lifted_limit(module: ModuleType) -> Iterator[None]:
    """Show an accepted version while the package's ``__init__`` compares it; forks have their own limits."""
    if (provider(module.__name__) or ('',))[0] not in LIMITED_DISTRIBUTIONS:
        yield
        return
    mmcv = importlib.import_module('mmcv')
    true_version = mmcv.__version__
    mmcv.__version__ = ACCEPTED  # type: ignore[attr-defined]
    try:
        yield
    finally:
        mmcv.__version__ = true_version  # type: ignore[attr-defined]
    if hasattr(module, 'mmcv_version'):
        module.mmcv_version = module.digit_version(true_version)  # type: ignore[attr-defined]


BRIDGE = Bridge(
    name='mmcv version limit',
    upstream='https://github.com/open-mmlab/mmdetection/issues/11763',
    fix='lifts the limit while mmdet and mmaction check it',
    applies=applies,
    around={'mmdet': _lifted_limit, 'mmaction': _lifted_limit},
)
