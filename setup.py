"""The part of the packaging that pyproject.toml cannot state: configs and tools inside the wheel.

They are copied to ``vpd_mm/.mim``, as OpenMMLab's packages do.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithConfigs(build_py):
    """Copy configs/, tools/, benchmarks/, requirements/ and model-index.yml into ``vpd_mm/.mim``."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'vpd_mm' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for name in ('configs', 'tools', 'benchmarks', 'requirements'):
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(ROOT / 'model-index.yml', target / 'model-index.yml')


setup(cmdclass={'build_py': BuildWithConfigs})
