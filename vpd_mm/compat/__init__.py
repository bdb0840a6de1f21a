"""Bridges over upstream breaks, one module per upstream package; they act when upstream is imported."""

import sys

from . import checkpoint, mmaction, mmcv, mmengine, torchvision, xtcocotools
from .bridge import Bridge, BridgeFinder
from .checkpoint import load_checkpoint_safely

BRIDGES: tuple[Bridge, ...] = (
    *mmcv.BRIDGES,
    *mmengine.BRIDGES,
    *checkpoint.BRIDGES,
    *torchvision.BRIDGES,
    *mmaction.BRIDGES,
    *xtcocotools.BRIDGES,
)


def install() -> None:
    """Arm every bridge once; imports nothing.  Each bridge acts only where its break is present."""
    if not any(isinstance(finder, BridgeFinder) for finder in sys.meta_path):
        finder = BridgeFinder(BRIDGES)
        sys.meta_path.insert(0, finder)
        finder.patch_imported()


__all__ = ['BRIDGES', 'Bridge', 'install', 'load_checkpoint_safely']
