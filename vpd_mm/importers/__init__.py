"""Import of boxes, poses and public data sets into a corpus."""

from .box_files import read_boxes
from .diving48 import read_diving48
from .feature_pickles import read_feature_pickle
from .fsjump6 import read_fsjump6
from .fx35 import read_fx35
from .label_table import import_label_table, read_label_table
from .labels import LabelSet, import_labels
from .mask_files import MaskPatch, read_masks
from .parkour import import_parkour
from .penn_action import read_penn_action
from .pose_files import import_poses, read_poses
from .release_lists import read_video_meta
from .release_poses import ReleasePoses
from .report import ImportReport
from .tennis7 import read_tennis7
from .vpd_release import import_vpd_release

__all__ = [
    'ImportReport',
    'LabelSet',
    'MaskPatch',
    'ReleasePoses',
    'import_label_table',
    'import_labels',
    'import_parkour',
    'import_poses',
    'import_vpd_release',
    'read_boxes',
    'read_diving48',
    'read_feature_pickle',
    'read_fsjump6',
    'read_fx35',
    'read_label_table',
    'read_masks',
    'read_penn_action',
    'read_poses',
    'read_tennis7',
    'read_video_meta',
]
