"""Stand-in for ``distutils.errors``, which mmengine's ``collect_env`` needs and Python 3.12 no longer has."""

from types import ModuleType

from .bridge import Bridge, empty_module, find_elsewhere, package_dir


def applies() -> str:
    if package_dir('mmengine') is None or find_elsewhere('distutils') is not None:
        return ''
    return 'this Python has no distutils, and no setuptools to bring it'


def _fill_errors(module: ModuleType) -> None:
    module.DistutilsPlatformError = type('DistutilsPlatformError', (Exception,), {})  # type: ignore[attr-defined]


BRIDGE = Bridge(
    name='mmengine distutils',
    upstream='mmengine/utils/dl_utils/collect_env.py:56, removed by PEP 632',
    fix='stands in for distutils.errors',
    applies=applies,
    stand_ins={'distutils': empty_module, 'distutils.errors': _fill_errors},
)
