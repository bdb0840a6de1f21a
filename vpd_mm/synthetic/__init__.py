"""The embedded sport: videos of animated 3D athletes with labels and ground truth, and images of everyday people.

Heavy parts (rendering, encoding) are imported on demand: ``vpd_mm.synthetic.corpus``, ``.generic``, ``.sheet``.
"""

from .ground_truth import GroundTruth
from .pose_source import SyntheticPoses
from .routine import CLASSES, SKILLS, Skill

__all__ = ['CLASSES', 'SKILLS', 'GroundTruth', 'Skill', 'SyntheticPoses']
