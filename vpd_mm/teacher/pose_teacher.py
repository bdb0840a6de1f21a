"""Pose estimation with any mmpose top-down model."""

from collections.abc import Callable

import numpy as np

from ..athlete.square_cropper import usable_boxes
from ..engine.model_zoo import ZooModel
from ..errors import UserError
from ..structures import VPD_JOINTS
from ..visualize.skeleton import COCO17


def infer_poses(
    frames: list[np.ndarray], boxes: np.ndarray, batch_size: int, infer_batch: Callable
) -> tuple[np.ndarray, np.ndarray]:
    """Call ``infer_batch(frames, boxes)`` in batches; arguments and result as of :meth:`PoseTeacher.infer`."""
    boxes = np.asarray(boxes, np.float32)
    if boxes.shape != (len(frames), 4):
        raise UserError(f'teacher: {len(frames)} frames need boxes of shape ({len(frames)}, 4), got {boxes.shape}')
    keypoints, scores = np.zeros((len(frames), 17, 2), np.float32), np.zeros((len(frames), 17), np.float32)
    sizes = np.array([frame.shape[1::-1] for frame in frames]).reshape(-1, 2)
    inds = np.flatnonzero(usable_boxes(boxes, sizes))
    for start in range(0, len(inds), batch_size):
        batch = inds[start : start + batch_size]
        keypoints[batch], scores[batch] = infer_batch([frames[i] for i in batch], boxes[batch])
    return keypoints, scores


class PoseTeacher(ZooModel):
    """Estimate COCO-17 poses with an mmpose top-down model.

    Runs the model's own test pipeline, preprocessor and decoder, like ``mmpose.apis.inference_topdown``, in batches and
    in half precision on CUDA.  Other joint sets are mapped by joint name; missing eyes and ears are put on the nose
    with score 0.

    Args:
        config: Config file, ``mmpose::path`` or a model zoo name such as ``rtmpose-m``.
        checkpoint: File or URL; default: the one of the model zoo.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` ...
        batch_size: Persons per forward pass.

    Raises UserError: the config, name or checkpoint is missing or does not fit, the model is not top-down, or lacks one
    of VPD's 13 joints.
    """

    def __init__(self, config: str, checkpoint: str | None = None, device: str = 'auto', batch_size: int = 32) -> None:
        super().__init__('mmpose', config, checkpoint, device, batch_size)
        cfg = self.model.cfg
        if cfg.get('data_mode') != 'topdown':
            raise UserError(f'mmpose model {config} is not a top-down model; pass one such as rtmpose-m')
        self.set_pipeline(cfg.test_dataloader.dataset.pipeline)
        self._map_joints(config)
        self._decode_in_float32()

    def infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate one pose per frame.

        Args:
            frames: N times (H, W, 3) uint8 RGB.
            boxes: (N, 4) xyxy, px of the frame.  Frames whose box is NaN, empty or outside are skipped.

        Returns:
            keypoints (N, 17, 2) float32 in px of the full frame, scores (N, 17) float32 in [0, 1]; both zero for
            skipped frames.
        """
        return infer_poses(frames, boxes, self.batch_size, self._infer_batch)

    def _infer_batch(self, frames: list[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        common = {'bbox_score': np.ones(1, np.float32), **self.model.dataset_meta}
        samples = [{'img': frame, 'bbox': box[None], **common} for frame, box in zip(frames, boxes, strict=True)]
        results = self.predict(samples)
        keypoints = np.stack([_array(result.keypoints)[0] for result in results])[:, self._source, :2]
        scores = np.stack([_array(result.keypoint_scores)[0] for result in results])[:, self._source]
        scores[:, self._absent] = 0
        # The peaks of SimCC are no probabilities and can exceed 1.
        return keypoints, np.clip(scores, 0, 1)

    def _map_joints(self, config: str) -> None:
        """Find the model's joint for each of COCO's 17; missing ones (``_absent``) get the nose."""
        from mmpose.apis.inference import dataset_meta_from_config
        from mmpose.datasets.datasets.utils import parse_pose_metainfo

        if 'keypoint_id2name' not in self.model.dataset_meta:
            meta = dataset_meta_from_config(self.model.cfg, dataset_mode='train')
            self.model.dataset_meta = meta or parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
        index = {name: int(i) for i, name in self.model.dataset_meta['keypoint_id2name'].items()}
        missing = [COCO17.joints[j] for j in VPD_JOINTS if COCO17.joints[j] not in index]
        if missing:
            raise UserError(f'mmpose model {config} lacks joints that VPD needs: {", ".join(missing)}')
        self._absent = [j for j, name in enumerate(COCO17.joints) if name not in index]
        self._source = [index.get(name, index['nose']) for name in COCO17.joints]

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
