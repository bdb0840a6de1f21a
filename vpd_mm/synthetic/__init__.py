"""The embedded sport: animated 3D athletes on film, with labels and the truth; and everyday people like them.

Heavy parts (rendering, encoding) load when asked for: ``vpd_mm.synthetic.corpus``, ``.generic``, ``.sheet``.
"""

from .pose_source import SyntheticPoses
from .poses import sample_poses
from .routine import CLASSES, SKILLS, Skill, skill_of
from .truth import GroundTruth

__all__ = ['CLASSES', 'SKILLS', 'GroundTruth', 'Skill', 'SyntheticPoses', 'sample_poses', 'skill_of']
