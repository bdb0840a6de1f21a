"""Labels to and from other programs: formats, matching of videos and times, merging, clips and data sets."""

from .clips import write_clips
from .exporting import export_labels, labelled_videos
from .formats import FORMATS, Format, find_format
from .merging import MergeReport, merge_files

__all__ = [
    'FORMATS',
    'Format',
    'MergeReport',
    'export_labels',
    'find_format',
    'labelled_videos',
    'merge_files',
    'write_clips',
]
