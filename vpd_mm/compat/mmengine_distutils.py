"""mmengine's ``collect_env`` needs ``distutils.errors``; Python 3.12 has no distutils unless setuptools brings one."""

from types import ModuleType

from .bridge import Bridge, find_elsewhere, package_dir


def applies() -> str:
    if package_dir('mmengine') is None or find_elsewhere('distutils') is not None:
        return ''
    return 'this Python has no distutils, and no setuptools to bring it'


def _fill_package(package: ModuleType) -> None:
    """Nothing but ``errors`` is asked for."""


def _fill_errors(module: ModuleType) -> None:
    module.DistutilsPlatformError = type('DistutilsPlatformError', (Exception,), {})  # type: ignore[attr-defined]


BRIDGE = Bridge(
    name='mmengine distutils',
    upstream='mmengine/utils/dl_utils/collect_env.py:56, removed by PEP 632',
    cure='stands in for distutils.errors',
    applies=applies,
    stand_ins={'distutils': _fill_package, 'distutils.errors': _fill_errors},
)
