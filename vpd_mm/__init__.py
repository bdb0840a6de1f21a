"""vpd_mm: Video Pose Distillation as a plug-in of the OpenMMLab family."""

from . import compat
from .version import __version__

compat.install()

__all__ = ['__version__', 'compat']
