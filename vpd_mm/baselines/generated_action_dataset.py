"""Generated clips, to check an installation and to test and time mmaction2's models."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmengine.dataset import BaseDataset

from ..errors import UserError
from ..registry import DATASETS

#: COCO-17 joints of a resting figure that faces the camera: (x, y), y down, height 1.
_REST = np.array(
    [[0.5, 0.12], [0.52, 0.1], [0.48, 0.1], [0.55, 0.11], [0.45, 0.11], [0.6, 0.25], [0.4, 0.25], [0.65, 0.4]]
    + [[0.35, 0.4], [0.68, 0.55], [0.32, 0.55], [0.56, 0.55], [0.44, 0.55], [0.57, 0.75], [0.43, 0.75]]
    + [[0.58, 0.95], [0.42, 0.95]]
)
_BONES = [(5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)]
#: Class -> (moved joints, direction): left arm up, right arm up, both arms up, squat, sway, left leg out.
_MOTIONS = (
    ([7, 9], (0.05, -0.35)),
    ([8, 10], (-0.05, -0.35)),
    ([7, 8, 9, 10], (0.0, -0.35)),
    ([*range(0, 13)], (0.0, 0.15)),
    ([*range(0, 13)], (0.15, 0.0)),
    ([13, 15], (0.25, -0.1)),
)


@DATASETS.register_module()
class GeneratedActionDataset(BaseDataset):
    """Stick figures in motion, as mmaction2's skeleton annotations or as RGB clips.

    Added keys: ``keypoint`` (1, T, 17, 2) float32 in pixels and ``keypoint_score`` (1, T, 17) for
    ``modality='Pose'``, or ``array`` (T, H, W, 3) uint8 RGB for ``modality='RGB'``; ``label``, ``total_frames``,
    ``start_index`` (0), ``img_shape``, ``modality``.

    Args:
        pipeline: mmaction2 transforms.
        num_clips: Number of clips; the classes, 2 to 6, alternate.
        num_frames: T.
        size: Height and width of an image, px.
        modality: 'Pose' or 'RGB'.
        seed: The same seed generates the same clips.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        num_clips: int = 32,
        num_classes: int = 4,
        num_frames: int = 32,
        size: int = 64,
        modality: str = 'Pose',
        seed: int = 0,
        test_mode: bool = False,
    ) -> None:
        if not 2 <= num_classes <= len(_MOTIONS):
            raise UserError(f'GeneratedActionDataset: num_classes must be 2 to {len(_MOTIONS)}, found {num_classes}')
        if modality not in ('Pose', 'RGB'):
            raise UserError(f"GeneratedActionDataset: modality must be 'Pose' or 'RGB', found {modality!r}")
        self.num_clips, self.num_classes, self.num_frames = num_clips, num_classes, num_frames
        self.size, self.modality, self.seed = size, modality, seed
        super().__init__(pipeline=list(pipeline), test_mode=test_mode, serialize_data=False)

    def load_data_list(self) -> list[dict]:
        return [self._make(i) for i in range(self.num_clips)]

    def _make(self, index: int) -> dict:
        rng = np.random.default_rng((self.seed, index))
        label = index % self.num_classes
        joints, direction = _MOTIONS[label]
        phase = np.linspace(0, 2 * np.pi * rng.uniform(1, 2), self.num_frames) + rng.uniform(0, np.pi)
        pose = np.tile(_REST, (self.num_frames, 1, 1))
        pose[:, joints] += np.outer(0.5 - 0.5 * np.cos(phase), direction)[:, None]
        pose = 0.5 + (pose - 0.5) * rng.uniform(0.7, 1.0) + rng.normal(0, 0.05, 2) + rng.normal(0, 0.004, pose.shape)
        keypoint = (pose * self.size).astype(np.float32)
        clip = {'label': label, 'total_frames': self.num_frames, 'start_index': 0, 'modality': self.modality}
        clip['img_shape'] = clip['original_shape'] = (self.size, self.size)
        if self.modality == 'Pose':
            score = np.ones((1, self.num_frames, 17), np.float32)
            return clip | {'keypoint': keypoint[None], 'keypoint_score': score}
        return clip | {'array': self._draw(keypoint, rng)}

    def _draw(self, keypoint: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        frames = np.empty((self.num_frames, self.size, self.size, 3), np.uint8)
        frames[:] = rng.integers(60, 120, 3)
        for frame, joints in zip(frames, keypoint.round().astype(int), strict=True):
            for k, (a, b) in enumerate(_BONES):
                left = a % 2 == 1  # COCO: odd joints are on the athlete's left
                color = (220, 60 + 8 * k, 60) if left else (60, 60 + 8 * k, 220)
                cv2.line(frame, joints[a].tolist(), joints[b].tolist(), color, max(1, self.size // 24))
            cv2.circle(frame, joints[0].tolist(), self.size // 14, (230, 200, 170), -1)
        return frames
