"""Pose estimation with any mmpose top-down model."""

import contextlib

import numpy as np

from ..engine.model_zoo import load_model, pick_device
from ..errors import UserError
from .joint_feature import VPD_JOINTS

#: COCO's joints in their order, by mmpose's names.
COCO_JOINTS = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow',
    'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle',
    'right_ankle',
)  # fmt: skip


def empty_poses(num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return zero keypoints (N, 17, 2) and scores (N, 17)."""
    return np.zeros((num_frames, 17, 2), np.float32), np.zeros((num_frames, 17), np.float32)


def usable_boxes(frames: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """Return the indices of the boxes (N, 4), one per frame, that are finite, not empty and touch the frame.

    Raises:
        UserError: the boxes have another shape.
    """
    boxes = np.asarray(boxes)
    if boxes.shape != (len(frames), 4):
        raise UserError(f'teacher: {len(frames)} frames need boxes of shape ({len(frames)}, 4), got {boxes.shape}')
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    sizes = np.array([frame.shape[1::-1] for frame in frames]).reshape(-1, 2)
    good &= (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < sizes).all(axis=1)
    return np.flatnonzero(good)


class PoseTeacher:
    """Estimate COCO-17 poses with an mmpose top-down model.

    Runs the model's own test pipeline, preprocessor and decoder, like ``mmpose.apis.inference_topdown``, in batches.
    Other joint sets are mapped by joint name; missing eyes and ears are put on the nose with score 0.

    Args:
        config: Config file, ``mmpose::path`` or a model zoo name such as ``rtmpose-m``.
        checkpoint: File or URL; default: the one of the model zoo.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        batch_size: Persons per forward pass.
        half: Half precision: True, False, or ``auto`` (on CUDA).

    Raises:
        UserError: the config, name or checkpoint is missing or does not fit, the model is not top-down, or lacks one
            of VPD's 13 joints.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str | None = None,
        device: str = 'auto',
        batch_size: int = 32,
        half: bool | str = 'auto',
    ) -> None:
        if batch_size < 1:
            raise UserError(f'PoseTeacher: batch_size must be at least 1, got {batch_size}')
        device = pick_device(device)
        self.model = load_model('mmpose', config, checkpoint, device)
        if self.model.cfg.get('data_mode') != 'topdown':
            raise UserError(f'mmpose model {config} is not a top-down model; pass one such as rtmpose-m')
        self.batch_size = batch_size
        self.half = device.startswith('cuda') if half == 'auto' else bool(half)
        self._complete_dataset_meta()
        self._source = self._map_joints(config)
        self._pipeline = self._build_pipeline()
        self._decode_in_float32()

    def infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate one pose per frame.

        Args:
            frames: N times (H, W, 3) uint8 RGB.
            boxes: (N, 4) float32 xyxy, px of the frame.  Frames whose box is NaN, empty or outside are skipped.

        Returns:
            keypoints (N, 17, 2) float32 in px of the full frame, scores (N, 17) float32 in [0, 1]; both zero for
            skipped frames.
        """
        keypoints, scores = empty_poses(len(frames))
        inds = usable_boxes(frames, boxes)
        for start in range(0, len(inds), self.batch_size):
            batch = inds[start : start + self.batch_size]
            keypoints[batch], scores[batch] = self._infer_batch([frames[i] for i in batch], boxes[batch])
        return keypoints, scores

    def _infer_batch(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch
        from mmengine.dataset import pseudo_collate

        data = []
        for frame, box in zip(frames, boxes, strict=True):
            # OpenMMLab expects images in memory as BGR; the model's preprocessor converts them if needed.
            sample = {'img': np.ascontiguousarray(frame[..., ::-1]), 'bbox': box[None].astype(np.float32)}
            sample |= {'bbox_score': np.ones(1, np.float32), **self.model.dataset_meta}
            data.append(self._pipeline(sample))
        device = next(self.model.parameters()).device.type
        half = torch.autocast(device, dtype=torch.float16) if self.half else contextlib.nullcontext()
        with torch.inference_mode(), half:
            results = [result.pred_instances for result in self.model.test_step(pseudo_collate(data))]
        keypoints = np.stack([_array(result.keypoints)[0] for result in results])[:, self._source, :2]
        scores = np.stack([_array(result.keypoint_scores)[0] for result in results])[:, self._source]
        keypoints, scores = keypoints.astype(np.float32), scores.astype(np.float32)
        scores[:, self._absent] = 0
        # The peaks of SimCC are no probabilities and can exceed 1.
        return keypoints, np.clip(scores, 0, 1)

    def _complete_dataset_meta(self) -> None:
        from mmpose.apis.inference import dataset_meta_from_config
        from mmpose.datasets.datasets.utils import parse_pose_metainfo

        if 'keypoint_id2name' in self.model.dataset_meta:
            return
        meta = dataset_meta_from_config(self.model.cfg, dataset_mode='train')
        self.model.dataset_meta = meta or parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))

    def _map_joints(self, config: str) -> list[int]:
        """Return the model's joint for each of COCO's 17; missing ones (``_absent``) get the nose."""
        index = {name: int(i) for i, name in self.model.dataset_meta['keypoint_id2name'].items()}
        missing = [COCO_JOINTS[j] for j in VPD_JOINTS if COCO_JOINTS[j] not in index]
        if missing:
            raise UserError(f'mmpose model {config} lacks joints that VPD needs: {", ".join(missing)}')
        self._absent = [j for j, name in enumerate(COCO_JOINTS) if name not in index]
        return [index.get(name, index['nose']) for name in COCO_JOINTS]

    def _build_pipeline(self):
        from mmengine.dataset import Compose
        from mmengine.registry import DefaultScope

        cfg = self.model.cfg
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
            return Compose(cfg.test_dataloader.dataset.pipeline)

    def _decode_in_float32(self) -> None:
        """Convert the head's outputs for the decoders, because NumPy and OpenCV do not support half precision."""
        import torch

        head = self.model.head
        decode = head.decode

        def decode_float(outputs):
            if isinstance(outputs, torch.Tensor):
                return decode(outputs.float())
            return decode(type(outputs)(x.float() if isinstance(x, torch.Tensor) else x for x in outputs))

        head.decode = decode_float


def _array(values) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.float().cpu().numpy()
