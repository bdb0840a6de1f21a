"""Packaging: the package, with configs and tools inside it as ``vpd_mm/.mim`` (OpenMMLab's habit)."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    scope: dict = {}
    exec((ROOT / 'vpd_mm' / 'version.py').read_text(encoding='utf-8'), scope)  # noqa: S102  of this checkout
    return scope['__version__']


def read_requirements() -> list[str]:
    """The pins without their versions' last word: a user's environment may be newer.

    The OpenMMLab packages are left out: pip cannot satisfy what they declare
    (see requirements/openmmlab.txt); ``python -m vpd_mm check_env`` names them when missing.
    """
    lines = (ROOT / 'requirements' / 'runtime.txt').read_text(encoding='utf-8').splitlines()
    names = []
    for line in lines:
        line = line.split('#')[0].strip()
        if line:
            name = line.split('==')[0]
            if name not in names:
                names.append(name)
    return names


class BuildWithConfigs(build_py):
    """Copy configs/, tools/ and model-index.yml into ``vpd_mm/.mim``."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'vpd_mm' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        for name in ('configs', 'tools', 'benchmarks', 'requirements'):
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns('__pycache__'))
        index = ROOT / 'model-index.yml'
        if index.is_file():
            shutil.copy(index, target / index.name)


setup(
    name='vpd_mm',
    version=read_version(),
    description='Video Pose Distillation as a plug-in of OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='BSD-3-Clause',
    license_files=['LICENSE'],
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['vpd_mm', 'vpd_mm.*']),
    package_data={'': ['*.pth', '*.json', '*.npz', '*.txt', '*.html', '*.md', '*.sha256']},
    install_requires=read_requirements(),
    extras_require={'mediapipe': ['mediapipe==0.10.21'], 'onnx': ['onnx', 'onnxruntime'], 'wandb': ['wandb']},
    cmdclass={'build_py': BuildWithConfigs},
    zip_safe=False,
)
