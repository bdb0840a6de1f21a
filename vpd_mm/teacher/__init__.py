"""Teachers: pose estimators and pose features, the targets of the distillation (paper 3.1)."""

from .amass_poses import AmassPoses
from .joint_feature import JointFeature, fill_unseen, flip_joints, frame_scores, normalize_joints, torso_sizes
from .mocap_poses import MocapPoses
from .pose_skeleton import Skeleton
from .view_retrieval_metric import ViewRetrievalMetric
from .view_sequences import PoseViewDataset
from .vipe_dataset import MultiViewPoseDataset, PoseNoise
from .vipe_encoder import VIPEEncoder
from .vipe_feature import VipeFeature, load_encoder, pose_inputs
from .vipe_model import VIPE

__all__ = [
    'AmassPoses', 'JointFeature', 'MocapPoses', 'MultiViewPoseDataset', 'PoseNoise', 'PoseViewDataset', 'Skeleton',
    'VIPE', 'VIPEEncoder', 'ViewRetrievalMetric', 'VipeFeature', 'fill_unseen', 'flip_joints', 'frame_scores',
    'load_encoder', 'normalize_joints', 'pose_inputs', 'torso_sizes',
]  # fmt: skip
