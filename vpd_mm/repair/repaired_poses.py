"""Repaired poses on disk: a pose set that says where each joint comes from."""

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..structures import VPD_JOINTS, PoseSequence
from ..structures.sequences import NUM_COCO_JOINTS, check_array
from .placement import Placement
from .pose_repair import Repair

#: Meaning of ``RepairedPoses.origins``, by number.
ORIGINS = ('none', 'teacher', 'student', 'both', 'interpolated')
#: A joint that moves by more than this, in torsos, is overruled.  The score is the probability to be nearer than this.
NEAR_TORSOS = 0.2
#: From this share on, or up to the rest of it, a joint comes from the teacher or the student alone.
MAIN_SHARE = 0.75
_JOINTS = list(VPD_JOINTS)
_FACE = [joint for joint in range(NUM_COCO_JOINTS) if joint not in VPD_JOINTS]


@dataclass(frozen=True, eq=False)
class RepairedPoses(PoseSequence):
    """Poses of every frame with a crop; read as a ``PoseSequence`` by every tool.

    Args:
        deviations_px: (T, 17) float32, the standard deviation of a coordinate; 0 where it is not known (eyes, ears).
        origins: (T, 17) uint8, numbers of ``ORIGINS``: interpolated = of the teacher's poses in other frames.
    """

    deviations_px: np.ndarray
    origins: np.ndarray

    SHAPES = {**PoseSequence.SHAPES, 'deviations_px': (NUM_COCO_JOINTS,)}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array('RepairedPoses', 'origins', self.origins, np.uint8, (len(self), NUM_COCO_JOINTS))
        if len(self) and self.origins.max() >= len(ORIGINS):
            raise UserError(f'RepairedPoses: origins must be below {len(ORIGINS)}, found {self.origins.max()}')


@dataclass(frozen=True)
class RepairCounts:
    """Numbers of repaired poses.

    Args:
        frames: With a repaired pose.
        filled: Of these, without a pose of the teacher.
        overruled: Joints of the teacher that were moved by more than ``NEAR_TORSOS``.
        swaps: Frames in which left and right were exchanged.
    """

    frames: int = 0
    filled: int = 0
    overruled: int = 0
    swaps: int = 0

    def __add__(self, other: 'RepairCounts') -> 'RepairCounts':
        return RepairCounts(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))


def repaired_poses(
    frame_inds: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, repaired: Repair, placement: Placement
) -> tuple[RepairedPoses, RepairCounts]:
    """Place the repaired joints in the frame; eyes and ears are the teacher's.

    The score of a joint is the probability that it is within ``NEAR_TORSOS`` of its place, given its deviation; a joint
    of the teacher that moved by less keeps at least the teacher's score.

    Args:
        frame_inds: (T,) frames with a crop.
        keypoints, scores: (T, 17, 2) px and (T, 17) the teacher's; score 0 where it has no joint.
        repaired, placement: Of these frames.
    """
    joints = repaired.joints
    joints_px = placement.to_px(joints)
    deviations = placement.deviations_px(joints, repaired.variances)
    near = (NEAR_TORSOS * placement.sizes)[:, None]
    own = scores[:, _JOINTS]
    present = own > 0
    moved = np.linalg.norm(placement.to_px(repaired.teacher) - joints_px, axis=-1)
    kept = present & (moved <= near)  # NaN: the teacher has no pose
    overruled = present & np.isfinite(moved) & ~kept
    probability = 1 - np.exp(-(near**2) / (2 * deviations**2))
    shares = repaired.shares
    origins = np.select(
        [shares <= 1 - MAIN_SHARE, kept & (shares >= MAIN_SHARE), kept, shares >= 0.5], [2, 1, 3, 4], default=2
    )
    result = RepairedPoses(
        frame_inds,
        np.zeros((len(frame_inds), NUM_COCO_JOINTS, 2), np.float32),
        np.zeros((len(frame_inds), NUM_COCO_JOINTS), np.float32),
        np.zeros((len(frame_inds), NUM_COCO_JOINTS), np.float32),
        np.zeros((len(frame_inds), NUM_COCO_JOINTS), np.uint8),
    )
    result.keypoints[:, _JOINTS], result.deviations_px[:, _JOINTS] = joints_px, deviations
    result.scores[:, _JOINTS] = np.where(kept, np.maximum(own, probability), probability)
    result.origins[:, _JOINTS] = origins
    # a face whose nose was overruled is not trusted
    seen = (scores[:, _FACE] > 0) & kept[:, :1] & ~repaired.swapped[:, None]
    result.keypoints[:, _FACE] = np.where(seen[..., None], keypoints[:, _FACE], joints_px[:, :1])
    result.scores[:, _FACE], result.origins[:, _FACE] = np.where(seen, scores[:, _FACE], 0), seen
    has_teacher = np.isfinite(repaired.teacher).all(axis=-1).any(axis=1)
    counts = RepairCounts(len(frame_inds), int((~has_teacher).sum()), int(overruled.sum()), int(repaired.swapped.sum()))
    return result, counts
