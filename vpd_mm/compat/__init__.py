"""Bridges over upstream breaks, one module each; ``install()`` arms them, and they act when upstream is imported."""

import sys

from . import (
    checkpoint,
    mmaction_decord,
    mmaction_drn,
    mmaction_inf,
    mmaction_metadata,
    mmcv_ops,
    mmcv_version,
    mmengine_distutils,
    mmengine_env,
    mmengine_packages,
    torchvision_ops,
    xtcocotools,
)
from .bridge import Bridge, BridgeFinder
from .checkpoint import load_checkpoint_safely

BRIDGES: tuple[Bridge, ...] = (
    mmcv_ops.BRIDGE,
    mmcv_version.BRIDGE,
    mmengine_packages.BRIDGE,
    mmengine_env.BRIDGE,
    mmengine_distutils.BRIDGE,
    checkpoint.BRIDGE,
    torchvision_ops.BRIDGE,
    mmaction_drn.BRIDGE,
    mmaction_metadata.BRIDGE,
    mmaction_decord.BRIDGE,
    mmaction_inf.BRIDGE,
    xtcocotools.ABSENT,
    xtcocotools.BROKEN,
)


def install() -> None:
    """Arm every bridge once; imports nothing.  Each bridge acts only where its break is present."""
    if not any(isinstance(finder, BridgeFinder) for finder in sys.meta_path):
        finder = BridgeFinder(BRIDGES)
        sys.meta_path.insert(0, finder)
        finder.patch_imported()


__all__ = ['BRIDGES', 'Bridge', 'install', 'load_checkpoint_safely']
