"""The teachers: what a pose estimator says of each frame, as a target."""

from .joint_feature import JointFeature, flip_joints, frame_scores, normalize_joints

__all__ = ['JointFeature', 'flip_joints', 'frame_scores', 'normalize_joints']
