"""Tracked poses as mmaction2's skeleton clips."""

from typing import Any

import numpy as np

from ..corpus import Corpus, VideoInfo
from ..corpus.stale_files import CorpusInputs
from ..errors import UserError
from ..features import ActionWindowDataset, fill_unseen, interpolate
from ..files import npz_path
from ..registry import DATASETS
from ..structures import Action, FeatureSequence, PoseSequence
from ..teacher.joint_feature import VPD_JOINTS


def to_skeleton(poses: PoseSequence, positions: np.ndarray) -> dict | None:
    """Poses of a video at fractional frames (T,) as a skeleton clip of mmaction2, with one athlete (M = 1).

    Joints and scores are interpolated linearly between frames with a pose and
    held at the ends; unseen joints should be filled in.

    Returns:
        ``keypoint`` (1, T, 13, 2) float32 px of the full frame, the joints of ``VPD_JOINTS``, and
        ``keypoint_score`` (1, T, 13) float32; None where no pose lies between
        the first and the last position.
    """
    joints = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=2)[:, list(VPD_JOINTS)]
    rows = joints.reshape(len(poses), 1, 3 * len(VPD_JOINTS))
    clip = interpolate(FeatureSequence(poses.frame_inds, rows, np.ones(len(poses), np.float32)), positions, 1)
    if clip is None:
        return None
    clip = clip.reshape(1, len(positions), len(VPD_JOINTS), 3)
    return {'keypoint': clip[..., :2].copy(), 'keypoint_score': clip[..., 2].copy()}


@DATASETS.register_module()
class PoseClipDataset(ActionWindowDataset):
    """Tracked poses of labelled actions, for pipelines of mmaction2's ``PoseDataset``; read at once, without pickle.

    Added keys, besides those of the base and of :func:`to_skeleton`: ``img_shape`` and ``original_shape``
    (height, width), ``modality`` 'Pose', ``stream``.  ``fill_unseen`` places joints of score 0.

    Args:
        poses: Name of the pose set (``athlete/poses/<name>``).
        stream: Value of the key ``stream``, for ``SkeletonStream``.
        kwargs: Of the base.

    Raises:
        UserError: besides the base's: no such pose set, or poses of a former track.
    """

    what = 'pose'

    def __init__(self, corpus: str, poses: str, stream: str = 'joint', **kwargs: Any) -> None:
        self.poses = poses
        self.stream = stream
        super().__init__(corpus, **kwargs)

    def open_corpus(self, corpus: Corpus) -> None:
        self._folder = corpus.poses_dir(self.poses)
        if not self._folder.is_dir():
            known = ', '.join(corpus.pose_names()) or 'none'
            raise UserError(f'{self._folder}: no such poses; {corpus.root} has pose sets: {known}')
        self._inputs = CorpusInputs(corpus)
        self._read: tuple[str, PoseSequence | None] = ('', None)

    def read_clip(self, action: Action, video: VideoInfo, positions: np.ndarray) -> dict | None:
        if self._read[0] != video.video:
            path = npz_path(self._folder, video.video)
            self._inputs.check(self._inputs.name(path))
            self._read = (video.video, fill_unseen(PoseSequence.load(path)) if path.is_file() else None)
        poses = self._read[1]
        clip = None if poses is None else to_skeleton(poses, positions)
        shape = (video.height, video.width)
        return clip and {**clip, 'img_shape': shape, 'original_shape': shape, 'modality': 'Pose', 'stream': self.stream}
