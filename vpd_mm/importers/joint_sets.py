"""Joint sets of other pose estimators, recognised by their number of joints, and their COCO-17 joints."""

from typing import NamedTuple

from ..errors import UserError


class JointSet(NamedTuple):
    """Name of a joint set, and its rows that are COCO-17's joints: nose, eyes, ears, shoulders, elbows, wrists, hips,
    knees, ankles; left before right."""

    name: str
    rows: tuple[int, ...] = tuple(range(17))


BODY_25 = JointSet('OpenPose BODY_25', (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11))
#: COCO-17's joints as Sports2D and Pose2Sim name them.
TRC_NAMES = (
    *('Nose', 'LEye', 'REye', 'LEar', 'REar', 'LShoulder', 'RShoulder', 'LElbow', 'RElbow', 'LWrist', 'RWrist'),
    *('LHip', 'RHip', 'LKnee', 'RKnee', 'LAnkle', 'RAnkle'),
)

#: Number of joints to joint set.
JOINT_SETS = {
    17: JointSet('COCO-17'),
    18: JointSet('OpenPose COCO-18', (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)),
    25: BODY_25,
    26: JointSet('Halpe-26'),
    133: JointSet('COCO-WholeBody-133'),
    136: JointSet('Halpe-136'),
}


def find_joint_set(num_joints: int, where: object) -> JointSet:
    """Return the joint set with a number of joints; UserError, which lists those that are read, where there is none."""
    if num_joints not in JOINT_SETS:
        known = ', '.join(f'{count} ({joints.name})' for count, joints in JOINT_SETS.items())
        raise UserError(f'{where}: {num_joints} joints; poses must have {known}')
    return JOINT_SETS[num_joints]
