"""Data of a corpus in the formats of other programs."""

from .poses import FORMATS, export_poses

__all__ = ['FORMATS', 'export_poses']
